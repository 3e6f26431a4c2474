//! A session of either protocol, as the admin API shows it.

use serde::Serialize;

#[derive(Serialize)]
pub(super) struct Session {
    pub(super) id: String,
    pub(super) protocol: &'static str,
    pub(super) caller: String,
    pub(super) callee: String,
    pub(super) producer: Option<String>,
}
