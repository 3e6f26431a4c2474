//! The attacks, each of which ends when the time of its crowd is over.

mod calls;
mod candidates;
mod connections;
mod empty_frames;
mod fragments;
mod half_open;
mod lists;
mod metas;
mod named_addresses;
mod peers;
mod queues;
mod reports;
mod rooms;
mod sessions;
mod slow_readers;
mod statuses;

use futures_util::FutureExt;
use futures_util::future::{LocalBoxFuture, join_all};

use super::Kind;
use super::client::Crowd;

/// All but the one that does nothing, and all at once.
pub(super) const EACH: [Kind; 16] = [
    Kind::Candidates,
    Kind::Calls,
    Kind::Metas,
    Kind::Sessions,
    Kind::Peers,
    Kind::Rooms,
    Kind::Fragments,
    Kind::Lists,
    Kind::Queues,
    Kind::HalfOpen,
    Kind::NamedAddresses,
    Kind::Reports,
    Kind::Statuses,
    Kind::Connections,
    Kind::EmptyFrames,
    Kind::SlowReaders,
];

pub(super) fn run_kind(kind: Kind, crowd: &Crowd) -> LocalBoxFuture<'_, ()> {
    match kind {
        Kind::Nothing => crowd.all(0, |_| async { Ok(()) }).boxed_local(),
        Kind::Candidates => candidates::attack(crowd).boxed_local(),
        Kind::Calls => calls::attack(crowd).boxed_local(),
        Kind::Metas => metas::attack(crowd).boxed_local(),
        Kind::Sessions => sessions::attack(crowd).boxed_local(),
        Kind::Peers => peers::attack(crowd).boxed_local(),
        Kind::Rooms => rooms::attack(crowd).boxed_local(),
        Kind::Fragments => fragments::attack(crowd).boxed_local(),
        Kind::Lists => lists::attack(crowd).boxed_local(),
        Kind::Queues => queues::attack(crowd).boxed_local(),
        Kind::HalfOpen => half_open::attack(crowd).boxed_local(),
        Kind::NamedAddresses => named_addresses::attack(crowd).boxed_local(),
        Kind::Reports => reports::attack(crowd).boxed_local(),
        Kind::Statuses => statuses::attack(crowd).boxed_local(),
        Kind::Connections => connections::attack(crowd).boxed_local(),
        Kind::EmptyFrames => empty_frames::attack(crowd).boxed_local(),
        Kind::SlowReaders => slow_readers::attack(crowd).boxed_local(),
        Kind::All => join_all(EACH.map(|kind| run_kind(kind, crowd)))
            .map(drop)
            .boxed_local(),
    }
}
