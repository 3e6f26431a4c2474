//! A peer of either protocol, as the admin API shows it.

use serde::Serialize;
use wigwag_protocol::json::{Meta, Roles};

#[derive(Serialize)]
pub(super) struct Peer {
    pub(super) id: String,
    pub(super) protocol: &'static str,
    pub(super) protocol_version: Option<&'static str>,
    pub(super) name: Option<String>,
    pub(super) roles: Roles,
    pub(super) meta: Option<Meta>,
    pub(super) meta_bytes: usize,
    pub(super) address: Option<String>,
    pub(super) connected_at: String,
    pub(super) sessions: usize,
    pub(super) room: Option<String>,
    pub(super) queued_messages: usize,
    pub(super) queued_bytes: usize,
}
