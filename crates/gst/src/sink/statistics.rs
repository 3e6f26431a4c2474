//! The statistics of a session in the form of GStreamer: what the published sink has of its `webrtcbin`, by the
//! same names and types, and what we know beyond that in structures of our own.
//!
//! All fields are listed in `docs/statistics.md`. What is not known yet is left out.

use std::time::Duration;

use gst::glib;
use gst::prelude::*;
use gstreamer as gst;
use wigwag_media::session::{CandidateAddress, CandidatePair, SessionStatistics, StreamStatistics};

use super::snapshot::{RefusedSnapshot, SessionSnapshot};
use super::stats_type::StatsType;
use crate::codec::Format;

/// All streams of a session share one transport and one path.
const TRANSPORT: &str = "transport-stats_0";
const CANDIDATE_PAIR: &str = "ice-candidate-pair_0";

/// `application/x-webrtc-stats` of a session.
pub(super) fn describe(session: &SessionSnapshot, counted: &SessionStatistics) -> gst::Structure {
    // As `webrtcbin` has it, in milliseconds.
    let timestamp = glib::monotonic_time() as f64 / 1_000.0;
    let mut described = Described {
        all: gst::Structure::new_empty("application/x-webrtc-stats"),
        timestamp,
    };
    let mut connection = StatsType::PeerConnection.structure();
    for count in ["opened", "closed", "requested", "accepted"] {
        connection.set(format!("data-channels-{count}"), 0u32);
    }
    described.add("peer-connection-stats", connection);
    let mut transport = StatsType::Transport.structure();
    if let Some(pair) = &counted.candidate_pair {
        transport.set("selected-candidate-pair-id", CANDIDATE_PAIR);
        described.add_path(pair);
    }
    described.add(TRANSPORT, transport);
    for stream in &counted.streams {
        described.add_stream(session, stream);
    }
    for refused in &session.refused {
        let stats = refused_stats(refused);
        let name = format!("wigwag-stream-stats_{}", refused.pad);
        described.all.set(name, stats);
    }
    let mut all = described.all;
    all.set("wigwag-session-stats", session_stats(session, counted));
    all.set("consumer-stats", consumer_stats(session));
    all
}

struct Described {
    all: gst::Structure,
    timestamp: f64,
}

impl Described {
    fn add(&mut self, id: &str, mut part: gst::Structure) {
        part.set("timestamp", self.timestamp);
        part.set("id", id);
        self.all.set(id, part);
    }

    fn add_path(&mut self, pair: &CandidatePair) {
        let local = self.add_candidate("local", StatsType::LocalCandidate, &pair.local);
        let remote = self.add_candidate("remote", StatsType::RemoteCandidate, &pair.remote);
        let mut described = StatsType::CandidatePair.structure();
        described.set("local-candidate-id", local);
        described.set("remote-candidate-id", remote);
        self.add(CANDIDATE_PAIR, described);
    }

    /// Returns the id.
    fn add_candidate(
        &mut self,
        side: &str,
        stats_type: StatsType,
        end: &CandidateAddress,
    ) -> String {
        let (address, port) = (end.address.ip().to_string(), end.address.port());
        let id = format!("ice-candidate-{side}_1_{address}_{port}");
        let mut candidate = stats_type.structure();
        candidate.set("transport-id", TRANSPORT);
        candidate.set("address", address);
        candidate.set("port", u32::from(port));
        candidate.set("candidate-type", end.kind.as_str());
        candidate.set("protocol", "udp");
        self.add(&id, candidate);
        id
    }

