//! The admin API at a Unix socket: who may use its file needs no token.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Extension;
use tokio::net::{UnixListener, UnixStream};
use tokio::time::sleep;

use super::access::Access;
use super::config::AdminSocket;
use super::listener::{HANDSHAKE_TIMEOUT, MAX_CONNECTIONS, STALL_TIMEOUT};
use super::operator::Operator;
use super::routes::router;
use super::socket_file::{self, SocketFile};
use crate::accept::{AcceptContext, RequestContext, serve_stream};
use crate::error::StartError;
use crate::metrics::Metrics;
use crate::permits::ConnectionPermits;
use crate::state::ServerState;

/// The wait after an accept that failed.
const PAUSE: Duration = Duration::from_millis(100);

/// The socket, listened on.
pub(crate) struct AdminSocketListener {
    listener: UnixListener,
    file: SocketFile,
    router: Router,
    context: AcceptContext,
    permits: Arc<ConnectionPermits>,
}

impl AdminSocketListener {
    /// Finds out whether it could be opened, without listening.
    pub(crate) fn check(config: &AdminSocket) -> Result<(), StartError> {
        socket_file::check(config)
    }

    /// Listens. `context` is that of the server.
    pub(crate) fn open(
        config: &AdminSocket,
        context: &AcceptContext,
        state: &ServerState,
    ) -> Result<Self, StartError> {
        let (listener, file) = socket_file::bind(config)?;
        let context = AcceptContext {
            tls: None,
            admission: None,
            // A client that looks at the metrics is not in them.
            metrics: Arc::new(Metrics::new()),
            answers_above_limit: false,
            handshake_timeout: HANDSHAKE_TIMEOUT,
            stall_timeout: STALL_TIMEOUT,
            ..context.clone()
        };
        Ok(Self {
            listener,
            file,
            router: router(state.clone(), Access::Socket),
            context,
            permits: Arc::new(ConnectionPermits::new(MAX_CONNECTIONS)),
        })
    }

    pub(crate) fn path(&self) -> &Path {
        self.file.path()
    }

    /// Serves until it is dropped.
    pub(crate) async fn serve(&self) {
        tracing::info!(path = %self.path().display(), "serving the admin API at a socket");
        loop {
            let permit = self.permits.take().await;
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let request_context = RequestContext {
                        permit,
                        connection: None,
                        is_above_limit: false,
                    };
                    tokio::spawn(serve(
                        stream,
                        request_context,
                        self.router.clone(),
                        self.context.clone(),
                    ));
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept connections to the admin socket; waiting");
                    sleep(PAUSE).await;
                }
            }
        }
    }
}

async fn serve(
    stream: UnixStream,
    request_context: RequestContext,
    router: Router,
    context: AcceptContext,
) {
    let credentials = stream.peer_cred();
    let user = credentials.ok().map(|credentials| credentials.uid());
    let router = router.layer(Extension(Operator::Socket { user }));
    let abandoned = context.abandoned.clone();
    tokio::select! {
        () = serve_stream(stream, None, request_context, router, context) => {}
        () = abandoned.cancelled() => {}
    }
}
