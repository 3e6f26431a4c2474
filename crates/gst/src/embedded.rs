//! A server that runs inside an element, on the threads that all of them share.

use std::fmt::Display;
use std::future::Future;
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::Duration;

use tokio_util::sync::{CancellationToken, DropGuard, WaitForCancellationFutureOwned};
use wigwag_server::TlsFiles;

/// How long a server may take to start: names are resolved and files are read meanwhile, and the element waits.
const START_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a server that is dropped is waited for, so that the next can have its port.
const STOP_TIMEOUT: Duration = Duration::from_millis(500);

/// A server that runs until this is dropped.
#[derive(Debug)]
pub(crate) struct Embedded {
    running: Option<DropGuard>,
    stopped: mpsc::Receiver<()>,
}

impl Embedded {
    /// Binds a server, which says something of itself, and then runs it until it is told to stop. The
    /// text of an error says what to do.
    pub(crate) fn start<S, T, E, R>(
        bind: impl Future<Output = Result<S, E>> + Send + 'static,
        describe: impl FnOnce(&S) -> T + Send + 'static,
        run: impl FnOnce(S, WaitForCancellationFutureOwned) -> R + Send + 'static,
    ) -> Result<(T, Self), String>
    where
        S: Send,
        T: Send + 'static,
        E: Display + Send,
        R: Future<Output = ()> + Send,
    {
        let runtime = crate::runtime::handle().ok_or("no threads are left for a server")?;
        let stop = CancellationToken::new();
        let told_to_stop = stop.clone().cancelled_owned();
        let (done, stopped) = mpsc::sync_channel(1);
        // Elements are started from threads of any kind, also from those of a runtime, which must not wait
        // for a task by its own means.
        let (started, start) = mpsc::sync_channel(1);
        runtime.spawn(async move {
            let server = match bind.await {
                Ok(server) => server,
                Err(error) => {
                    let _ = started.send(Err(error.to_string()));
                    return;
                }
            };
            if started.send(Ok(describe(&server))).is_err() {
                // It was too late.
                return;
            }
            run(server, told_to_stop).await;
            let _ = done.send(());
        });
        let described = start
            .recv_timeout(START_TIMEOUT)
            .map_err(|_| format!("the server did not start within {START_TIMEOUT:?}"))??;
        let running = Some(stop.drop_guard());
        Ok((described, Self { running, stopped }))
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        drop(self.running.take());
        // Clients that do not let go are left to themselves.
        let _ = self.stopped.recv_timeout(STOP_TIMEOUT);
    }
}

/// The files of two properties of which neither makes sense alone; `which` is what their names begin with.
pub(crate) fn tls_files(
    certificate: Option<&str>,
    key: Option<&str>,
    which: &str,
) -> Result<Option<TlsFiles>, String> {
    match (certificate, key) {
        (Some(certificate), Some(key)) => Ok(Some(TlsFiles {
            certificate: PathBuf::from(certificate),
            key: PathBuf::from(key),
        })),
        (None, None) => Ok(None),
        _ => Err(format!("{which}-cert and {which}-key need each other")),
    }
}
