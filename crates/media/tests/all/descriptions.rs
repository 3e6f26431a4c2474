//! What viewers are told, and what becomes of what real ones say.

use std::time::{Duration, Instant};

use wigwag_media::ids::StreamId;
use wigwag_media::session::{
    Certificate, Codec, CodecConfig, ConfigError, OfferExtent, PeerError, PlayoutDelay, Session,
    SessionConfig, SessionError, SessionEvent, StreamConfig,
};

const VIDEO: StreamId = StreamId(0);
const SCREEN: StreamId = StreamId(1);
const AUDIO: StreamId = StreamId(2);

const VP8: u32 = 0;
const H264: u32 = 1;
const VP9: u32 = 2;
const H265: u32 = 3;
const AV1: u32 = 4;
const OPUS: u32 = 5;

const CHROMIUM_OFFER: &str = include_str!("described/chromium-offer.sdp");
const FIREFOX_OFFER: &str = include_str!("described/firefox-offer.sdp");
// Its pipeline takes H.264 (42e016) and VP8, in that order, and Opus.
const WEBRTCBIN_OFFER: &str = include_str!("described/webrtcbin-offer.sdp");

// These answer to what `each_section_offers_the_codecs_of_its_stream` shows.
const CHROMIUM_ANSWER: &str = include_str!("described/chromium-answer.sdp");
const FIREFOX_ANSWER: &str = include_str!("described/firefox-answer.sdp");
const WEBRTCBIN_ANSWER: &str = include_str!("described/webrtcbin-answer.sdp");

fn stream(id: StreamId, codecs: &[u32]) -> StreamConfig {
    let codec = |number| match number {
        VP8 => Codec::Vp8,
        H264 => Codec::H264 {
            profile_level_id: 0x42e01f,
        },
        VP9 => Codec::Vp9 { profile: 0 },
        H265 => Codec::H265 { profile: 1 },
        AV1 => Codec::Av1 { profile: 0 },
        _ => Codec::Opus,
    };
    let codecs = codecs.iter().map(|number| CodecConfig {
        number: *number,
        alternate_number: None,
        codec: codec(*number),
        colour_space: None,
    });
    StreamConfig {
        id,
        codecs: codecs.collect(),
        playout_delay: None,
        passed_through: None,
    }
}

fn config(streams: Vec<StreamConfig>) -> SessionConfig {
    SessionConfig {
        certificate: Certificate::generate().expect("a certificate"),
        name: "camera".to_owned(),
        streams,
        start_bitrate: Some(2_000_000),
        max_wait: Duration::from_millis(500),
        retransmission: true,
        extent: OfferExtent::Full,
        receive: None,
    }
}

/// Everything that we can offer.
fn all() -> SessionConfig {
    config(vec![
        stream(VIDEO, &[VP8, H264, VP9, H265, AV1]),
        stream(SCREEN, &[H264, VP8]),
        stream(AUDIO, &[OPUS]),
    ])
}

/// What the viewer may learn by chance is not the same twice.
fn redacted(sdp: &str) -> String {
    let mut sources: Vec<String> = Vec::new();
    let mut lines = Vec::new();
    for line in sdp.lines() {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let mut line = match name {
            "a=ice-ufrag" | "a=ice-pwd" | "a=fingerprint" => format!("{name}:…"),
            "a=candidate" => {
                let (candidate, _) = line.split_once(" ufrag ").expect("its ufrag");
                let (_, candidate) = candidate.split_once(' ').expect("its foundation");
                format!("{name}:… {candidate} ufrag …")
            }
            _ if line.starts_with("o=") => "o=…".to_owned(),
            _ => line.to_owned(),
        };
        if let ("a=ssrc", Some((source, attribute))) = (name, value.split_once(' ')) {
            if !sources.iter().any(|known| known == source) {
                sources.push(source.to_owned());
            }
            if attribute.starts_with("cname:") {
                line = format!("a=ssrc:{source} cname:…");
            }
        }
        for (number, source) in sources.iter().enumerate() {
            line = line.replace(source, &format!("source-{number}"));
        }
        lines.push(line);
    }
    lines.join("\n")
}

fn offered(config: &SessionConfig) -> (Session, String) {
    let address = "127.0.0.1:5000".parse().expect("an address");
    Session::offer(config, &[address], Instant::now()).expect("an offer")
}

