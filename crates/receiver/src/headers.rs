//! Counts packets by their headers, which are in clear (RFC 3711, 3.1), and reports on them as a viewer does
//! that decrypts them: receiver reports (RFC 3550, 6.4.2), transport-wide feedback, and requests for key
//! frames (RFC 4585, 6.3.1). Nothing is asked to be sent again, so that what is lost is lost; and what is
//! counted is not authenticated.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use str0m::config::CryptoProvider;
use str0m::media::SenderFeedback;

use super::StreamKind;
use super::agreed::Agreed;
use super::arrivals::Arrivals;
use super::counter::{StreamCounter, StreamReport};
use super::keys::Keys;
use super::reception::Reception;
use super::rtcp::{
    self, PAYLOAD_FEEDBACK, RECEIVER_REPORT, SOURCE_DESCRIPTION, TRANSPORT_FEEDBACK,
};
use super::session_receiver::ASK_INTERVAL;
use super::srtcp::Srtcp;
use wigwag_media::rtp::Header;

/// As browsers do for video.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);
const FEEDBACK_INTERVAL: Duration = Duration::from_millis(100);

/// Streams at most of one viewer; packets of others are not counted.
const MAX_STREAMS: usize = 16;

/// How long a header of RTCP with a source is.
const CLEAR: usize = 8;

/// The streams of one viewer, by their headers.
pub(super) struct HeaderCounter {
    started: Instant,
    agreed: Agreed,
    streams: Vec<Reception>,
    arrivals: Option<Arrivals>,
    reports: Option<Srtcp>,
    /// The source of our reports: another than str0m's, which counts its own.
    source: u32,
    /// Where media comes to, and where it comes from.
    path: Option<(SocketAddr, SocketAddr)>,
    report_at: Option<Instant>,
    feedback_at: Option<Instant>,
    asked: Option<Instant>,
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

    /// Encrypts reports that are not true; none while there are no keys, or if they are too short.
    #[cfg(fuzzing)]
    pub(super) fn forge(&mut self, reports: &[u8]) -> Option<Vec<u8>> {
        self.reports.as_mut()?.protect(reports)
    }

    pub(super) fn streams(&self) -> impl Iterator<Item = StreamReport> {
        self.streams.iter().map(|stream| stream.counter.report())
    }

    /// Whether the sender hears of media from here.
    pub(super) fn is_reporting(&self) -> bool {
        self.report_at.is_some() && self.reports.is_some()
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

    /// Sends reports that `write` makes of the sources of all streams.
    pub(super) fn send_reports(
        &mut self,
        write: impl FnOnce(&[u32]) -> Vec<u8>,
        mut send: impl FnMut(SocketAddr, SocketAddr, Vec<u8>),
    ) {
        let sources: Vec<_> = self.streams.iter().map(|stream| stream.source).collect();
        self.send(&write(&sources), &mut send);
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
        compound.extend(rtcp::packet(self.source, count, kind, body));
    }

    fn stream(&mut self, header: &Header) -> Option<&mut Reception> {
        let known = |stream: &Reception| stream.source == header.source;
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
                let counter = StreamCounter::new(&section.mid, section.kind, self.started);
                let stream = Reception::new(number, clock, counter, header);
                self.streams.push(stream);
                self.streams.len() - 1
            }
        };
        self.streams.get_mut(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFER: &str = "v=0\r\nm=video 9 x 96\r\na=mid:v\r\na=rtpmap:96 VP8/90000\r\n";

    fn counter(start: Instant) -> HeaderCounter {
        let mut counter = HeaderCounter::new(7, start);
        counter.agree(OFFER, OFFER);
        counter
    }

    fn packet(source: u8, sequence: u16) -> Vec<u8> {
        let mut packet = vec![0x80, 0x80 | 96];
        packet.extend(sequence.to_be_bytes());
        packet.extend(u32::from(sequence).to_be_bytes());
        packet.extend([0, 0, 0, source]);
        packet.extend([0; 20]);
        packet
    }

    fn push(counter: &mut HeaderCounter, packet: &[u8], now: Instant) {
        let here = "127.0.0.1:1".parse().expect("an address");
        counter.on_media(here, here, packet, now);
    }

    #[test]
    fn streams_are_bounded() {
        let start = Instant::now();
        let mut counter = counter(start);
        for source in 0..2 * MAX_STREAMS as u8 {
            push(&mut counter, &packet(source, 1), start);
        }
        assert_eq!(counter.streams().count(), MAX_STREAMS);
    }

    #[test]
    fn what_was_lost_is_reported() {
        let start = Instant::now();
        let mut counter = counter(start);
        for sequence in [65_534, 65_535, 2, 3] {
            push(&mut counter, &packet(1, sequence), start);
        }
        let stream = &mut counter.streams[0];
        let block = stream.block(start);
        // A third of six, that is 85 of 256; two in all; the highest number, in the second round.
        assert_eq!(block[..4], [0, 0, 0, 1]);
        assert_eq!(block[4..8], [85, 0, 0, 2]);
        assert_eq!(block[8..12], [0, 1, 0, 3]);
        assert_eq!(block[16..], [0; 8], "no sender report came");
        let block = stream.block(start);
        assert_eq!(block[4..8], [0, 0, 0, 2], "nothing since");
    }

    #[test]
    fn a_report_is_a_compound_of_whole_words() {
        let start = Instant::now();
        let mut counter = counter(start);
        push(&mut counter, &packet(1, 1), start);
        let mut compound = Vec::new();
        counter.describe(start, &mut compound);
        counter.ask(start, &mut compound);
        let mut rest = compound.as_slice();
        let mut kinds = Vec::new();
        while let [first, kind, l0, l1, ..] = rest {
            assert_eq!(first >> 6, 2);
            kinds.push((*kind, first & 0x1f));
            let words = 1 + usize::from(u16::from_be_bytes([*l0, *l1]));
            rest = &rest[4 * words..];
        }
        assert_eq!(rest, [0_u8; 0]);
        assert_eq!(kinds, [(201, 1), (202, 1), (206, 1)]);
    }
}
