//! Counts packets by their headers, which are in clear (RFC 3711, 3.1), and reports on them as a viewer does
//! that decrypts them: receiver reports (RFC 3550, 6.4.2), transport-wide feedback, and requests for key
//! frames (RFC 4585, 6.3.1). Nothing is asked to be sent again, so that what is lost is lost; and what is
//! counted is not authenticated.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use str0m::config::CryptoProvider;
use str0m::media::SenderFeedback;

use super::agreed::Agreed;
use super::arrivals::{Arrivals, extend};
use super::counter::{Packet, StreamCounter, StreamReport};
use super::keys::Keys;
use super::packet_header::Header;
use super::srtcp::Srtcp;
use super::{ASK_INTERVAL, ReceiverError, StreamKind};

/// As browsers do for video.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);
const FEEDBACK_INTERVAL: Duration = Duration::from_millis(100);

/// Streams at most of one viewer; packets of others are not counted.
const MAX_STREAMS: usize = 16;

/// Where counting begins, so that a packet from before the first one has a number.
const FIRST_ROUND: u64 = 1 << 16;

/// RTCP: how long a header with a source is, and the types that are used here.
const CLEAR: usize = 8;
const RECEIVER_REPORT: u8 = 201;
const SOURCE_DESCRIPTION: u8 = 202;
const TRANSPORT_FEEDBACK: u8 = 205;
const PAYLOAD_FEEDBACK: u8 = 206;

/// The streams of one viewer, by their headers.
pub(super) struct HeaderCounter {
    started: Instant,
    agreed: Agreed,
    streams: Vec<Stream>,
    arrivals: Option<Arrivals>,
    reports: Option<Srtcp>,
    /// The source of our reports: another than the library's, which counts its own.
    source: u32,
    /// Where media comes to, and where it comes from.
    path: Option<(SocketAddr, SocketAddr)>,
    report_at: Option<Instant>,
    feedback_at: Option<Instant>,
    asked: Option<Instant>,
}

struct Stream {
    source: u32,
    /// Which of those that were agreed on.
    section: usize,
    clock: u32,
    counter: StreamCounter,
    first: u64,
    last: u64,
    received: u64,
    /// What the report before said of `expected` and `received`.
    reported: (u64, u64),
    /// In units of the clock (RFC 3550, A.8).
    jitter: f64,
    transit: Option<u32>,
    /// The middle bits of the sender's clock in its last report, and when that came.
    sender_report: Option<(u32, Instant)>,
}

/// A source for reports (RFC 3550, 8.1).
pub(super) fn new_source() -> Result<u32, ReceiverError> {
    let mut source = [0; 4];
    openssl::rand::rand_bytes(&mut source)
        .map_err(|error| ReceiverError::Connection(error.to_string()))?;
    Ok(u32::from_be_bytes(source))
}

impl HeaderCounter {
    pub(super) fn new(source: u32, started: Instant) -> Self {
        Self {
            started,
            agreed: Agreed::default(),
            streams: Vec::new(),
            arrivals: None,
            reports: None,
            source,
            path: None,
            report_at: None,
            feedback_at: None,
            asked: None,
        }
    }

    /// The descriptions are known.
    pub(super) fn agree(&mut self, sender: &str, answer: &str) {
        self.agreed = Agreed::read(sender, answer);
        if self.agreed.transport_cc.is_some() {
            self.arrivals = Some(Arrivals::new(self.started));
        }
    }

    /// The keys are known.
    pub(super) fn set_keys(&mut self, provider: &CryptoProvider, keys: &Keys) {
        self.reports = Srtcp::new(provider, keys);
    }

    pub(super) fn streams(&self) -> impl Iterator<Item = StreamReport> {
        self.streams.iter().map(|stream| stream.counter.report())
    }