fn answered(
    config: &SessionConfig,
    offer: &str,
    preferred: &[(StreamId, u32)],
) -> Result<(Session, String), SessionError> {
    let address = "127.0.0.1:5000".parse().expect("an address");
    Session::answer(config, offer, preferred, &[address], Instant::now())
}

/// What was agreed on.
fn negotiated(session: &mut Session) -> Vec<(StreamId, u32)> {
    match session.poll_event() {
        Some(SessionEvent::Negotiated(taken)) => {
            let first = |(stream, codecs): (StreamId, Vec<u32>)| (stream, codecs[0]);
            taken.into_iter().map(first).collect()
        }
        other => panic!("{other:?}"),
    }
}

fn accepted(config: &SessionConfig, answer: &str) -> Vec<(StreamId, u32)> {
    let (mut session, _) = offered(config);
    session.handle_answer(answer, &[], Instant::now());
    negotiated(&mut session)
}

/// The formats of each section and the lines on them.
fn formats(sdp: &str) -> Vec<String> {
    let of_formats = |line: &&str| {
        let begins = ["m=", "a=rtpmap", "a=fmtp"];
        begins.iter().any(|begin| line.starts_with(begin))
    };
    sdp.lines().filter(of_formats).map(str::to_owned).collect()
}

#[test]
fn each_section_offers_the_codecs_of_its_stream() {
    insta::assert_snapshot!(redacted(&offered(&all()).1));
}

#[test]
fn without_retransmission_nothing_speaks_of_it() {
    let mut config = config(vec![stream(VIDEO, &[VP8]), stream(AUDIO, &[OPUS])]);
    config.retransmission = false;
    let (_, offer) = offered(&config);
    insta::assert_snapshot!(redacted(&offer));
    let (_, answer) = answered(&config, CHROMIUM_OFFER, &[]).expect("an answer");
    for described in [offer, answer] {
        assert!(!described.contains("rtx") && !described.contains("FID"));
        assert!(!described.lines().any(|line| line.ends_with(" nack")));
    }
}

#[test]
fn without_congestion_control_nothing_speaks_of_it() {
    let mut config = config(vec![stream(VIDEO, &[VP8]), stream(AUDIO, &[OPUS])]);
    config.start_bitrate = None;
    let (_, offer) = offered(&config);
    let (_, answer) = answered(&config, CHROMIUM_OFFER, &[]).expect("an answer");
    for described in [offer, answer] {
        for word in ["transport-cc", "transport-wide-cc", "goog-remb"] {
            assert!(!described.contains(word), "{word}");
        }
    }
}

const PLAYOUT_DELAY: &str = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay";
const CAPTURE_TIME: &str = "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time";

/// The sections in which a header extension stands.
fn sections_with(sdp: &str, extension: &str) -> Vec<String> {
    let sections = sdp.split("m=").skip(1);
    let named = sections.filter(|section| {
        let mut lines = section.lines().filter(|line| line.starts_with("a=extmap:"));
        lines.any(|line| line.ends_with(extension))
    });
    named
        .filter_map(|section| Some(section.split(' ').next()?.to_owned()))
        .collect()
}

#[test]
fn playout_delay_is_offered_for_video_if_the_stream_has_one() {
    let mut config = config(vec![stream(VIDEO, &[VP8]), stream(AUDIO, &[OPUS])]);
    let (_, offer) = offered(&config);
    assert!(sections_with(&offer, PLAYOUT_DELAY).is_empty());
    config.streams[0].playout_delay = Some(PlayoutDelay::NONE);
    let (_, offer) = offered(&config);
    assert_eq!(sections_with(&offer, PLAYOUT_DELAY), ["video"]);
    assert_eq!(sections_with(&offer, CAPTURE_TIME), ["audio", "video"]);
    // Firefox refuses a whole offer with an identifier above 14.
    let identifiers = offer.lines().filter_map(|line| {
        let (identifier, _) = line.strip_prefix("a=extmap:")?.split_once(' ')?;
        identifier.parse::<u8>().ok()
    });
    assert!(identifiers.clone().count() > 0);
    for identifier in identifiers {
        assert!((1..=14).contains(&identifier), "{identifier}");
    }
}

