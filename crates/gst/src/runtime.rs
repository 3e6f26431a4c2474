//! The threads that signalling and embedded servers of all elements share, started with the first.

use std::sync::OnceLock;

use tokio::runtime::{Builder, Handle, Runtime};

/// One connection a sender and a small server are little work.
const THREADS: usize = 2;

/// The runtime. None if the system refuses threads.
pub(crate) fn handle() -> Option<Handle> {
    static RUNTIME: OnceLock<Option<Runtime>> = OnceLock::new();
    let start = || {
        Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("wigwag-io")
            .enable_all()
            .build()
            .ok()
    };
    RUNTIME
        .get_or_init(start)
        .as_ref()
        .map(|runtime| runtime.handle().clone())
}
