//! Reports (RTCP) of viewers that hold the keys and lie: nothing arrives, no rate can be taken, everything is to be sent again, and
//! a key frame is wanted.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::time::{MissedTickBehavior, interval};
use tokio_tungstenite::tungstenite::Message;
use wigwag_receiver::rtcp::{
    PAYLOAD_FEEDBACK, RECEIVER_REPORT, TRANSPORT_FEEDBACK, compound, feedback, packet,
};
use wigwag_receiver::{Counting, ReceiverId, ReceiverSettings, Receivers};

use crate::attack::client::Crowd;
use crate::attack::network::ATTACKERS;

const CLIENTS: usize = 40;
/// From one compound of lies to the next.
const PACE: Duration = Duration::from_millis(20);
/// Of what reports.
const SOURCE: u32 = 7;

/// The first client attacks the first camera, alone, and the others all others: what one of its viewers costs is to be seen.
fn camera_of(client: usize, cameras: usize) -> usize {
    match client.checked_sub(1) {
        Some(other) if cameras > 1 => 1 + other % (cameras - 1),
        _ => 0,
    }
}

pub(super) async fn attack(crowd: &Crowd) {
    let receivers = Receivers::start().expect("a thread of the system");
    let clients = crowd.at_least(CLIENTS);
    crowd
        .all(clients, |client| watch(crowd, &receivers, client))
        .await;
}

async fn watch(crowd: &Crowd, receivers: &Receivers, client: usize) -> Result<()> {
    let producer = crowd.producer_of(camera_of(client, crowd.producers.len()));
    let mut peer = crowd.peer(client).await?;
    let start = json!({"type": "startSession", "peerId": producer});
    peer.send(start.to_string()).await?;
    let mut viewer = Viewer {
        receivers,
        address: match crowd.source_of(client) {
            IpAddr::V4(address) => address,
            // The cameras have no other addresses.
            IpAddr::V6(_) => ATTACKERS,
        },
        id: None,
        early: Vec::new(),
    };
    let (mut sink, mut stream) = peer.socket.split();
    let mut ticks = interval(PACE * u32::try_from(crowd.at_least(CLIENTS) / CLIENTS)?);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            message = stream.next() => {
                let message = message.context("the connection ended")??;
                if let Message::Close(frame) = message {
                    bail!("closed: {frame:?}");
                }
                let Ok(text) = message.to_text() else { continue };
                if let Some(answer) = viewer.handle_message(text)? {
                    sink.send(Message::text(answer)).await?;
                }
            }
            _ = ticks.tick() => crowd.count_sent(viewer.lie()?),
        }
    }
}

/// A viewer that takes what it is offered.
struct Viewer<'a> {
    receivers: &'a Receivers,
    address: Ipv4Addr,
    /// Once it has answered.
    id: Option<ReceiverId>,
    /// Candidates that came before.
    early: Vec<String>,
}

impl Viewer<'_> {
    /// Takes a message of the server, and returns what is to be sent.
    fn handle_message(&mut self, text: &str) -> Result<Option<String>> {
        let message: Value = serde_json::from_str(text).unwrap_or_default();
        match message["type"].as_str() {
            Some("error") => bail!("refused: {message}"),
            Some("endSession") => bail!("the session ended"),
            _ => {}
        }
        if let Some(candidate) = message["ice"]["candidate"].as_str() {
            match self.id {
                Some(id) => self.receivers.add_candidate(id, candidate)?,
                None => self.early.push(candidate.to_owned()),
            }
        }
        let Some(offer) = message["sdp"]["sdp"].as_str() else {
            return Ok(None);
        };
        if let Some(id) = self.id {
            return Ok(Some(answer(
                &message,
                &self.receivers.answer_again(id, offer)?,
            )));
        }
        let settings = ReceiverSettings {
            counting: Counting::Headers,
            video_codec: None,
        };
        let addresses = [self.address.into()];
        let (id, sdp) = self.receivers.answer_with(&settings, &addresses, offer)?;
        self.id = Some(id);
        for candidate in self.early.drain(..) {
            self.receivers.add_candidate(id, &candidate)?;
        }
        Ok(Some(answer(&message, &sdp)))
    }

    /// Sends lies about each source that something came of, and returns of how many.
    fn lie(&self) -> Result<u64> {
        let Some(id) = self.id else {
            return Ok(0);
        };
        let mut lies = 0;
        self.receivers.send_reports(id, |sources| {
            lies = sources.len() as u64;
            match sources {
                [] => Vec::new(),
                _ => compound(
                    SOURCE,
                    &sources
                        .iter()
                        .flat_map(|about| lies_about(*about))
                        .collect::<Vec<_>>(),
                ),
            }
        })?;
        Ok(lies)
    }
}

impl Drop for Viewer<'_> {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            // It is gone, then.
            let _ = self.receivers.vanish(id);
        }
    }
}

fn answer(offer: &Value, sdp: &str) -> String {
    let sdp = json!({"type": "answer", "sdp": sdp});
    json!({"type": "peer", "sessionId": offer["sessionId"], "sdp": sdp}).to_string()
}

fn lies_about(about: u32) -> [Vec<u8>; 6] {
    // All of it was lost, of which most long ago.
    let mut block = about.to_be_bytes().to_vec();
    block.extend([255, 0x7f, 255, 255]);
    block.extend([0; 16]);
    // Of all numbers that there are, none came: eight runs of 8,191 packets (draft-holmer-rmcat-transport-wide-cc-extensions-01, 3.1).
    const RUN: u16 = 0x1fff;
    let mut nothing = vec![0, 0];
    nothing.extend((8 * RUN).to_be_bytes());
    nothing.extend([0, 0, 1, 0]);
    nothing.extend(RUN.to_be_bytes().repeat(8));
    // A bit a second (draft-alvestrand-rmcat-remb-03, 2.2).
    let mut rate = b"REMB".to_vec();
    rate.extend([1, 0, 0, 1]);
    rate.extend(about.to_be_bytes());
    // Each of 17 numbers, 200 times: some of what was sent is among them.
    let again = (0..200_u16).flat_map(|number| [(number * 17).to_be_bytes(), [255, 255]].concat());
    let full = [about.to_be_bytes(), [0; 4]].concat();
    [
        packet(SOURCE, 1, RECEIVER_REPORT, &block),
        feedback(SOURCE, 15, TRANSPORT_FEEDBACK, about, &nothing),
        feedback(SOURCE, 15, PAYLOAD_FEEDBACK, 0, &rate),
        feedback(
            SOURCE,
            1,
            TRANSPORT_FEEDBACK,
            about,
            &again.collect::<Vec<_>>(),
        ),
        feedback(SOURCE, 1, PAYLOAD_FEEDBACK, about, &[]),
        feedback(SOURCE, 4, PAYLOAD_FEEDBACK, 0, &full),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_client_attacks_the_first_camera() {
        let cameras = (0..200).map(|client| camera_of(client, 20));
        let cameras: Vec<_> = cameras.collect();
        assert_eq!(cameras[..3], [0, 1, 2]);
        assert_eq!(cameras[19..22], [19, 1, 2]);
        assert_eq!(cameras.iter().filter(|camera| **camera == 0).count(), 1);
        assert_eq!(camera_of(5, 1), 0);
    }

    #[test]
    fn lies_are_packets_of_whole_words() {
        for lie in lies_about(9) {
            let words = u16::from_be_bytes([lie[2], lie[3]]);
            assert_eq!(lie.len(), 4 * (usize::from(words) + 1), "{lie:?}");
        }
    }
}