    /// Counts a packet that came from `source` to `destination`.
    pub(super) fn on_media(
        &mut self,
        source: SocketAddr,
        destination: SocketAddr,
        datagram: &[u8],
        now: Instant,
    ) {
        let Some(header) = Header::read(datagram, self.agreed.transport_cc) else {
            return;
        };
        if let (Some(arrivals), Some(number)) = (&mut self.arrivals, header.transport_number) {
            arrivals.push(number, now);
            self.feedback_at.get_or_insert(now + FEEDBACK_INTERVAL);
        }
        let added = self.reports.as_ref().map_or(0, Srtcp::added_to_media);
        let bytes = datagram.len().saturating_sub(header.length + added);
        let Some(stream) = self.stream(&header) else {
            return;
        };
        stream.on_packet(&header, bytes, now);
        self.path = Some((destination, source));
        self.report_at.get_or_insert(now + REPORT_INTERVAL);
    }

    /// The sender reported on a stream in this section.
    pub(super) fn on_sender_report(&mut self, feedback: &SenderFeedback) {
        let info = &feedback.sender_info;
        let since = info.ntp_time.duration_since(std::time::UNIX_EPOCH);
        let Ok(since) = since else {
            return;
        };
        // Seconds and a fraction of which the middle is reported; the era makes no difference to it (RFC 3550, 4).
        const SINCE_1900: u64 = 2_208_988_800;
        let seconds = (since.as_secs() + SINCE_1900) as u32;
        let fraction = (u64::from(since.subsec_nanos()) << 16) / 1_000_000_000;
        let middle = seconds << 16 | fraction as u32;
        let mut streams = self.streams.iter_mut();
        if let Some(stream) = streams.find(|stream| stream.source == *info.ssrc) {
            stream.sender_report = Some((middle, feedback.received_at));
        }
    }

    /// When [`wake`](Self::wake) is due.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let streams = self.streams.iter();
        let streams = streams.filter_map(|stream| stream.counter.deadline());
        let due = [self.report_at, self.feedback_at].into_iter().flatten();
        streams.chain(due).min()
    }

    /// Does what is due, and shows each report that is to be sent, with where from and where to.
    pub(super) fn wake(
        &mut self,
        now: Instant,
        mut send: impl FnMut(SocketAddr, SocketAddr, Vec<u8>),
    ) {
        let mut lost = false;
        for stream in &mut self.streams {
            lost |= stream.counter.give_up(now);
        }
        let waited = |asked| now.saturating_duration_since(asked) >= ASK_INTERVAL;
        let mut compound = Vec::new();
        if self.report_at.is_some_and(|at| at <= now) {
            self.report_at = Some(now + REPORT_INTERVAL);
            self.describe(now, &mut compound);
        }
        if self.feedback_at.is_some_and(|at| at <= now) {
            // Again when something comes.
            self.feedback_at = None;
            if let Some(report) = self.arrivals.as_mut().and_then(Arrivals::report) {
                self.lead(&mut compound);
                let about = self.streams.first().map_or(0, |stream| stream.source);
                let body = [&about.to_be_bytes(), report.as_slice()].concat();
                self.append(&mut compound, 15, TRANSPORT_FEEDBACK, &body);
            }
        }
        if lost && self.asked.is_none_or(waited) {
            self.ask(now, &mut compound);
        }
        self.send(&compound, &mut send);
    }

    /// Asks for a key frame of every stream of video.
    pub(super) fn ask_for_key_frames(
        &mut self,
        now: Instant,
        mut send: impl FnMut(SocketAddr, SocketAddr, Vec<u8>),
    ) {
        let mut compound = Vec::new();
        self.ask(now, &mut compound);
        self.send(&compound, &mut send);
    }

    fn ask(&mut self, now: Instant, compound: &mut Vec<u8>) {
        self.asked = Some(now);
        self.lead(compound);
        for stream in &self.streams {
            if stream.counter.kind() == StreamKind::Video {
                self.append(compound, 1, PAYLOAD_FEEDBACK, &stream.source.to_be_bytes());
            }
        }
    }

    fn send(&mut self, compound: &[u8], send: &mut impl FnMut(SocketAddr, SocketAddr, Vec<u8>)) {
        if compound.len() > CLEAR
            && let Some((from, to)) = self.path
            && let Some(reports) = &mut self.reports
            && let Some(encrypted) = reports.protect(compound)
        {
            send(from, to, encrypted);
        }
    }

    /// What must stand at the beginning of reports (RFC 3550, 6.1).
    fn lead(&self, compound: &mut Vec<u8>) {
        if compound.is_empty() {
            self.append(compound, 0, RECEIVER_REPORT, &[]);
        }
    }

    fn describe(&mut self, now: Instant, compound: &mut Vec<u8>) {
        let blocks: Vec<_> = self
            .streams
            .iter_mut()
            .map(|stream| stream.block(now))
            .collect();
        self.append(
            compound,
            blocks.len() as u8,
            RECEIVER_REPORT,
            &blocks.concat(),
        );
        // One item, the canonical name, and the zeros that end the list.
        let name = format!("{:08x}", self.source);
        let mut items = vec![1, name.len() as u8];
        items.extend(name.as_bytes());
        items.extend([0, 0]);
        self.append(compound, 1, SOURCE_DESCRIPTION, &items);
    }

    fn append(&self, compound: &mut Vec<u8>, count: u8, kind: u8, body: &[u8]) {
        let words = (4 + body.len()) / 4;
        compound.extend([0x80 | count, kind]);
        compound.extend((words as u16).to_be_bytes());
        compound.extend(self.source.to_be_bytes());
        compound.extend(body);
    }

    fn stream(&mut self, header: &Header) -> Option<&mut Stream> {
        let known = |stream: &Stream| stream.source == header.source;
        let place = match self.streams.iter().position(known) {
            Some(place) => {
                let section = self.agreed.sections.get(self.streams.get(place)?.section)?;
                section.clock(header.payload_type)?;
                place
            }
            None if self.streams.len() == MAX_STREAMS => return None,
            None => {
                let number = self.agreed.section(header.payload_type, header.source)?;
                let section = self.agreed.sections.get(number)?;
                let clock = section.clock(header.payload_type)?;
                let first = FIRST_ROUND + u64::from(header.sequence);
                self.streams.push(Stream {
                    source: header.source,
                    section: number,
                    clock,
                    counter: StreamCounter::new(&section.mid, section.kind, self.started),
                    first,
                    last: first,
                    received: 0,
                    reported: (0, 0),
                    jitter: 0.0,
                    transit: None,
                    sender_report: None,
                });
                self.streams.len() - 1
            }
        };
        self.streams.get_mut(place)
    }
}