#[test]
fn playout_delay_that_a_browser_offers_is_answered_where_it_stands() {
    let mut config = config(vec![stream(VIDEO, &[VP8]), stream(AUDIO, &[OPUS])]);
    config.streams[0].playout_delay = Some(PlayoutDelay::NONE);
    for offer in [CHROMIUM_OFFER, FIREFOX_OFFER] {
        let (_, answer) = answered(&config, offer, &[]).expect("an answer");
        assert_eq!(sections_with(&answer, PLAYOUT_DELAY), ["video"]);
    }
    let (_, answer) = answered(&config, WEBRTCBIN_OFFER, &[]).expect("an answer");
    assert!(sections_with(&answer, PLAYOUT_DELAY).is_empty());
}

#[test]
fn browsers_and_gstreamer_offer() {
    for (name, offer, agreed) in [
        (
            "chromium",
            CHROMIUM_OFFER,
            vec![(VIDEO, VP8), (AUDIO, OPUS)],
        ),
        ("firefox", FIREFOX_OFFER, vec![(VIDEO, VP8), (AUDIO, OPUS)]),
        (
            "webrtcbin",
            WEBRTCBIN_OFFER,
            vec![(VIDEO, H264), (AUDIO, OPUS)],
        ),
    ] {
        let (mut session, answer) = answered(&all(), offer, &[]).expect("an answer");
        assert_eq!(negotiated(&mut session), agreed, "{name}");
        insta::assert_snapshot!(format!("answer_to_{name}"), redacted(&answer));
    }
}

#[test]
fn browsers_and_gstreamer_answer() {
    let all = all();
    for (answer, screen) in [
        (CHROMIUM_ANSWER, H264),
        (FIREFOX_ANSWER, VP8),
        (WEBRTCBIN_ANSWER, H264),
    ] {
        let agreed = [(AUDIO, OPUS), (VIDEO, VP8), (SCREEN, screen)];
        assert_eq!(accepted(&all, answer), agreed);
    }
}

#[test]
fn gstreamer_forgets_the_profile_it_answers_to() {
    let mut main = all();
    for stream in &mut main.streams {
        for codec in &mut stream.codecs {
            if let Codec::H264 { profile_level_id } = &mut codec.codec {
                *profile_level_id = 0x4d001f;
            }
        }
    }
    // It has more names, so that the numbers of what comes behind it are others.
    let answer = WEBRTCBIN_ANSWER.replace("108", "116");
    let agreed = [(AUDIO, OPUS), (VIDEO, VP8), (SCREEN, H264)];
    assert_eq!(accepted(&main, &answer), agreed);
    let other = answer.replace(
        "packetization-mode=1",
        "packetization-mode=1;profile-level-id=6e001f",
    );
    assert_eq!(accepted(&main, &other), [(AUDIO, OPUS), (VIDEO, VP8)]);
}

/// One stream that comes encoded, and audio.
fn passed_through(codec: Codec) -> SessionConfig {
    let codecs = vec![CodecConfig {
        number: 0,
        alternate_number: None,
        codec,
        colour_space: None,
    }];
    config(vec![
        StreamConfig {
            id: VIDEO,
            codecs,
            playout_delay: None,
            passed_through: None,
        },
        stream(AUDIO, &[OPUS]),
    ])
}

/// The lines `a=fmtp` of a description that name this, without its payload types.
fn parameters(sdp: &str, name: &str) -> Vec<String> {
    let lines = sdp.lines().filter(|line| line.starts_with("a=fmtp:"));
    let lines = lines.filter(|line| line.contains(name));
    let values = lines.filter_map(|line| line.split_once(' '));
    values.map(|(_, value)| value.to_owned()).collect()
}

/// The profiles under which H.264 is offered, in order.
fn profiles(config: &SessionConfig) -> Vec<String> {
    let (_, offer) = offered(config);
    let of_line = |line: &String| line.rsplit_once('=').map(|(_, id)| id.to_owned());
    let lines = parameters(&offer, "profile-level-id");
    lines.iter().filter_map(of_line).collect()
}

