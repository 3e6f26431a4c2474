//! Listeners that stop reading, and what the other peers notice of it.

use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::json;
use tokio::time::{sleep, timeout};

use super::candidate::Candidate;
use crate::bench::load::Peer;
use crate::bench::server_process::ServerProcess;

const STALLED: usize = 3;
const CHANGES: usize = 2_500;
const META_BYTES: usize = 16 * 1024;

/// After this long a server stands still.
pub(super) const DEADLINE: Duration = Duration::from_secs(10);

pub(super) struct Stalled {
    /// The longest time from a connection to its session; none if the server stood still.
    pub(super) worst_session: Option<Duration>,
    /// By how much the server's memory grew at most, in bytes.
    pub(super) grown: u64,
}

pub(super) async fn measure(candidate: Candidate<'_>) -> Result<Stalled> {
    let server = candidate.start(None)?;
    let mut stalled = Vec::new();
    for _ in 0..STALLED {
        let mut peer = Peer::connect(server.address).await?;
        peer.set_roles("\"listener\"").await?;
        // From here on nobody reads from it.
        stalled.push(peer);
    }
    let mut camera = Peer::connect(server.address).await?;
    camera.set_roles("\"producer\"").await?;
    let mut churning = Peer::connect(server.address).await?;

    let before = server.memory()?;
    let name = "n".repeat(META_BYTES);
    let change = async {
        for change in 0..CHANGES {
            let meta = json!({"name": name, "change": change});
            let status = json!({"type": "setPeerStatus", "roles": ["producer"], "meta": meta});
            churning.send(status.to_string()).await?;
        }
        churning.sync().await
    };
    let changes = async {
        anyhow::Ok(
            timeout(DEADLINE, change)
                .await
                .is_ok_and(|done| done.is_ok()),
        )
    };
    let (through, worst) = tokio::join!(changes, sessions_meanwhile(&server, &mut camera));
    let stood_still = !through? || worst.is_none();
    Ok(Stalled {
        worst_session: worst.filter(|_| !stood_still),
        grown: server.peak_memory()?.saturating_sub(before),
    })
}

/// Makes new sessions one after the other; the slowest, or none if one was never made.
async fn sessions_meanwhile(server: &ServerProcess, camera: &mut Peer) -> Option<Duration> {
    let mut worst = Duration::ZERO;
    for _ in 0..40 {
        let start = Instant::now();
        let made = timeout(DEADLINE, session(server, camera)).await;
        made.ok()?.ok()?;
        worst = worst.max(start.elapsed());
        sleep(Duration::from_millis(20)).await;
    }
    Some(worst)
}

async fn session(server: &ServerProcess, camera: &mut Peer) -> Result<()> {
    let mut viewer = Peer::connect(server.address).await?;
    let call = json!({"type": "startSession", "peerId": camera.id});
    viewer.send(call.to_string()).await?;
    viewer.receive("sessionStarted").await?;
    camera.receive("startSession").await?;
    Ok(())
}
