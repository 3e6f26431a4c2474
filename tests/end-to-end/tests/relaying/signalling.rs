//! A client of the JSON protocol that waits for nothing.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tungstenite::{Error, Message};
use wigwag_end_to_end::Client;

/// How long a look at the socket takes, if nothing came: the least that there is.
const POLL: Duration = Duration::from_millis(1);

pub(crate) struct Signalling {
    client: Client,
    /// The one session that it started.
    session: String,
}

/// The text of a description of this type, if a message has one.
pub(crate) fn description(message: &Value, kind: &str) -> Option<String> {
    let description = &message["sdp"];
    let sdp = (description["type"] == kind).then(|| description["sdp"].as_str());
    sdp.flatten().map(str::to_owned)
}

/// The text of a candidate, if a message has one.
pub(crate) fn candidate(message: &Value) -> Option<String> {
    message["ice"]["candidate"].as_str().map(str::to_owned)
}

impl Signalling {
    pub(crate) fn connect(server: SocketAddr) -> Result<Self> {
        Ok(Self {
            client: Client::connect(server)?,
            session: String::new(),
        })
    }

    /// Connects and offers itself as a producer of this name, which is listed when this returns.
    pub(crate) fn produce(server: SocketAddr, name: &str) -> Result<Self> {
        let mut signalling = Self::connect(server)?;
        let status = json!({
            "type": "setPeerStatus",
            "roles": ["producer"],
            "meta": {"name": name},
        });
        signalling.send(&status)?;
        signalling.client.sync()?;
        signalling.never_wait()?;
        Ok(signalling)
    }

    /// Starts a session with a producer.
    pub(crate) fn start_session(&mut self, producer: &str) -> Result<()> {
        self.send(&json!({"type": "startSession", "peerId": producer}))?;
        let started = self.client.receive_type("sessionStarted")?;
        let session = started["sessionId"].as_str().context("a session")?;
        self.session = session.to_owned();
        self.never_wait()
    }

    pub(crate) fn id(&self) -> &str {
        &self.client.id
    }

    /// The next message, if there is one.
    pub(crate) fn poll(&mut self) -> Result<Option<Value>> {
        loop {
            match self.client.socket.read() {
                Ok(Message::Text(text)) => return Ok(Some(serde_json::from_str(&text)?)),
                Ok(_) => {}
                Err(Error::Io(error))
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
                {
                    return Ok(None);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    pub(crate) fn describe_own(&mut self, kind: &str, sdp: &str) -> Result<()> {
        let session = self.session.clone();
        self.describe(&session, kind, sdp)
    }

    pub(crate) fn describe(&mut self, session: &str, kind: &str, sdp: &str) -> Result<()> {
        self.send(&json!({
            "type": "peer",
            "sessionId": session,
            "sdp": {"type": kind, "sdp": sdp},
        }))
    }

    pub(crate) fn add_candidate(
        &mut self,
        session: &str,
        candidate: &str,
        m_line: u32,
    ) -> Result<()> {
        self.send(&json!({
            "type": "peer",
            "sessionId": session,
            "ice": {"candidate": candidate, "sdpMLineIndex": m_line},
        }))
    }

    fn send(&mut self, message: &Value) -> Result<()> {
        self.client.send(message.to_string())
    }

    fn never_wait(&mut self) -> Result<()> {
        Ok(self.client.socket.get_ref().set_read_timeout(Some(POLL))?)
    }
}
