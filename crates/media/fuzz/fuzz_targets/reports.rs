//! Whatever a viewer reports that has agreed on keys: the session goes on, or ends with a reason.
//!
//! The input is datagrams of reports, before they are encrypted: a byte with the length in words of four bytes, and that.
#![no_main]

mod sender;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;
use sender::{SENDER, VIDEO, config, look_at};
use wigwag_media::frame::Frame;
use wigwag_media::ids::RenditionId;
use wigwag_media::session::{Session, SessionEvent};
use wigwag_receiver::{Counting, Receiver, ReceiverSettings};

const VIEWER: &str = "192.0.2.2:6000";
const STEP: Duration = Duration::from_millis(20);
/// By then they are connected.
const SET_UP_STEPS: u32 = 200;
const MAX_REPORTS: usize = 64;

fuzz_target!(|bytes: &[u8]| {
    let mut call = Call::connected();
    let mut rest = bytes;
    for _ in 0..MAX_REPORTS {
        let Some((words, after)) = rest.split_first() else {
            break;
        };
        let (reports, after) = after.split_at((usize::from(*words) * 4).min(after.len()));
        rest = after;
        call.send_frame();
        if let Some(datagram) = call.receiver.forge_reports(reports) {
            call.session
                .handle_datagram(call.viewer, call.sender, &datagram, call.now);
        }
        call.step();
    }
});

/// A session and its viewer.
struct Call {
    session: Session,
    receiver: Receiver,
    sender: SocketAddr,
    viewer: SocketAddr,
    now: Instant,
    frames: u32,
}

impl Call {
    fn connected() -> Self {
        let now = Instant::now();
        let [sender, viewer] = [SENDER, VIEWER].map(|text| text.parse().expect("an address"));
        let settings = ReceiverSettings {
            counting: Counting::Headers,
            ..ReceiverSettings::default()
        };
        let mut receiver = Receiver::with(&settings, &[viewer], now).expect("a viewer");
        let (mut session, offer) = Session::offer(&config(), &[sender], now).expect("an offer");
        let answer = receiver.answer(&offer, now).expect("an answer");
        session.handle_answer(&answer, &[], now);
        let mut call = Self {
            session,
            receiver,
            sender,
            viewer,
            now,
            frames: 0,
        };
        let is_connected =
            (0..SET_UP_STEPS).any(|_| call.step().contains(&SessionEvent::Connected));
        assert!(is_connected, "not connected: {:?}", call.receiver.report());
        for _ in 0..5 {
            call.send_frame();
            call.step();
        }
        call
    }

    /// Lets a little time pass, in which what is to be sent arrives.
    fn step(&mut self) -> Vec<SessionEvent> {
        let mut to_viewer: Vec<_> = std::iter::from_fn(|| self.session.poll_transmit()).collect();
        // Checks first: a handshake that comes before the viewer knows its path is lost, and OpenSSL would send it again by
        // the system's clock.
        to_viewer.sort_by_key(|sent| sent.contents.first().is_some_and(|first| *first > 3));
        let to_session: Vec<_> = self.receiver.poll_transmit().collect();
        self.now += STEP;
        for sent in to_viewer {
            let (from, to) = (self.sender, self.viewer);
            self.receiver
                .handle_datagram(from, to, &sent.contents, self.now);
        }
        for sent in to_session {
            let (from, to) = (self.viewer, self.sender);
            self.session
                .handle_datagram(from, to, &sent.contents, self.now);
        }
        self.session.handle_timeout(self.now);
        self.receiver.handle_timeout(self.now);
        look_at(&mut self.session)
    }

    fn send_frame(&mut self) {
        let frame = Frame {
            rendition: RenditionId {
                stream: VIDEO,
                codec: 0,
                level: 0,
            },
            rtp_time: self.frames * 3_000,
            wall_clock: self.now,
            key: self.frames == 0,
            temporal_layer: 0,
            packets: vec![vec![2; 500].into(); 3],
        };
        self.frames += 1;
        self.session.send_frame(&Arc::new(frame), self.now);
    }
}
