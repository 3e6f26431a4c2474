//! What is offered of what comes encoded, and to viewers that refuse some of it or do not answer.

mod stage;

use gst::Structure;
use gstreamer as gst;
use stage::{AUDIO, Answering, Call, Sender, VIDEO, Viewer, sdp, wait};
use wigwag_protocol::json::ClientMessage;
use wigwag_receiver::StreamKind;

/// H.264 in the form that has no `codec_data`, of this profile, whatever the caps say.
fn h264(profile: &str, said: &str) -> String {
    format!(
        "videotestsrc is-live=true pattern=ball ! video/x-raw,width=320,height=240,framerate=30/1 \
         ! x264enc tune=zerolatency speed-preset=veryfast bframes=0 key-int-max=30 \
         ! video/x-h264,stream-format=byte-stream,profile={profile} \
         ! capssetter caps=video/x-h264,profile={said} ! queue ! s. "
    )
}

/// `profile-level-id` of the formats of a description, in order.
fn profiles(description: &str) -> Vec<String> {
    let lines = sdp::lines(description, "a=fmtp:").into_iter();
    let ids = lines.filter_map(|line| line.split_once("profile-level-id="));
    ids.map(|(_, id)| id.to_owned()).collect()
}

#[test]
fn encoded_h264_is_offered_by_the_profile_of_its_sps_and_by_all_that_viewers_list() {
    let sender = Sender::playing(&h264("main", "constrained-baseline"));
    let viewer = sender.viewer();
    let profiles = profiles(&viewer.description());
    assert!(profiles[0].starts_with("4d40"), "{profiles:?}");
    for listed in ["42e01f", "42001f", "640c1f"] {
        assert!(profiles.iter().any(|id| id == listed), "{profiles:?}");
    }
    viewer.wait_frames(30);
    sender.assert_quiet();
}

#[test]
fn g711_that_comes_encoded_is_offered_by_its_static_payload_type() {
    let sound =
        "audiotestsrc is-live=true ! audio/x-raw,rate=8000,channels=1 ! alawenc ! queue ! s.";
    let sender = Sender::playing(&format!("{VIDEO} {sound}"));
    let viewer = sender.viewer();
    let description = viewer.description();
    assert_eq!(
        sdp::lines(&description, "a=rtpmap:8 "),
        ["a=rtpmap:8 PCMA/8000"]
    );
    // Before what it is transcoded to for those who do not know it.
    let section = sdp::lines(&description, "m=audio")[0];
    let formats: Vec<_> = section.split(' ').skip(3).collect();
    assert!(formats.len() == 2 && formats[0] == "8", "{section}");
    // The tests' viewer does not know it, and gets the rest.
    viewer.wait_frames(30);
}

#[test]
fn viewer_that_refuses_video_gets_the_audio_and_stats_name_what_it_refused() {
    let sender = Sender::playing(&format!("{} {AUDIO}", h264("high", "high")));
    let call = Call {
        answering: Answering::As(|answer| sdp::refused(answer, "video")),
        ..Call::default()
    };
    let viewer = Viewer::call(&sender.url, call);
    wait("sound", || {
        let sound = viewer.streams(StreamKind::Audio);
        sound.first().is_some_and(|sound| sound.frames >= 50)
    });
    let session = sender.statistics(&viewer.session()).expect("it goes on");
    let part = |pad: &str| -> Structure {
        let part = session.get(format!("wigwag-stream-stats_{pad}"));
        part.unwrap_or_else(|error| panic!("{error}: {session}"))
    };
    let picture = part("video_0");
    assert_eq!(picture.get("refused"), Ok(true));
    assert_eq!(picture.get("codec"), Ok("H264, VP8".to_owned()));
    assert_eq!(part("audio_0").get("refused"), Ok(false));
    let posted = sender.posted();
    assert!(posted.len() == 1 && !posted[0].is_error, "{posted:?}");
    assert!(
        posted[0]
            .text
            .contains("video_0 comes encoded and is offered as H.264, VP8"),
        "{posted:?}"
    );
}

#[test]
fn viewer_that_takes_nothing_gets_a_reason_with_the_codecs() {
    let sender = Sender::playing(&h264("high", "high"));
    let call = Call {
        answering: Answering::As(|answer| sdp::refused(answer, "video")),
        ..Call::default()
    };
    let reason = Viewer::call(&sender.url, call).wait_end();
    assert!(reason.starts_with("no common codec"), "{reason}");
    assert!(reason.contains("H.264"), "{reason}");
}

#[test]
fn peer_that_did_not_answer_is_offered_the_common_codec_at_its_next_try_alone() {
    let sender = Sender::playing_with(
        "video-caps=video/x-vp9;video/x-vp8",
        &format!("{VIDEO} {AUDIO}"),
    );
    let call = Call {
        answering: Answering::Never,
        ..Call::default()
    };
    let viewer = Viewer::call(&sender.url, call);
    let codecs = |description: &str| {
        let lines = sdp::lines(description, "a=rtpmap:").into_iter();
        let names = lines.filter_map(|line| line.split([' ', '/']).nth(1));
        let names = names.filter(|name| *name != "rtx").map(str::to_owned);
        names.collect::<Vec<_>>()
    };
    let again = |before: &str| {
        viewer.leave();
        viewer.write(&ClientMessage::List.to_json());
        wait("another offer", || viewer.description() != before);
        viewer.description()
    };
    let first = viewer.description();
    assert_eq!(codecs(&first), ["opus", "VP9", "VP8"]);
    let second = again(&first);
    assert_eq!(codecs(&second), ["opus", "VP8"]);
    sender.assert_quiet();
}
