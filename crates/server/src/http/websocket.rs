//! WebSockets of both protocols.

use std::sync::Arc;

use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse, Response};
use tokio::time::Instant;

use crate::connection::{self, ConnectionContext};
use crate::metrics::Protocol;
use crate::outbound::Outbound;
use crate::registry::{Registry, SignallingHub};
use crate::state::ServerState;
use crate::websocket_upgrade::WebSocketUpgrade;

/// Answers a WebSocket handshake, and serves the connection afterwards. No sub-protocol is ever chosen, as in the
/// reference.
pub(super) async fn upgrade<H: SignallingHub>(
    request: Request,
    state: &ServerState,
    protocol: Protocol,
    registry: Arc<Registry<H>>,
) -> Response {
    let upgrade = match WebSocketUpgrade::from_request(request, state).await {
        Ok(upgrade) => upgrade,
        Err(rejection) => return rejection.into_response(),
    };
    let (metrics, log) = (Arc::clone(&state.metrics), Arc::clone(&state.log));
    let held = Arc::clone(&state.held);
    let limits = Arc::clone(&state.settings.now().limits);
    upgrade.accept(move |stream, client| {
        let outbound = Outbound::new(&limits, Arc::clone(&metrics));
        let now = Instant::now();
        let budget = client.caller_budget(limits.peer_message_rate(), now);
        let payer = client.payer();
        let hold = || held.hold(payer, limits.max_held_bytes);
        let outbound = outbound
            .to(client.address, budget, client.work_budget(now))
            .counted(hold());
        let outbound = Arc::new(outbound);
        let unfinished = hold();
        let context = ConnectionContext {
            client,
            unfinished,
            limits,
            metrics,
            log,
            protocol,
        };
        connection::serve(stream, || registry.connect(outbound), context)
    })
}
