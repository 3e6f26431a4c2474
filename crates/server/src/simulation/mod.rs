//! The server in virtual time: whole connections, from the HTTP upgrade to the close, over links in memory that delay,
//! cut into pieces, stall, swallow and break.
//!
//! Each run has a seed. Steady peers read and answer, and find fault with whatever they should not see: the end of
//! their connection, a change that is missing, late or out of order. Faulty ones vanish, stall, flood and talk
//! nonsense meanwhile, and the server is restarted. A failing seed is printed; `WIGWAG_SIMULATION_SEED` runs it alone.

mod conditions;
mod faulty;
mod flood;
mod link;
mod peer;
mod room;
mod running;
mod shares;
mod steady;
mod trace;
mod wire;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::task::JoinSet;
use tokio::time::sleep;

use conditions::NetworkConditions;
use faulty::Fault;
use running::Simulation;

/// How many runs there are.
const SEEDS: u64 = 120;

/// For so long peers come and go, in virtual time.
const RUN: Duration = Duration::from_secs(60);

#[test]
fn nobody_who_reads_notices_what_others_do() {
    if let Some(seed) = std::env::var("WIGWAG_SIMULATION_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
    {
        run(seed);
        return;
    }
    let next = AtomicU64::new(0);
    let work = || {
        while let seed @ 0..SEEDS = next.fetch_add(1, Ordering::Relaxed) {
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| run(seed))) {
                eprintln!("WIGWAG_SIMULATION_SEED={seed}");
                resume_unwind(panic);
            }
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
}

fn run(seed: u64) {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime")
        .block_on(simulate(seed));
}

async fn simulate(seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    let conditions = if seed.is_multiple_of(3) {
        NetworkConditions::Calm
    } else {
        NetworkConditions::Wild
    };
    let simulation = Arc::new(Simulation::new(conditions));
    let mut peers = JoinSet::new();
    for number in 0..random.random_range(2..6) {
        let peer = steady::live(
            Arc::clone(&simulation),
            number,
            StdRng::from_rng(&mut random),
        );
        peers.spawn(peer);
    }
    for number in 0..random.random_range(0..4) {
        let member = room::live(
            Arc::clone(&simulation),
            number,
            StdRng::from_rng(&mut random),
        );
        peers.spawn(member);
    }
    for _ in 0..random.random_range(1..6) {
        let fault = Fault::random(conditions, &mut random);
        let peer = faulty::live(
            Arc::clone(&simulation),
            fault,
            StdRng::from_rng(&mut random),
        );
        peers.spawn(peer);
    }
    let watching = Arc::clone(&simulation);
    peers.spawn(async move { watching.watch_queues().await });

    for _ in 0..random.random_range(0..3) {
        sleep(RUN.mul_f64(random.random_range(0.05..0.4))).await;
        simulation.restart(random.random_bool(0.5));
    }
    sleep(RUN.saturating_sub(simulation.now())).await;
    simulation.end();
    while let Some(ended) = peers.join_next().await {
        if let Err(error) = ended {
            resume_unwind(error.into_panic());
        }
    }
    simulation.all_are_gone().await;
}