/// The answer of a viewer that takes of each section what this keeps; it refuses those of which it keeps nothing.
fn answer_to(offer: &str, keeps: impl Fn(&str) -> bool) -> String {
    let (head, rest) = offer.split_once("m=").expect("it has sections");
    let sections: Vec<_> = rest.split("\r\nm=").map(str::trim_end).collect();
    let mut group = "a=group:BUNDLE".to_owned();
    let mut answer = String::new();
    for section in sections {
        let encodings = section.lines().filter_map(|line| {
            let (payload_type, encoding) = line.strip_prefix("a=rtpmap:")?.split_once(' ')?;
            let begin = format!("a=fmtp:{payload_type} ");
            let parameters = section.lines().find_map(|line| line.strip_prefix(&begin));
            let format = format!("{encoding} {}", parameters.unwrap_or_default());
            keeps(&format).then(|| payload_type.to_owned())
        });
        let kept: Vec<String> = encodings.collect();
        let media = section.split(' ').next().expect("a kind of media");
        if kept.is_empty() {
            answer += &format!("m={media} 0 UDP/TLS/RTP/SAVPF 0\r\na=inactive\r\n");
            continue;
        }
        answer += &format!("m={media} 9 UDP/TLS/RTP/SAVPF {}\r\n", kept.join(" "));
        for line in section.lines().skip(1) {
            let of = |begin: &str| line.strip_prefix(begin)?.split([' ', ':']).next();
            let of = of("a=rtpmap:")
                .or_else(|| of("a=fmtp:"))
                .or_else(|| of("a=rtcp-fb:"));
            let is_ours = ["a=ssrc", "a=msid", "a=candidate"];
            if of.is_some_and(|of| !kept.iter().any(|kept| kept == of))
                || is_ours.iter().any(|begin| line.starts_with(begin))
            {
                continue;
            }
            if let Some(mid) = line.strip_prefix("a=mid:") {
                group += &format!(" {mid}");
            }
            let line = line
                .replace("sendonly", "recvonly")
                .replace("actpass", "active");
            answer += &format!("{line}\r\n");
        }
    }
    let head: Vec<_> = head
        .lines()
        .filter(|line| !line.starts_with("a=group"))
        .collect();
    format!("{}\r\n{group}\r\n{answer}", head.join("\r\n"))
}

#[test]
fn h264_up_to_high_is_offered_by_its_own_name_and_all_that_viewers_list() {
    let h264 = |profile_level_id| passed_through(Codec::H264 { profile_level_id });
    assert_eq!(
        profiles(&h264(0x640028)),
        ["640028", "42e01f", "42001f", "4d001f", "640c1f", "f4001f"]
    );
    assert_eq!(
        profiles(&h264(0x4d401e)),
        [
            "4d401e", "42e01f", "42001f", "4d001f", "640c1f", "64001f", "f4001f"
        ]
    );
    assert_eq!(profiles(&h264(0x42a01e)), ["42a01e", "42e01f", "42001f"]);
    assert_eq!(profiles(&h264(0x42e01f)), ["42e01f", "42001f"]);
    assert_eq!(profiles(&h264(0xf4001f)), ["f4001f"], "4:4:4 is for few");
    insta::assert_snapshot!(redacted(&offered(&h264(0x640028)).1));
}

#[test]
fn h264_high_is_agreed_on_by_any_of_its_names() {
    let high = passed_through(Codec::H264 {
        profile_level_id: 0x640028,
    });
    let both = [(AUDIO, OPUS), (VIDEO, 0)];
    for listed in [
        &["640028"][..],
        &["42e01f", "42001f"],
        &["42e01f", "640c1f"],
        &["42001f", "42e01f", "4d001f", "f4001f"],
    ] {
        let (mut session, offer) = offered(&high);
        let takes = |format: &str| {
            !format.starts_with("H264") || listed.iter().any(|name| format.contains(name))
        };
        session.handle_answer(&answer_to(&offer, takes), &[], Instant::now());
        assert_eq!(negotiated(&mut session), both, "{listed:?}");
    }
}

