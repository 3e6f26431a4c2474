//! A viewer: signalling on a thread of its own, and a receiver that counts.

use std::io::ErrorKind;
use std::net::{IpAddr, TcpStream};
use std::sync::mpsc::{Receiver as Commands, Sender as ToThread, TryRecvError, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tungstenite::{Error, Message, WebSocket};
use wigwag_protocol::json::{
    ClientMessage, PeerId, PeerMessage, PeerMessageBody, ProtocolVersion, ServerMessage,
    SessionDescription, SessionId,
};
use wigwag_receiver::{ReceiverId, ReceiverReport, Receivers, StreamKind, StreamReport};

use super::{PATIENCE, sdp, wait};

/// How long a viewer listens before it looks for something to say.
const TURN: Duration = Duration::from_millis(10);

/// A viewer asks this often who is there.
const ASK_INTERVAL: Duration = Duration::from_millis(50);

/// See [`Viewer::is_idle`].
const IDLE: Duration = Duration::from_secs(5);

/// How a viewer behaves. By default it waits for an offer and takes all of it.
#[derive(Clone, Debug, Default)]
pub struct Call {
    pub calling: Calling,
    pub answering: Answering,
    /// The one video codec that it knows, as SDP names it; none for all.
    pub only: Option<&'static str>,
}

/// Who begins.
#[derive(Clone, Debug, Default)]
pub enum Calling {
    /// The sink offers.
    #[default]
    Asks,
    /// The viewer offers to receive these.
    Offers(Vec<StreamKind>),
    /// The viewer sends this as an offer.
    OffersText(String),
}

/// What it makes of an offer.
#[derive(Clone, Copy, Debug, Default)]
pub enum Answering {
    #[default]
    Properly,
    /// It says nothing.
    Never,
    /// It says this instead of its answer.
    As(fn(&str) -> String),
}

/// A viewer that called the only producer at a server. It vanishes with this.
pub struct Viewer {
    state: Arc<Mutex<State>>,
    receivers: Arc<Receivers>,
    commands: Option<ToThread<Command>>,
    thread: Option<JoinHandle<()>>,
    called: Instant,
}

enum Command {
    Say(ClientMessage),
    Write(String),
}

#[derive(Default)]
struct State {
    peer: Option<PeerId>,
    session: Option<SessionId>,
    receiver: Option<ReceiverId>,
    /// The description that the sink sent.
    description: Option<String>,
    /// Why the session ended; empty if nobody said.
    ended: Option<String>,
}

impl Viewer {
    pub fn call(url: &str, call: Call) -> Self {
        let address = url
            .strip_prefix("ws://")
            .expect("plain")
            .trim_end_matches('/');
        let stream = TcpStream::connect(address).expect("a server");
        stream.set_nodelay(true).expect("a socket");
        let (socket, _) = tungstenite::client(url, stream).expect("a handshake");
        socket
            .get_ref()
            .set_read_timeout(Some(TURN))
            .expect("a socket");
        let state = Arc::new(Mutex::new(State::default()));
        let receivers = Arc::new(Receivers::start().expect("a thread"));
        let (commands, to_do) = channel();
        let talk = Talk {
            socket,
            call,
            state: Arc::clone(&state),
            receivers: Arc::clone(&receivers),
            ask_at: None,
        };
        let thread = thread::spawn(move || talk.run(&to_do));
        Self {
            state,
            receivers,
            commands: Some(commands),
            called: Instant::now(),
            thread: Some(thread),
        }
    }

    /// Its id at the server.
    pub fn peer(&self) -> String {
        let id = || self.state().peer.as_ref().map(ToString::to_string);
        wait("the server's welcome", || id().is_some());
        id().unwrap_or_default()
    }

    /// The id of its session.
    pub fn session(&self) -> String {
        let id = || self.state().session.as_ref().map(ToString::to_string);
        wait("a session", || id().is_some());
        id().unwrap_or_default()
    }

    /// The offer or answer of the sink.
    pub fn description(&self) -> String {
        let sdp = || self.state().description.clone();
        wait("a description", || sdp().is_some() || self.has_ended());
        sdp().expect("the session has not ended")
    }

    pub fn report(&self) -> ReceiverReport {
        let receiver = self.state().receiver;
        let report = receiver.and_then(|id| self.receivers.report(id).ok());
        report.unwrap_or_default()
    }

    pub fn streams(&self, kind: StreamKind) -> Vec<StreamReport> {
        let streams = self.report().streams.into_iter();
        streams.filter(|stream| stream.kind == kind).collect()
    }

    /// Whole pictures that came, of its first stream of them.
    pub fn frames(&self) -> u64 {
        let video = self.streams(StreamKind::Video);
        video.first().map_or(0, |stream| stream.frames)
    }

    pub fn key_frames(&self) -> u64 {
        let video = self.streams(StreamKind::Video);
        video.first().map_or(0, |stream| stream.key_frames)
    }

    /// Waits until so many more pictures came.
    pub fn wait_frames(&self, more: u64) {
        let wanted = self.frames() + more;
        let begin = Instant::now();
        while self.frames() < wanted {
            assert!(
                begin.elapsed() < PATIENCE && !self.has_ended(),
                "not {wanted} pictures: {:?}, ended: {:?}",
                self.report(),
                self.state().ended
            );
            thread::sleep(super::POLL);
        }
    }

    /// Whether nothing was to be seen for so long that a page would be loaded again.
    pub fn is_idle(&self) -> bool {
        self.called.elapsed() > IDLE && self.frames() == 0
    }

    pub fn has_ended(&self) -> bool {
        self.state().ended.is_some()
    }

    /// Waits for the end, and returns the reason that was given for it.
    pub fn wait_end(&self) -> String {
        wait("the end of the session", || self.has_ended());
        self.state().ended.clone().unwrap_or_default()
    }

    pub fn ask_for_key_frame(&self) {
        if let Some(id) = self.state().receiver {
            self.receivers.ask_for_key_frames(id).expect("it is there");
        }
    }

    /// Sends something of its session to the sink.
    pub fn tell(&self, body: PeerMessageBody) {
        let session_id = SessionId::from(self.session());
        let message = PeerMessage { session_id, body };
        self.command(Command::Say(ClientMessage::Peer(message)));
    }

    pub fn tell_candidate(&self, candidate: &str) {
        self.tell(PeerMessageBody::Ice {
            candidate: candidate.to_owned(),
            sdp_m_line_index: 0,
        });
    }

    /// Sends the server a text, whatever it is.
    pub fn write(&self, text: &str) {
        self.command(Command::Write(text.to_owned()));
    }

    /// Ends the session, as a page that is left does.
    pub fn leave(&self) {
        let session_id = SessionId::from(self.session());
        self.command(Command::Say(ClientMessage::EndSession { session_id }));
        if let Some(id) = self.state().receiver {
            let _ = self.receivers.close(id);
        }
    }

    fn command(&self, command: Command) {
        let commands = self.commands.as_ref().expect("there until it is dropped");
        // A viewer that is gone has nothing more to say.
        let _ = commands.send(command);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        drop(self.commands.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
            && !thread::panicking()
        {
            panic!("the viewer panicked");
        }
    }
}

struct Talk {
    socket: WebSocket<TcpStream>,
    call: Call,
    state: Arc<Mutex<State>>,
    receivers: Arc<Receivers>,
    ask_at: Option<Instant>,
}

impl Talk {
    fn run(mut self, commands: &Commands<Command>) {
        loop {
            match self.socket.read() {
                Ok(Message::Text(text)) => {
                    let message = ServerMessage::from_json(&text).expect("a message of the server");
                    self.on_message(message);
                }
                Ok(_) => {}
                Err(Error::Io(error))
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                // The server is gone.
                Err(_) => return,
            }
            loop {
                match commands.try_recv() {
                    Ok(Command::Say(message)) => self.say(&message),
                    Ok(Command::Write(text)) => self.write(text),
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => return,
                }
            }
            if self.ask_at.is_some_and(|at| at <= Instant::now()) {
                self.ask_at = None;
                self.say(&ClientMessage::List);
            }
        }
    }

    fn on_message(&mut self, message: ServerMessage) {
        match message {
            ServerMessage::Welcome { peer_id } => {
                self.state().peer = Some(peer_id);
                let version = ProtocolVersion::V1_1;
                self.say(&ClientMessage::SetProtocolVersion { version });
                self.say(&ClientMessage::List);
            }
            ServerMessage::List { producers } => match producers.first() {
                Some(producer) => self.start(producer.id.clone()),
                None => self.ask_at = Some(Instant::now() + ASK_INTERVAL),
            },
            ServerMessage::SessionStarted { session_id, .. } => {
                self.state().session = Some(session_id);
            }
            ServerMessage::EndSession { .. } => {
                self.state().ended.get_or_insert_default();
            }
            ServerMessage::EndSessionV1_1 { error, .. } => {
                let reason = error.unwrap_or_default();
                self.state().ended.get_or_insert(reason);
            }
            ServerMessage::Peer(message) => self.on_peer(message),
            // The producer left meanwhile; perhaps it comes again.
            ServerMessage::Error { .. } if self.state().session.is_none() => {
                self.ask_at = Some(Instant::now() + ASK_INTERVAL);
            }
            ServerMessage::Error { details } => panic!("the server refused: {details}"),
            _ => {}
        }
    }

    fn start(&mut self, peer_id: PeerId) {
        let offer = match &self.call.calling {
            Calling::Asks => None,
            Calling::Offers(kinds) => {
                let (id, offer) = self.receivers.offer(&localhost(), kinds).expect("an offer");
                self.state().receiver = Some(id);
                Some(self.restricted(offer))
            }
            Calling::OffersText(text) => Some(text.clone()),
        };
        self.say(&ClientMessage::StartSession { peer_id, offer });
    }

    fn on_peer(&mut self, message: PeerMessage) {
        let PeerMessage { session_id, body } = message;
        let receiver = self.state().receiver;
        match body {
            // It counts what it agreed on first, and goes on with that.
            PeerMessageBody::Sdp(SessionDescription::Offer { .. }) if receiver.is_some() => {}
            PeerMessageBody::Sdp(SessionDescription::Offer { sdp }) => {
                self.state().description = Some(sdp.clone());
                self.answer(session_id, sdp);
            }
            PeerMessageBody::Sdp(SessionDescription::Answer { sdp }) => {
                self.state().description = Some(sdp.clone());
                if let Some(id) = receiver {
                    let taken = self.receivers.accept_answer(id, &sdp);
                    taken.expect("an answer that can be used");
                }
            }
            PeerMessageBody::Ice { candidate, .. } => {
                if let Some(id) = receiver {
                    let _ = self.receivers.add_candidate(id, &candidate);
                }
            }
        }
    }

    fn answer(&mut self, session_id: SessionId, offer: String) {
        if matches!(self.call.answering, Answering::Never) {
            return;
        }
        let offer = self.restricted(offer);
        let (id, answer) = self
            .receivers
            .answer(&localhost(), &offer)
            .expect("an offer that can be used");
        self.state().receiver = Some(id);
        let sdp = match self.call.answering {
            Answering::As(make) => make(&answer),
            _ => answer,
        };
        let body = PeerMessageBody::Sdp(SessionDescription::Answer { sdp });
        self.say(&ClientMessage::Peer(PeerMessage { session_id, body }));
    }

    /// Without the codecs that the viewer does not know.
    fn restricted(&self, description: String) -> String {
        match self.call.only {
            Some(codec) => sdp::only(&description, codec),
            None => description,
        }
    }

    fn say(&mut self, message: &ClientMessage) {
        self.write(message.to_json());
    }

    fn write(&mut self, text: String) {
        // A server that is gone is noticed when reading.
        let _ = self.socket.send(Message::text(text));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

fn localhost() -> [IpAddr; 1] {
    [IpAddr::from([127, 0, 0, 1])]
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
