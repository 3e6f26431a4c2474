//! The thread of a shard: waits for the network, the clock and the inbox. A shard that panics is replaced
//! ([`supervision`](super::supervision)).

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::{Events, Poll, Token, Waker};

use super::EngineError;
use super::budget::Limit;
use super::candidates::HostAddresses;
use super::inbox::{Inbox, Taken};
use super::port::{Network, Ports};
use super::shard::Shard;
use super::statistics::Counters;
use super::supervision;
use crate::udp::Received;

/// After the tokens of the sockets.
const WAKER: Token = Token(2);

/// What the system tells in one go: two sockets and a waker.
const MAX_EVENTS: usize = 4;

/// What commands and datagrams each may take in one iteration, before frames and deadlines are looked after again: those who watch must not
/// notice a crowd that comes. A new session takes half a millisecond, and so does a datagram of its handshake.
const TIME_SLICE: Duration = Duration::from_millis(4);

/// The same between two parts of a frame on its way.
const TIME_SLICE_WITHIN_FRAME: Duration = Duration::from_millis(1);

/// Starts a shard; it runs until its inbox says stop.
pub(super) fn start(
    number: usize,
    shards: usize,
    addresses: Vec<IpAddr>,
) -> Result<Arc<Inbox>, EngineError> {
    let poll = Poll::new().map_err(EngineError::Thread)?;
    let waker = Waker::new(poll.registry(), WAKER).map_err(EngineError::Thread)?;
    let counters = Arc::new(Counters::default());
    let ports = Ports::open(poll.registry(), Arc::clone(&counters)).map_err(EngineError::Socket)?;
    let wake = move || {
        if let Err(error) = waker.wake() {
            tracing::error!(%error, "a shard cannot be woken");
        }
    };
    let inbox = Arc::new(Inbox::new(wake, counters));
    let hosts = HostAddresses::new(addresses);
    let checks = Limit::checks(u32::try_from(shards).unwrap_or(u32::MAX));
    let own = Arc::clone(&inbox);
    let new_shard = move || {
        let now = Instant::now();
        Shard::new(number, Arc::clone(&own), hosts.clone(), checks, now)
    };
    let own = Arc::clone(&inbox);
    let waiting = Waiting {
        poll,
        received: Received::new(),
        events: Events::with_capacity(MAX_EVENTS),
    };
    std::thread::Builder::new()
        .name(format!("wigwag-shard-{number}"))
        .spawn(move || supervision::run(new_shard, waiting, ports, &own))
        .map_err(EngineError::Thread)?;
    Ok(inbox)
}

/// What a shard's thread waits with.
pub(super) struct Waiting {
    poll: Poll,
    received: Received,
    events: Events,
}

/// Runs a shard until its inbox says stop. What was taken and not done is left in `taken`.
pub(super) fn run(
    waiting: &mut Waiting,
    ports: &mut Ports,
    shard: &mut Shard,
    inbox: &Inbox,
    taken: &mut Taken,
) {
    let Waiting {
        poll,
        received,
        events,
    } = waiting;
    loop {
        // What was left in the last iteration goes first.
        if taken.commands.is_empty() {
            *taken = inbox.take(!shard.is_fanning_out());
        } else {
            inbox.take_frame(!shard.is_fanning_out(), taken);
        }
        if apply_commands(taken, time_slice(shard), shard, ports) && taken.stop {
            return shard.stop(Instant::now(), ports);
        }
        if let Some((publication, frame)) = taken.frame.take() {
            shard.begin_frame(publication, frame);
        }
        shard.fan_out(Instant::now(), ports);
        // A frame may have begun, or come to its end.
        let until = Instant::now() + time_slice(shard);
        ports.receive(received, until, |ports, received| {
            for (source, destination, datagram) in received.datagrams() {
                shard.receive(source, destination, datagram, Instant::now(), ports);
            }
        });
        let now = Instant::now();
        shard.wake(now, ports);
        ports.flush();

        let is_behind = taken.more || !taken.commands.is_empty();
        let goes_on = is_behind || shard.is_fanning_out() || ports.may_have_more();
        let wait = if goes_on {
            Some(Duration::ZERO)
        } else {
            let deadline = shard.deadline();
            deadline.map(|at| at.saturating_duration_since(Instant::now()))
        };
        match poll.poll(events, wait) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => {
                tracing::error!(%error, "a shard cannot wait for the network; it stops");
                return shard.stop(Instant::now(), ports);
            }
        }
        for event in &*events {
            ports.is_readable(event.token());
        }
    }
}

fn time_slice(shard: &Shard) -> Duration {
    if shard.is_fanning_out() {
        TIME_SLICE_WITHIN_FRAME
    } else {
        TIME_SLICE
    }
}

/// Does what was asked, as far as there is time; true if that was all.
fn apply_commands(
    taken: &mut Taken,
    time_slice: Duration,
    shard: &mut Shard,
    ports: &mut Ports,
) -> bool {
    let begun = Instant::now();
    let mut now = begun;
    while let Some(command) = taken.commands.pop_front() {
        taken.current = command.viewer();
        shard.command(command, now, ports);
        taken.current = None;
        now = Instant::now();
        if now.saturating_duration_since(begun) >= time_slice {
            break;
        }
    }
    if !taken.commands.is_empty() {
        return false;
    }
    // These are about viewers of whom commands may have been before.
    while let Some((publication, viewer)) = taken.refused.pop() {
        shard.refuse(&publication, viewer, now, ports);
    }
    for (publication, stream) in std::mem::take(&mut taken.missed) {
        shard.missed(publication, stream);
    }
    true
}