#[test]
fn h264_main_goes_to_a_viewer_that_offers_to_take_baseline_alone() {
    let main = passed_through(Codec::H264 {
        profile_level_id: 0x4d401f,
    });
    let (mut session, answer) = answered(&main, WEBRTCBIN_OFFER, &[]).expect("an answer");
    assert_eq!(negotiated(&mut session), [(VIDEO, 0), (AUDIO, OPUS)]);
    assert_eq!(
        parameters(&answer, "profile-level-id"),
        ["packetization-mode=1;profile-level-id=42e016"]
    );
    // Where it lists what is sent, that counts, wherever it stands.
    let (_, answer) = answered(&main, CHROMIUM_OFFER, &[]).expect("an answer");
    let taken = parameters(&answer, "profile-level-id");
    assert!(taken[0].ends_with("=4d001f"), "{taken:?}");
}

#[test]
fn further_names_never_take_the_payload_types_of_other_codecs() {
    let streams = (0..14).map(|number| {
        let profile_level_id = 0x640014 + number;
        let codec = Codec::H264 { profile_level_id };
        let id = StreamId(number);
        let codecs = vec![CodecConfig {
            number: 0,
            alternate_number: None,
            codec,
            colour_space: None,
        }];
        StreamConfig {
            id,
            codecs,
            playout_delay: None,
            passed_through: None,
        }
    });
    let (_, offer) = offered(&config(streams.collect()));
    assert_eq!(offer.matches("m=video").count(), 14);
}

#[test]
fn profiles_of_vp9_av1_and_h265_are_offered_as_they_are() {
    for (codec, name, expected) in [
        (Codec::Vp9 { profile: 2 }, "profile-id", "profile-id=2"),
        (
            Codec::Av1 { profile: 1 },
            "level-idx",
            "level-idx=5;profile=1;tier=0",
        ),
        (
            Codec::H265 { profile: 2 },
            "level-id",
            "level-id=180;profile-id=2;tier-flag=0;tx-mode=SRST",
        ),
    ] {
        let config = passed_through(codec);
        let (mut session, offer) = offered(&config);
        assert_eq!(parameters(&offer, name), [expected]);
        let answer = answer_to(&offer, |_| true);
        session.handle_answer(&answer, &[], Instant::now());
        let both = [(AUDIO, OPUS), (VIDEO, 0)];
        assert_eq!(negotiated(&mut session), both, "{codec:?}");
    }
    // Chromium takes profile 2 of VP9, and Firefox does not.
    let vp9 = passed_through(Codec::Vp9 { profile: 2 });
    let (mut session, _) = answered(&vp9, CHROMIUM_OFFER, &[]).expect("an answer");
    assert_eq!(negotiated(&mut session), [(VIDEO, 0), (AUDIO, OPUS)]);
    let (mut session, _) = answered(&vp9, FIREFOX_OFFER, &[]).expect("an answer");
    assert_eq!(negotiated(&mut session), [(AUDIO, OPUS)]);
}

#[test]
fn g711_is_offered_by_its_static_payload_types() {
    for (codec, line) in [
        (Codec::Pcmu, "a=rtpmap:0 PCMU/8000"),
        (Codec::Pcma, "a=rtpmap:8 PCMA/8000"),
    ] {
        let codecs = vec![CodecConfig {
            number: 6,
            alternate_number: None,
            codec,
            colour_space: None,
        }];
        let config = config(vec![
            stream(VIDEO, &[VP8]),
            StreamConfig {
                id: AUDIO,
                codecs,
                playout_delay: None,
                passed_through: None,
            },
        ]);
        let (mut session, offer) = offered(&config);
        assert!(offer.contains(line), "{offer}");
        session.handle_answer(&answer_to(&offer, |_| true), &[], Instant::now());
        assert_eq!(negotiated(&mut session), [(AUDIO, 6), (VIDEO, VP8)]);
        for offer in [CHROMIUM_OFFER, FIREFOX_OFFER] {
            let (mut session, answer) = answered(&config, offer, &[]).expect("an answer");
            assert_eq!(negotiated(&mut session), [(VIDEO, VP8), (AUDIO, 6)]);
            assert!(answer.contains(line), "{answer}");
        }
    }
}

#[test]
fn audio_is_offered_first_and_every_section_has_the_candidates() {
    let (_, offer) = offered(&all());
    let sections: Vec<_> = offer.split("\r\nm=").skip(1).collect();
    let mids = sections.iter().filter_map(|section| {
        let mut lines = section.lines();
        lines.find_map(|line| line.strip_prefix("a=mid:"))
    });
    // The numbers are those of the pads.
    assert_eq!(mids.collect::<Vec<_>>(), ["audio2", "video0", "video1"]);
    for section in sections {
        assert_eq!(section.matches("a=candidate:").count(), 1, "{section}");
    }
}

