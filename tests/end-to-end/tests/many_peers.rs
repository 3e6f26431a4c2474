//! A server with as many peers as one process may have connections to. In the long circle: it takes half a minute.

use std::time::Duration;

use anyhow::{Result, ensure};
use wigwag_end_to_end::{Client, SignallingServer};

/// What an idle connection may cost at the most here; the benchmark knows what it does cost.
const GENEROUS_BYTES: u64 = 24 * 1024;

const IDLE: usize = 10_000;

#[test]
fn ten_thousand_idle_peers_live_on_and_cost_newcomers_nothing() -> Result<()> {
    // Some more are in use by the other tests of this program.
    let allowed = rlimit::increase_nofile_limit(IDLE as u64 + 2_000)?;
    ensure!(
        allowed >= IDLE as u64 + 500,
        "only {allowed} descriptors are allowed"
    );
    let server = SignallingServer::start_with(&["--keepalive-timeout", "5"])?;
    let address = server.address();
    let newcomers = || -> Result<Duration> {
        let before = server.processor_time()?;
        for _ in 0..100 {
            Client::connect(address)?;
        }
        Ok(server.processor_time()? - before)
    };
    // What the first connections make the server set up is not theirs.
    newcomers()?;
    let alone = newcomers()?;
    let memory = server.memory()?;
    let mut idle = Vec::with_capacity(IDLE);
    for _ in 0..IDLE {
        idle.push(Client::connect(address)?);
    }
    let grown = server.memory()?.saturating_sub(memory) / IDLE as u64;
    ensure!(
        grown < GENEROUS_BYTES,
        "an idle connection takes {grown} bytes"
    );

    // Two rounds of pings to each: answers to the first were understood.
    for _ in 0..2 {
        for peer in &mut idle {
            peer.answer_ping()?;
        }
    }
    // By the server's processor and not by a clock, which others on this machine move.
    let among_many = newcomers()?;
    let most = alone * 5 + Duration::from_millis(50);
    ensure!(
        among_many < most,
        "{among_many:?} among many, {alone:?} alone"
    );
    for peer in &mut idle {
        peer.sync()?;
    }
    Ok(())
}