    /// Adds a stream that the viewer takes.
    fn add_stream(&mut self, session: &SessionSnapshot, stream: &StreamStatistics) {
        let format = stream.rendition.map(|given| Format::of_number(given.codec));
        let (Some(Some(format)), Some(ssrc)) = (format, stream.ssrc) else {
            return;
        };
        let pad = session.pads.get(&stream.stream);
        let pad = pad.map_or("unknown", String::as_str);
        let kind = if format.audio { "audio" } else { "video" };
        let codec_id = format!("codec-stats-{pad}");
        let mut codec = StatsType::Codec.structure();
        if let Some(payload_type) = stream.payload_type {
            codec.set("payload-type", u32::from(payload_type));
        }
        codec.set("ssrc", ssrc);
        codec.set("mime-type", format!("{kind}/{}", format.name));
        codec.set("codec-type", "encode");
        codec.set("clock-rate", format.clock());
        if format.audio {
            codec.set("channels", format.channels());
        }
        self.add(&codec_id, codec);
        let of_stream = |mut part: gst::Structure| {
            part.set("ssrc", ssrc);
            part.set("codec-id", &codec_id);
            part.set("transport-id", TRANSPORT);
            part.set("kind", kind);
            part
        };
        let outbound_id = format!("rtp-outbound-stream-stats_{ssrc}");
        let remote_id = format!("rtp-remote-inbound-stream-stats_{ssrc}");
        let mut outbound = of_stream(StatsType::OutboundRtp.structure());
        outbound.set("bytes-sent", stream.payload_bytes_sent);
        outbound.set("packets-sent", stream.packets_sent);
        outbound.set("fir-count", count(stream.full_intra_requests));
        outbound.set("pli-count", count(stream.picture_losses));
        outbound.set("nack-count", count(stream.nacks));
        if let Some(lost) = stream.packets_lost {
            outbound.set("remote-id", &remote_id);
            let mut remote = of_stream(StatsType::RemoteInboundRtp.structure());
            remote.set("local-id", &outbound_id);
            remote.set("packets-lost", i64::try_from(lost).unwrap_or(i64::MAX));
            set_share(&mut remote, "fraction-lost", stream.fraction_lost);
            set_time(&mut remote, "round-trip-time", stream.round_trip);
            set_time(&mut remote, "jitter", stream.jitter);
            self.add(&remote_id, remote);
        }
        self.add(&outbound_id, outbound);
        let ours = stream_stats(session, stream, pad, kind, format);
        self.all.set(format!("wigwag-stream-stats_{pad}"), ours);
    }
}

fn session_stats(session: &SessionSnapshot, counted: &SessionStatistics) -> gst::Structure {
    let mut stats = gst::Structure::builder("wigwag-session-stats")
        .field("packets-sent", counted.packets_sent)
        .field("bytes-sent", counted.bytes_sent)
        .field("bitrate", counted.bitrate)
        .field("retransmitted-packets-sent", counted.packets_resent)
        .field("retransmitted-bytes-sent", counted.bytes_resent)
        .field("datagrams-received", counted.datagrams_received)
        .field("datagrams-over-limit", counted.datagrams_over_limit)
        .field("candidates-ignored", counted.candidates_ignored)
        .field("checks-withheld", counted.checks_withheld)
        .field("frames-sent", counted.frames_sent)
        .field("frames-dropped", counted.frames_dropped)
        .field("key-frames-sent", counted.key_frames_sent)
        .field("key-frames-requested", counted.key_frames_asked)
        .field("key-frames-refused", session.key_frames_refused)
        .field("nack-count", counted.nacks)
        .build();
    set_time(&mut stats, "round-trip-time", counted.round_trip);
    set_share(&mut stats, "fraction-lost", counted.fraction_lost);
    if let Some(estimate) = counted.estimate {
        stats.set("available-outgoing-bitrate", estimate);
    }
    set_time(&mut stats, "connected-after", counted.connected_after);
    set_time(&mut stats, "first-frame-after", counted.first_frame_after);
    if let Some(pair) = &counted.candidate_pair {
        for (side, end) in [("local", &pair.local), ("remote", &pair.remote)] {
            stats.set(format!("{side}-address"), end.address.to_string());
            stats.set(format!("{side}-candidate-type"), end.kind.as_str());
        }
        set_time(&mut stats, "path-round-trip-time", pair.round_trip);
        stats.set("path-responses-received", pair.responses_received);
    }
    stats
}