#[test]
fn video_that_not_every_viewer_takes_is_offered_last() {
    let (_, offer) = offered(&config(vec![
        stream(VIDEO, &[H265]),
        stream(SCREEN, &[H264]),
    ]));
    let mids = offer.lines().filter_map(|line| line.strip_prefix("a=mid:"));
    assert_eq!(mids.collect::<Vec<_>>(), ["video1", "video0"]);
}

#[test]
fn sections_that_a_viewer_refuses_are_named() {
    let high = passed_through(Codec::H264 {
        profile_level_id: 0x640028,
    });
    let (mut session, offer) = offered(&high);
    let answer = answer_to(&offer, |format| !format.starts_with("H264"));
    session.handle_answer(&answer, &[], Instant::now());
    assert_eq!(negotiated(&mut session), [(AUDIO, OPUS)]);
    let refused = SessionEvent::Refused(vec![VIDEO]);
    assert_eq!(session.poll_event(), Some(refused));
}

#[test]
fn an_answer_that_refuses_all_ends_for_want_of_a_codec() {
    let (mut session, offer) = offered(&all());
    session.handle_answer(&answer_to(&offer, |_| false), &[], Instant::now());
    let over = SessionEvent::Ended(PeerError::NoCommonCodec.into());
    assert_eq!(session.poll_event(), Some(over));
}

#[test]
fn the_first_section_that_is_taken_speaks_for_all() {
    let (base, mapped) = ("127.0.0.1:5000", "192.0.2.1:6000");
    let (base, mapped) = (base.parse().expect("one"), mapped.parse().expect("one"));
    let config = config(vec![stream(VIDEO, &[VP8]), stream(AUDIO, &[OPUS])]);
    let (mut session, offer) = offered(&config);
    let candidate = session.add_reflexive_candidate(base, mapped, Instant::now());
    assert_eq!(session.bundle_section(), 0);
    let answer = answer_to(&offer, |format| !format.starts_with("opus"));
    session.handle_answer(&answer, &[], Instant::now());
    let again = candidate.map(SessionEvent::LocalCandidate);
    assert!(again.is_some() && session.poll_event() == again);
    assert_eq!(session.bundle_section(), 1);
    assert_eq!(negotiated(&mut session), [(VIDEO, VP8)]);
}

#[test]
fn what_every_viewer_has_is_offered_alone_when_that_is_asked_for() {
    let common = |mut config: SessionConfig| {
        config.extent = OfferExtent::Common;
        formats(&offered(&config).1)
    };
    let opus = [
        "m=audio 9 UDP/TLS/RTP/SAVPF 98",
        "a=rtpmap:98 opus/48000/2",
        "a=fmtp:98 minptime=10;useinbandfec=1",
    ];
    let all = common(config(vec![
        stream(VIDEO, &[VP9, VP8, H264, H265, AV1]),
        stream(AUDIO, &[OPUS]),
    ]));
    assert_eq!(all[..3], opus);
    assert_eq!(
        all[3..5],
        ["m=video 9 UDP/TLS/RTP/SAVPF 96 97", "a=rtpmap:96 VP8/90000"]
    );
    let high = common(passed_through(Codec::H264 {
        profile_level_id: 0x640028,
    }));
    assert_eq!(high[..3], opus);
    assert_eq!(
        high[3..6],
        [
            "m=video 9 UDP/TLS/RTP/SAVPF 96 97",
            "a=rtpmap:96 H264/90000",
            "a=fmtp:96 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
        ]
    );
    // Rather the audio alone than nothing.
    let av1 = common(passed_through(Codec::Av1 { profile: 0 }));
    assert_eq!(av1[0], "m=audio 9 UDP/TLS/RTP/SAVPF 96");
    assert!(
        !av1.iter().any(|line| line.starts_with("m=video")),
        "{av1:?}"
    );
    let nothing_else = common(config(vec![stream(VIDEO, &[AV1])]));
    assert_eq!(nothing_else[0], "m=video 9 UDP/TLS/RTP/SAVPF 96 97");
}

