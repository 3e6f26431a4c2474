//! Whether a server accepts connections: by one of its own.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use crate::listen::reachable;
use crate::state::ServerState;

/// How long an own connection may wait to be accepted. A server that is busy accepts others meanwhile, which is as good.
const PATIENCE: Duration = Duration::from_secs(5);

/// Between two looks at what was accepted.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// Whether connections are accepted, or are not for a reason that a restart would not mend: all permits are taken, or
/// descriptors have run out.
pub(crate) async fn accepts(state: &ServerState, address: SocketAddr) -> bool {
    let count = || {
        let errors: u64 = state
            .metrics
            .accept_errors
            .iter()
            .map(|(_, count)| count)
            .sum();
        state.metrics.accepted.get() + errors
    };
    let before = count();
    let begin = Instant::now();
    let connecting = timeout(PATIENCE, TcpStream::connect(reachable(address)));
    let is_possible = match connecting.await {
        Ok(Ok(_)) => true,
        Ok(Err(error)) if is_out_of_descriptors(&error) => return true,
        // The backlog may be full of others.
        Ok(Err(_)) | Err(_) => false,
    };
    loop {
        if count() != before || state.permits.are_taken() {
            return true;
        }
        if !is_possible || begin.elapsed() >= PATIENCE {
            return false;
        }
        sleep(LOOK_INTERVAL).await;
    }
}

/// EMFILE and ENFILE have these numbers on every Unix.
fn is_out_of_descriptors(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(23 | 24))
}

#[cfg(all(test, feature = "text"))]
mod tests {
    use tokio::net::TcpListener;

    use super::*;
    use crate::config::Config;
    use crate::settings::Settings;

    fn state(max_connections: usize) -> ServerState {
        let mut config = Config::default();
        config.limits.max_connections = max_connections;
        let settings = Settings::of(&config).expect("good ones");
        ServerState::new(&config, settings, None)
    }

    #[tokio::test]
    async fn listener_that_accepts_found_alive() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let state = state(1);
        let accepting = async {
            let _ = listener.accept().await;
            state.metrics.accepted.add(1);
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = accepting => {}
            alive = accepts(&state, address) => assert!(alive),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn listener_that_nobody_accepts_from_found_dead() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        assert!(
            !accepts(&state(1), address).await,
            "the system alone takes it"
        );
        drop(listener);
        assert!(!accepts(&state(1), address).await, "nobody listens");
    }

    #[tokio::test]
    async fn server_that_is_full_is_not_dead() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let state = state(1);
        let _permit = state.permits.try_take().expect("one");
        assert!(accepts(&state, address).await);
    }
}