fn stream_stats(
    session: &SessionSnapshot,
    stream: &StreamStatistics,
    pad: &str,
    kind: &str,
    format: &Format,
) -> gst::Structure {
    let mut stats = gst::Structure::builder("wigwag-stream-stats")
        .field("pad", pad)
        .field("kind", kind)
        .field("codec", format.name)
        .field("refused", false)
        .field("packets-sent", stream.packets_sent)
        .field("bytes-sent", stream.bytes_sent)
        .field("payload-bytes-sent", stream.payload_bytes_sent)
        .field("bitrate", stream.bitrate)
        .field("retransmitted-packets-sent", stream.packets_resent)
        .field("retransmitted-bytes-sent", stream.bytes_resent)
        .field("nack-count", stream.nacks)
        .field("pli-count", stream.picture_losses)
        .field("fir-count", stream.full_intra_requests)
        .field("frames-sent", stream.frames_sent)
        .field("frames-dropped", stream.frames_dropped)
        .field("frames-waiting", count(stream.frames_waiting as u64))
        .field("key-frames-sent", stream.key_frames_sent)
        .field("key-frames-requested", stream.key_frames_asked())
        .build();
    set_time(&mut stats, "waiting-time", Some(stream.wait));
    set_time(&mut stats, "first-frame-after", stream.first_frame_after);
    set_time(&mut stats, "round-trip-time", stream.round_trip);
    set_share(&mut stats, "fraction-lost", stream.fraction_lost);
    if let Some(lost) = stream.packets_lost {
        stats.set("packets-lost", lost);
    }
    set_time(&mut stats, "jitter", stream.jitter);
    for (name, ssrc) in [("ssrc", stream.ssrc), ("rtx-ssrc", stream.rtx_ssrc)] {
        if let Some(ssrc) = ssrc {
            stats.set(name, ssrc);
        }
    }
    for (name, rendition) in [
        ("level", stream.rendition),
        ("next-level", stream.next_rendition),
    ] {
        if let Some(rendition) = rendition {
            stats.set(name, u32::from(rendition.level));
        }
    }
    let encoder = stream.rendition.and_then(|id| session.encoders.get(&id));
    if let Some(encoder) = encoder
        && let Some(factory) = &encoder.factory
    {
        stats.set("encoder", factory.as_str());
        stats.set("encoder-bitrate", encoder.rate);
    }
    stats
}

/// Of a stream that the viewer goes without there is nothing to count.
fn refused_stats(refused: &RefusedSnapshot) -> gst::Structure {
    gst::Structure::builder("wigwag-stream-stats")
        .field("pad", refused.pad.as_str())
        .field("kind", if refused.audio { "audio" } else { "video" })
        .field("codec", refused.codecs.as_str())
        .field("refused", true)
        .build()
}

/// As the published sink has it: the encoders of video, without names of pads.
fn consumer_stats(session: &SessionSnapshot) -> gst::Structure {
    let encoders = session.encoders.iter().filter_map(|(id, encoder)| {
        let format = Format::of_number(id.codec).filter(|format| !format.audio)?;
        let rate = i32::try_from(encoder.rate).unwrap_or(i32::MAX);
        let stats = gst::Structure::builder("application/x-webrtcsink-video-encoder-stats")
            .field("codec-name", format.name)
            .field("bitrate", rate)
            .field("fec-percentage", 0u32)
            .build();
        Some(stats.to_send_value())
    });
    gst::Structure::builder("application/x-webrtcsink-consumer-stats")
        .field("video-encoders", gst::Array::from_values(encoders))
        .build()
}

/// In seconds.
fn set_time(part: &mut gst::Structure, name: &str, time: Option<Duration>) {
    if let Some(time) = time {
        part.set(name, time.as_secs_f64());
    }
}

/// From 0 to 1.
fn set_share(part: &mut gst::Structure, name: &str, share: Option<f32>) {
    if let Some(share) = share {
        part.set(name, f64::from(share));
    }
}

/// Counts have 32 bits in `webrtcbin`.
fn count(count: u64) -> u32 {
    count.try_into().unwrap_or(u32::MAX)
}