#[test]
fn what_runs_already_is_preferred_if_the_viewer_takes_it() {
    let preferred = [(VIDEO, H264), (SCREEN, VP9)];
    let (mut session, answer) = answered(&all(), CHROMIUM_OFFER, &preferred).expect("an answer");
    assert_eq!(negotiated(&mut session), [(VIDEO, H264), (AUDIO, OPUS)]);
    let first = formats(&answer)[0].clone();
    assert!(
        first.starts_with("m=video 9 UDP/TLS/RTP/SAVPF 102 103 96 97"),
        "{first}"
    );

    let (mut session, _) = offered(&all());
    session.handle_answer(CHROMIUM_ANSWER, &[(VIDEO, AV1)], Instant::now());
    assert!(negotiated(&mut session).contains(&(VIDEO, AV1)));

    let (mut session, _) = offered(&all());
    session.handle_answer(FIREFOX_ANSWER, &[(VIDEO, H264)], Instant::now());
    assert!(
        negotiated(&mut session).contains(&(VIDEO, VP8)),
        "it does not take H.264"
    );
}

#[test]
fn constrained_baseline_goes_to_baseline_and_keeps_the_level_of_who_insists() {
    let config = config(vec![stream(VIDEO, &[H264]), stream(AUDIO, &[OPUS])]);
    let (_, answer) = answered(&config, WEBRTCBIN_OFFER, &[]).expect("an answer");
    assert_eq!(
        formats(&answer)[..3],
        [
            "m=video 9 UDP/TLS/RTP/SAVPF 96",
            "a=rtpmap:96 H264/90000",
            "a=fmtp:96 packetization-mode=1;profile-level-id=42e016",
        ]
    );
    let (_, answer) = answered(&config, CHROMIUM_OFFER, &[]).expect("an answer");
    let line = "a=fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f";
    assert!(answer.contains(line));
}

const HAND_MADE: &str = "v=0\no=- 1 1 IN IP4 0.0.0.0\ns=-\nt=0 0\n\
    a=ice-ufrag:abcd\na=ice-pwd:abcdefghijklmnopqrstuv\n\
    a=fingerprint:sha-256 FC:07:48:E8:F2:08:78:CC:E7:8C:1C:2E:9D:92:1B:FD:23:C7:5E:7B:9A:4D:97:52:D9:83:8B:2A:36:5F:36:F9\n\
    a=setup:actpass\n\
    m=application 9 UDP/DTLS/SCTP webrtc-datachannel\na=sctp-port:5000\n\
    m=video 9 UDP/TLS/RTP/SAVPF 101\na=rtpmap:101 VP8/90000\n\
    m=audio 9 RTP/SAVPF 102\na=recvonly\na=rtpmap:102 opus/48000/2\n";

#[test]
fn hand_made_offers_may_lack_names_and_groups() {
    let (mut session, answer) = answered(&all(), HAND_MADE, &[]).expect("an answer");
    assert_eq!(negotiated(&mut session), [(VIDEO, VP8), (AUDIO, OPUS)]);
    insta::assert_snapshot!(redacted(&answer));
}

#[test]
fn hand_made_answers_may_lack_names_and_groups() {
    let answer = HAND_MADE.replace("actpass", "active");
    let (head, media) = answer.split_once("m=application").expect("it is there");
    let (_, media) = media.split_once("m=video").expect("it is there");
    let (video, audio) = media.split_once("m=audio").expect("it is there");
    let answer = format!("{head}m=audio{audio}m=video{video}");
    let config = config(vec![stream(VIDEO, &[VP8]), stream(AUDIO, &[OPUS])]);
    assert_eq!(accepted(&config, &answer), [(AUDIO, OPUS), (VIDEO, VP8)]);
}

#[test]
fn data_channels_do_not_confuse_what_is_what() {
    // Chromium's comes last; here it comes first.
    let (head, sections) = CHROMIUM_OFFER.split_once("m=video").expect("it is there");
    let (media, data) = sections.split_once("m=application").expect("it is there");
    let head = head.replace("BUNDLE 0 1 2", "BUNDLE 2 0 1");
    let first = format!("{head}m=application{data}m=video{media}");
    for offer in [CHROMIUM_OFFER, &first] {
        let (mut session, answer) = answered(&all(), offer, &[]).expect("an answer");
        assert_eq!(negotiated(&mut session), [(VIDEO, VP8), (AUDIO, OPUS)]);
        let sections = |sdp: &str| -> Vec<String> {
            let named = |line: &&str| line.starts_with("m=") || line.starts_with("a=mid:");
            let words = sdp.lines().filter(named).map(|line| line.split(' ').next());
            words.flatten().map(str::to_owned).collect()
        };
        assert_eq!(sections(&answer), sections(offer));
    }
}