impl Stream {
    fn on_packet(&mut self, header: &Header, bytes: usize, now: Instant) {
        let sequence = extend(self.last, header.sequence);
        self.last = self.last.max(sequence);
        self.received += 1;
        self.counter.push(&Packet {
            sequence,
            timestamp: header.timestamp,
            marker: header.marker,
            bytes,
            // It stands in the payload, which is encrypted.
            key: false,
            arrived: now,
        });
        let since = now.saturating_duration_since(self.counter.started());
        let arrived = (since.as_secs_f64() * f64::from(self.clock)) as u64 as u32;
        let transit = arrived.wrapping_sub(header.timestamp);
        if let Some(before) = self.transit.replace(transit) {
            let change = transit.wrapping_sub(before) as i32;
            self.jitter += (f64::from(change.unsigned_abs()) - self.jitter) / 16.0;
        }
    }

    /// RFC 3550, 6.4.1 and A.3.
    fn block(&mut self, now: Instant) -> [u8; 24] {
        let expected = self.last - self.first + 1;
        let (expected_before, received_before) = self.reported;
        self.reported = (expected, self.received);
        let expected_since = expected - expected_before;
        let received_since = self.received - received_before;
        let lost_since = expected_since.saturating_sub(received_since);
        let fraction = (lost_since << 8).checked_div(expected_since).unwrap_or(0);
        let lost = expected.saturating_sub(self.received).min(0x7f_ffff);
        let (sender_clock, delay) = match self.sender_report {
            Some((clock, came)) => {
                let delay = now.saturating_duration_since(came).as_secs_f64() * 65_536.0;
                (clock, delay as u32)
            }
            None => (0, 0),
        };
        let words = [
            self.source,
            (fraction.min(255) as u32) << 24 | lost as u32,
            (self.last - FIRST_ROUND) as u32,
            self.jitter as u32,
            sender_clock,
            delay,
        ];
        let mut block = [0; 24];
        for (place, word) in block.chunks_exact_mut(4).zip(words) {
            place.copy_from_slice(&word.to_be_bytes());
        }
        block
    }
}
