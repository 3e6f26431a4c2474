//! What systemd hands over and is told (sd_listen_fds(3), sd_notify(3)). Without it, all this does nothing.

use std::env;
use std::future::pending;

use listenfd::ListenFd;
use sd_notify::NotifyState;
use wigwag_server::{Handle, Sockets};

/// What names the sockets: `FileDescriptorName=` of their units.
const NAMES_VARIABLE: &str = "LISTEN_FDNAMES";

/// Takes the sockets that were handed over. To be called before there are other threads, because the variables that
/// tell of them are taken away, so that no child takes them for its own.
///
/// # Errors
///
/// A socket is not one of TCP, or it cannot be told what it is for.
pub(super) fn sockets() -> Result<Sockets, String> {
    let names = env::var(NAMES_VARIABLE).unwrap_or_default();
    let mut handed = ListenFd::from_env();
    let mut sockets = Sockets::default();
    let names = names.split(':').chain(std::iter::repeat(""));
    let count = handed.len();
    for (place, name) in (0..count).zip(names) {
        let slot = match name {
            "text" => &mut sockets.text,
            "signalling" => &mut sockets.signalling,
            "admin" => &mut sockets.admin,
            // Named after its unit, if at all.
            _ if count == 1 => &mut sockets.signalling,
            _ => {
                return Err(format!(
                    "{count} sockets were handed over, and one is called \"{name}\": FileDescriptorName= is to say \
                     \"signalling\", \"text\" or \"admin\""
                ));
            }
        };
        if slot.is_some() {
            return Err(format!("two sockets were handed over for \"{name}\""));
        }
        *slot = handed
            .take_tcp_listener(place)
            .map_err(|error| format!("cannot use socket {place} that was handed over: {error}"))?;
    }
    Ok(sockets)
}

/// It serves; the status is for people.
pub(super) fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// It reads its settings anew, and will say [`ready`] again.
pub(super) fn reloading() {
    let mut states = vec![NotifyState::Reloading];
    states.extend(NotifyState::monotonic_usec_now());
    tell(&states);
}

/// It is about to end.
pub(super) fn stopping() {
    tell(&[NotifyState::Stopping, NotifyState::Status("stopping")]);
}

/// Says from time to time, if asked to, that the server accepts connections. Never ready.
pub(super) async fn watchdog(server: Handle) {
    let Some(patience) = sd_notify::watchdog_enabled() else {
        return pending().await;
    };
    // As sd_watchdog_enabled(3) recommends.
    let mut interval = tokio::time::interval(patience / 2);
    loop {
        interval.tick().await;
        if server.accepts().await {
            tell(&[NotifyState::Watchdog]);
        } else {
            tracing::error!(
                "no connection is accepted; the service manager may restart the server"
            );
        }
    }
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "cannot tell the service manager");
    }
}
