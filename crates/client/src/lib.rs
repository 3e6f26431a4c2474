//! How a program that sends or receives media finds its peers: the [`Signaller`] trait, and its
//! adapter for the protocol of `webrtcsink`, `webrtcsrc` and `gstwebrtc-api`, [`NativeSignaller`].
//!
//! A signaller carries session descriptions and candidates between two peers until they can talk to
//! each other directly. What is behind it (our server, the reference's, later WHIP, LiveKit, Janus …)
//! is the adapter's business: nothing in [`Signaller`] and [`SignallerEvent`] belongs to one protocol.
//!
//! # Contract
//!
//! * An adapter is started with a configuration, the handle of a tokio runtime, and a closure for its
//!   [events](SignallerEvent). What can be wrong with a configuration by itself is an error at once.
//! * The methods of [`Signaller`] may be called from any thread, also from the closure, and never wait.
//!   A call about a session that is not alive has no effect.
//! * The closure is called by one task, one event after the other, in the order in which things
//!   happened. It must neither block nor panic: hand the event on. It returns an event for which it has no room now; that is
//!   offered again a little later, and nothing more is read from the server until it is taken.
//! * The first event is [`Connected`](SignallerEvent::Connected) or
//!   [`Failed`](SignallerEvent::Failed). The last is `Failed` or
//!   [`Stopped`](SignallerEvent::Stopped), and nothing follows it.
//! * A first connection that cannot be made is `Failed`: somebody is there to read why. Once a
//!   signaller was connected it never gives up. It says
//!   [`Disconnected`](SignallerEvent::Disconnected) and tries again, for as long as it takes.
//! * `Disconnected` ends no session: media does not flow through the signaller. But the server forgot
//!   them, so whatever is sent for a session of an earlier connection is dropped, and nothing more is
//!   heard of it.
//! * [`stop`](Signaller::stop), or dropping the adapter, sends what was handed over before, says
//!   goodbye, and is done within a second, which `Stopped` tells. Between the two comes no other event
//!   but one that was being delivered already. A runtime that is shut down ends an adapter without a
//!   word.
//!
//! # Example
//!
//! ```no_run
//! use wigwag_client::{MetaValue, NativeConfig, NativeSignaller, Role, Signaller, SignallerEvent};
//!
//! # fn run(runtime: &tokio::runtime::Handle) -> Result<(), wigwag_client::SignallerError> {
//! let meta = MetaValue::map([("name", "front door")]);
//! let config = NativeConfig::new("ws://127.0.0.1:8443", Role::Producer { meta });
//! let (events, received) = std::sync::mpsc::channel();
//! let signaller = NativeSignaller::start(config, runtime, move |event| {
//!     let _ = events.send(event);
//!     Ok(())
//! })?;
//! for event in received {
//!     match event {
//!         SignallerEvent::SessionRequested { session, .. } => {
//!             signaller.end_session(&session, Some("no camera is plugged in".to_owned()));
//!         }
//!         other => println!("{other:?}"),
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # The native protocol
//!
//! * Version 1.1 is asked for, which has reasons for the end of a session; but published servers drop what
//!   belongs to it, and cannot be asked which they speak. So a session is ended in both ways, one after the
//!   other, and the reason reaches the peer where the server and the peer can pass it on.
//! * `wss` is verified: against exactly the authorities in `cafile`, else against the system's. Whoever
//!   wants it otherwise has to say `insecure_tls`.
//! * All that waits or grows is bounded by [`NativeLimits`].

mod error;
mod meta;
mod native;
mod signaller;
mod trust;

pub use error::SignallerError;
pub use meta::MetaValue;
#[cfg(fuzzing)]
pub use native::in_memory;
pub use native::{
    NativeConfig, NativeLimits, NativeSignaller, Role, basic_authorization, without_credentials,
};
pub use signaller::{Candidate, Description, PeerId, Sdp, SessionId, Signaller, SignallerEvent};
pub use trust::Trust;
