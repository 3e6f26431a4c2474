//! Viewers that are broken or mean harm: their session ends, with a reason, and nobody else notices.

mod stage;

use std::time::{Duration, Instant};

use stage::{Answering, Call, Calling, Sender, VIDEO, Viewer, sdp};
use wigwag_media::session::SET_UP_TIMEOUT;
use wigwag_protocol::json::{PeerMessageBody, SessionDescription};
use wigwag_receiver::StreamKind;

fn with(sender: &Sender, calling: Calling, answering: Answering) -> Viewer {
    let call = Call {
        calling,
        answering,
        only: None,
    };
    Viewer::call(&sender.url, call)
}

/// A sender with a viewer that gets pictures, and must go on to.
fn with_good_viewer() -> (Sender, Viewer) {
    let sender = Sender::playing(VIDEO);
    let good = sender.viewer();
    good.wait_frames(10);
    (sender, good)
}

fn assert_undisturbed(sender: &Sender, good: &Viewer) {
    sender.wait_sessions(1);
    good.wait_frames(30);
    let video = &good.streams(StreamKind::Video)[0];
    assert_eq!(video.missing, 0, "{video:?}");
    assert_eq!(sender.encoders().len(), 1);
    sender.assert_quiet();
}

#[test]
fn answers_that_cannot_be_used_end_their_session() {
    let (sender, good) = with_good_viewer();
    let answers: [fn(&str) -> String; 8] = [
        |_| String::new(),
        |_| "nonsense".to_owned(),
        |_| "v=0\r\n".to_owned(),
        |answer| answer.replace("a=fingerprint:", "a=nothing:"),
        |answer| answer.replace("a=ice-pwd:", "a=nothing:"),
        |answer| answer.replace("m=video", "m=audio"),
        |answer| answer.lines().take(4).collect::<Vec<_>>().join("\r\n"),
        |answer| answer.replace("\r\n", "\u{0}") + &"x".repeat(100_000),
    ];
    for answer in answers {
        let bad = with(&sender, Calling::Asks, Answering::As(answer));
        let reason = bad.wait_end();
        assert!(!reason.is_empty(), "no reason");
    }
    assert_undisturbed(&sender, &good);
}

#[test]
fn offers_that_cannot_be_used_end_their_session() {
    let (sender, good) = with_good_viewer();
    let section =
        "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\n";
    let offers = [
        String::new(),
        "nonsense".to_owned(),
        "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n".to_owned(),
        section.to_owned(),
        section.repeat(50),
        "m=video\r\n".repeat(10_000),
    ];
    for offer in offers {
        let bad = with(&sender, Calling::OffersText(offer), Answering::Properly);
        let reason = bad.wait_end();
        assert!(!reason.is_empty(), "no reason");
    }
    assert_undisturbed(&sender, &good);
}

#[test]
fn without_a_common_codec_the_session_ends_and_says_so() {
    let (sender, good) = with_good_viewer();
    let answering = Answering::As(sdp::with_unknown_codecs);
    let reason = with(&sender, Calling::Asks, answering).wait_end();
    assert!(reason.contains("codec"), "{reason}");
    // Only sound, where there are only pictures.
    let calling = Calling::Offers(vec![StreamKind::Audio]);
    let reason = with(&sender, calling, Answering::Properly).wait_end();
    assert!(reason.contains("codec"), "{reason}");
    assert_undisturbed(&sender, &good);
}

#[test]
fn candidates_that_cannot_be_read_are_passed_over() {
    let (sender, good) = with_good_viewer();
    let odd = sender.viewer();
    for candidate in [
        "",
        "nonsense",
        "candidate:",
        "candidate:1 1 UDP 1 999.1.1.1 9 typ host",
        "candidate:1 1 UDP 99999999999999999999 127.0.0.1 9 typ host",
        "candidate:1 1 UDP 1 127.0.0.1 99999 typ host",
        "candidate:1 1 TCP 1 127.0.0.1 9 typ host tcptype active",
        "candidate:1 1 UDP 1 name.local 9 typ host",
        "candidate:1 1 UDP 1 ::ffff:127.0.0.1 0 typ host",
        "a=candidate:1 1 UDP 1 127.0.0.1 9 typ host\r\na=candidate:2 1 UDP 1 127.0.0.1 9 typ host",
    ] {
        odd.tell_candidate(candidate);
    }
    odd.tell_candidate(&"x".repeat(100_000));
    for port in 1..500 {
        odd.tell_candidate(&format!(
            "candidate:{port} 1 UDP 1 127.0.0.1 {port} typ host"
        ));
    }
    odd.wait_frames(30);
    odd.leave();
    assert_undisturbed(&sender, &good);
}

#[test]
fn what_viewers_have_no_business_to_say_is_passed_over() {
    let (sender, good) = with_good_viewer();
    let odd = sender.viewer();
    odd.wait_frames(5);
    // A second answer, and a candidate for nobody's section.
    let sdp = "v=0\r\n".to_owned();
    odd.tell(PeerMessageBody::Sdp(SessionDescription::Answer { sdp }));
    odd.tell(PeerMessageBody::Ice {
        candidate: "candidate:1 1 UDP 1 127.0.0.1 9 typ host".to_owned(),
        sdp_m_line_index: u32::MAX,
    });
    odd.wait_frames(30);
    odd.leave();
    assert_undisturbed(&sender, &good);
}

#[test]
fn viewers_that_vanish_without_a_word_are_forgotten() {
    let (sender, good) = with_good_viewer();
    let session = {
        let vanishing = sender.viewer();
        vanishing.wait_frames(5);
        vanishing.session()
    };
    stage::wait("it is forgotten", || !sender.sessions().contains(&session));
    assert_undisturbed(&sender, &good);
}

#[test]
fn an_answer_that_never_comes_is_not_waited_for_for_ever() {
    let (sender, good) = with_good_viewer();
    let silent = with(&sender, Calling::Asks, Answering::Never);
    silent.description();
    let begin = Instant::now();
    let reason = silent.wait_end();
    assert!(reason.contains("in time"), "{reason}");
    let waited = begin.elapsed();
    assert!(
        waited > SET_UP_TIMEOUT - Duration::from_secs(2),
        "{waited:?}"
    );
    assert!(
        waited < SET_UP_TIMEOUT + Duration::from_secs(5),
        "{waited:?}"
    );
    assert_undisturbed(&sender, &good);
}
