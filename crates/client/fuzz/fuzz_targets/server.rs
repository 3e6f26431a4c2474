//! Whatever a server says to a signaller: the connection goes on or ends with a reason, and events follow their contract.
//!
//! A line of the input is a text message; one that begins with `!` is bytes as they are, and one that begins with `?` the payload
//! of a pong. An empty line is the pong that a registration waits for.
#![no_main]

use std::collections::HashSet;
use std::sync::Mutex;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex, split};
use tokio::time::timeout;
use wigwag_client::in_memory::talk_over;
use wigwag_client::{MetaValue, NativeConfig, NativeLimits, Role, SessionId, SignallerEvent};

/// More than a connection may last whose server says nothing more.
const DEADLINE: Duration = Duration::from_secs(3600);
const MAX_SESSIONS: usize = 8;
const TEXT: u8 = 0x81;
const PONG: u8 = 0x8a;

#[derive(Default)]
struct Received {
    connected: bool,
    sessions: HashSet<SessionId>,
}

fuzz_target!(|bytes: &[u8]| {
    let mut said = Vec::new();
    for line in bytes.split(|byte| *byte == b'\n') {
        match line.split_first() {
            None => said.extend(frame(PONG, b"registered?")),
            Some((b'!', raw)) => said.extend(raw),
            Some((b'?', payload)) => said.extend(frame(PONG, &payload[..payload.len().min(125)])),
            Some(_) => said.extend(frame(TEXT, line)),
        }
    }
    let meta = MetaValue::map([("name", "fuzz")]);
    let mut config = NativeConfig::new("ws://fuzz", Role::Producer { meta });
    config.limits = NativeLimits {
        max_sessions: MAX_SESSIONS,
        max_message_bytes: 8_192,
        max_queued_messages: 64,
        ..NativeLimits::default()
    };
    let received = Mutex::new(Received::default());
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime")
        .block_on(async {
            let (server, client) = duplex(1_024);
            let (mut from, mut to) = split(server);
            let say = async {
                let _ = to.write_all(&said).await;
                let _ = to.shutdown().await;
            };
            let mut answers = Vec::new();
            let hear = from.read_to_end(&mut answers);
            let talk = talk_over(client, config, |event| {
                received.lock().expect("whole").hear(event);
                Ok(())
            });
            let all = async { tokio::join!(talk, say, hear) };
            let (ended, ..) = timeout(DEADLINE, all).await.expect("the connection ends");
            ended
                .expect("a good configuration")
                .expect("nobody stopped it");
        });
});

impl Received {
    fn hear(&mut self, event: SignallerEvent) {
        assert_eq!(
            self.connected,
            !matches!(event, SignallerEvent::Connected { .. }),
            "the first event, and that alone, is that it is connected"
        );
        self.connected = true;
        match event {
            SignallerEvent::SessionRequested { session, .. } => {
                assert!(
                    self.sessions.insert(session),
                    "a session that lives already"
                );
                assert!(self.sessions.len() <= MAX_SESSIONS, "too many sessions");
            }
            SignallerEvent::SessionEnded { session, .. } => {
                assert!(self.sessions.remove(&session), "the end of no session");
            }
            SignallerEvent::Description { session, .. }
            | SignallerEvent::Candidate { session, .. } => {
                assert!(self.sessions.contains(&session), "a message of no session");
            }
            _ => {}
        }
    }
}

/// A frame of a server (RFC 6455, section 5.2).
fn frame(head: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![head];
    match u16::try_from(payload.len()) {
        Ok(length) if length < 126 => frame.push(length as u8),
        Ok(length) => {
            frame.push(126);
            frame.extend(length.to_be_bytes());
        }
        Err(_) => {
            frame.push(127);
            frame.extend((payload.len() as u64).to_be_bytes());
        }
    }
    frame.extend(payload);
    frame
}