#[test]
fn sections_that_we_send_nothing_in_stay_idle() {
    let config = config(vec![stream(SCREEN, &[VP9])]);
    let (mut session, answer) = answered(&config, CHROMIUM_OFFER, &[]).expect("an answer");
    assert_eq!(negotiated(&mut session), [(SCREEN, VP9)]);
    let (_, audio) = answer.split_once("m=audio ").expect("its place is kept");
    assert!(audio.starts_with("9 UDP/TLS/RTP/SAVPF 111\r\n"), "{audio}");
    assert!(audio.contains("a=inactive") && !audio.contains("a=ssrc"));
    assert!(answer.contains("a=group:BUNDLE 0 1 2\r\n"));
}

#[test]
fn a_viewer_that_only_sends_is_sent_nothing() {
    let offer = CHROMIUM_OFFER.replace("a=recvonly", "a=sendonly");
    let refusal = answered(&all(), &offer, &[]).map(|_| ());
    assert_eq!(refusal, Err(PeerError::NoCommonCodec.into()));
}

#[test]
fn a_stream_that_the_viewer_rejects_is_not_sent() {
    let (head, audio) = CHROMIUM_ANSWER
        .split_once("m=audio 9 ")
        .expect("it is there");
    let answer = format!("{head}m=audio 0 {audio}").replace("audio2 video0", "video0");
    assert_eq!(accepted(&all(), &answer), [(VIDEO, VP8), (SCREEN, H264)]);
}

#[test]
fn an_answer_of_other_sections_cannot_be_used() {
    let (head, _) = CHROMIUM_ANSWER.rsplit_once("m=video").expect("it is there");
    let (mut session, _) = offered(&all());
    session.handle_answer(head, &[], Instant::now());
    let over = SessionEvent::Ended(PeerError::UnusableDescription.into());
    assert_eq!(session.poll_event(), Some(over));
}

#[test]
fn payload_types_run_out() {
    let codecs = (0..40).map(|number| CodecConfig {
        number,
        alternate_number: None,
        codec: Codec::H264 {
            profile_level_id: 0x640000 + number,
        },
        colour_space: None,
    });
    let many = StreamConfig {
        id: VIDEO,
        codecs: codecs.collect(),
        playout_delay: None,
        passed_through: None,
    };
    let refusal = Session::offer(&config(vec![many]), &[], Instant::now()).map(|_| ());
    assert_eq!(refusal, Err(ConfigError::TooManyCodecs.into()));
}

#[test]
fn viewers_may_call_their_sections_what_they_like() {
    let names = [
        "{d3b4-camera, a name that no header extension holds}".replace(' ', "_"),
        "a-b".to_owned(),
    ];
    let offer = CHROMIUM_OFFER
        .replace(
            "BUNDLE 0 1 2",
            &format!("BUNDLE {} {} 2", names[0], names[1]),
        )
        .replace("a=mid:0", &format!("a=mid:{}", names[0]))
        .replace("a=mid:1", &format!("a=mid:{}", names[1]));
    let (mut session, answer) = answered(&all(), &offer, &[]).expect("an answer");
    assert_eq!(negotiated(&mut session), [(VIDEO, VP8), (AUDIO, OPUS)]);
    for name in names {
        assert!(answer.contains(&format!("a=mid:{name}\r\n")), "{answer}");
    }
}

#[test]
fn a_section_on_a_transport_of_its_own_is_rejected() {
    let offer = CHROMIUM_OFFER.replace("BUNDLE 0 1 2", "BUNDLE 0 2");
    let (mut session, answer) = answered(&all(), &offer, &[]).expect("an answer");
    assert_eq!(negotiated(&mut session), [(VIDEO, VP8)]);
    assert!(answer.contains("m=audio 0 ") && answer.contains("a=group:BUNDLE 0 2\r\n"));
}
