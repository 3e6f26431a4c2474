//! All tests of this crate that can share a process: one program, so that it is linked once.

#![allow(
    unreachable_pub,
    clippy::redundant_pub_crate,
    reason = "modules that examples share"
)]

mod bad_input;
mod canonical_names;
mod congestion;
mod descriptions;
mod dtls;
mod early_checks;
mod engine;
mod engine_limits;
mod engine_stage;
mod engine_strangers;
mod engine_subscription;
mod forged_media;
mod further_offers;
mod hostile_reports;
mod hostile_senders;
mod isolation;
mod isolation_engine;
mod lossy_link;
mod odd_descriptions;
mod pauses;
mod playout_delay;
mod receiving;
mod renditions;
mod renegotiation;
mod session;
mod shard_failure;
mod simulcast;
mod statistics;
mod str0m_contract;
mod virtual_network;
