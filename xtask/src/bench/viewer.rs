//! A viewer that counts what it gets: the signalling around one of `wigwag_media::viewer`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::sleep;
use wigwag_media::viewer::{ReceiverId, Receivers, StreamKind, StreamReport};

use super::load::Peer;

const ADDRESSES: [IpAddr; 1] = [IpAddr::V4(Ipv4Addr::LOCALHOST)];

/// From the call to the first frame, on a machine whose processors are all busy.
const DEADLINE: Duration = Duration::from_secs(30);

/// A viewer of one producer; its session ends when this is dropped.
pub(crate) struct Viewer {
    receivers: Arc<Receivers>,
    id: ReceiverId,
    signalling: JoinHandle<()>,
}

impl Viewer {
    /// Calls a producer and waits for its first picture.
    pub(crate) async fn join(
        server: SocketAddr,
        producer: &str,
        receivers: &Arc<Receivers>,
    ) -> Result<Self> {
        let mut peer = Peer::connect(server).await?;
        let call = json!({"type": "startSession", "peerId": producer});
        peer.send(call.to_string()).await?;
        let started = peer.receive("sessionStarted").await?;
        let session = started["sessionId"].as_str().context("an id")?.to_owned();
        let mut early_candidates = Vec::new();
        let offer = loop {
            let message = peer.receive("peer").await?;
            if let Some(offer) = message["sdp"]["sdp"].as_str() {
                break offer.to_owned();
            }
            early_candidates.extend(candidate(&message));
        };
        let (id, answer) = receivers.answer(&ADDRESSES, &offer)?;
        let sdp = json!({"type": "answer", "sdp": answer});
        let answer = json!({"type": "peer", "sessionId": session, "sdp": sdp});
        peer.send(answer.to_string()).await?;
        for candidate in early_candidates {
            receivers.add_candidate(id, &candidate)?;
        }
        let signalling = tokio::spawn(take_candidates(peer, Arc::clone(receivers), id));
        let viewer = Self {
            receivers: Arc::clone(receivers),
            id,
            signalling,
        };
        viewer.wait_for_picture().await?;
        Ok(viewer)
    }

    /// What has arrived of the picture so far.
    pub(crate) fn video(&self) -> Result<Option<StreamReport>> {
        let report = self.receivers.report(self.id)?;
        if let Some(failure) = report.failure {
            bail!("a viewer failed: {failure}");
        }
        let mut streams = report.streams.into_iter();
        Ok(streams.find(|stream| stream.kind == StreamKind::Video))
    }

    async fn wait_for_picture(&self) -> Result<()> {
        let start = Instant::now();
        while self.video()?.is_none_or(|video| video.frames == 0) {
            if start.elapsed() > DEADLINE {
                bail!("a viewer got no picture");
            }
            sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        self.signalling.abort();
        // It may be gone already.
        let _ = self.receivers.close(self.id);
    }
}

/// Takes the producer's candidates for as long as the session lasts.
async fn take_candidates(mut peer: Peer, receivers: Arc<Receivers>, id: ReceiverId) {
    while let Some(Ok(message)) = peer.socket.next().await {
        let message = message.to_text().map(serde_json::from_str::<Value>);
        if let Ok(Ok(message)) = message
            && let Some(candidate) = candidate(&message)
            && receivers.add_candidate(id, &candidate).is_err()
        {
            return;
        }
    }
}

fn candidate(message: &Value) -> Option<String> {
    let candidate = message["ice"]["candidate"].as_str()?;
    (!candidate.is_empty()).then(|| candidate.to_owned())
}
