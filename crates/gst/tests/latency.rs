//! What waits and what does not: live sources go on as they come, others at the pace of the clock, and viewers are
//! asked to do the same.

mod stage;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use gst::prelude::*;
use gstreamer as gst;
use stage::{AUDIO, PATIENCE, Sender, VIDEO, sdp, wait};

/// Not live, and quick: it would run ahead if nothing held it back.
const FILE: &str = "videotestsrc pattern=ball \
    ! video/x-raw,format=I420,width=320,height=240,framerate=30/1 ! s. ";

const PLAYOUT_DELAY: &str = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay";

/// Makes what feeds this pad report that it is late by more than any test waits.
fn report_latency(sender: &Sender, pad: &str) -> Arc<AtomicBool> {
    let pad = sender.sink.static_pad(pad).expect("it is linked");
    let asked = Arc::new(AtomicBool::new(false));
    let answered = gst::PadProbeType::QUERY_UPSTREAM | gst::PadProbeType::PULL;
    let noted = Arc::clone(&asked);
    pad.add_probe(answered, move |_, info| {
        if let Some(query) = info.query_mut()
            && let gst::QueryViewMut::Latency(latency) = query.view_mut()
        {
            let late = gst::ClockTime::try_from(4 * PATIENCE).expect("a time");
            latency.set(true, late, gst::ClockTime::NONE);
            noted.store(true, Ordering::SeqCst);
        }
        gst::PadProbeReturn::Ok
    });
    asked
}

#[test]
fn live_source_that_reports_latency_is_shown_as_it_comes() {
    let sender = Sender::new("", &format!("{VIDEO} {AUDIO}"));
    let asked = ["video_0", "audio_0"].map(|pad| report_latency(&sender, pad));
    sender.play();
    sender.viewer().wait_frames(5);
    assert!(asked.iter().all(|asked| asked.load(Ordering::SeqCst)));
    sender.assert_quiet();
}

#[test]
fn source_that_is_not_live_keeps_the_pace_of_the_clock() {
    let sender = Sender::new("", FILE);
    let pad = sender.sink.static_pad("video_0").expect("it is linked");
    let last = Mutex::new(gst::ClockTime::ZERO);
    let frames = Arc::new(AtomicU64::new(0));
    let too_early = Arc::new(AtomicU64::new(0));
    let (counted, early) = (Arc::clone(&frames), Arc::clone(&too_early));
    let sink = sender.sink.clone();
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let pts = info.buffer().and_then(|buffer| buffer.pts());
        let mut last = last.lock().expect("it does not panic");
        // The next comes when the last was let through.
        if let Some(now) = sink.current_running_time()
            && now < *last
        {
            early.fetch_add(1, Ordering::SeqCst);
        }
        *last = pts.expect("a time");
        counted.fetch_add(1, Ordering::SeqCst);
        gst::PadProbeReturn::Ok
    });
    sender.play();
    wait("a second of pictures", || {
        frames.load(Ordering::SeqCst) >= 30
    });
    assert_eq!(too_early.load(Ordering::SeqCst), 0);
    sender.viewer().wait_frames(5);
    sender.assert_quiet();
}

/// In which sections the sink offers the playout delay.
fn offers_playout_delay(properties: &str, sources: &str) -> bool {
    let sender = Sender::playing_with(properties, sources);
    let offer = sender.viewer().description();
    let extensions = sdp::lines(&offer, "a=extmap:");
    extensions.iter().any(|line| line.ends_with(PLAYOUT_DELAY))
}

#[test]
fn playout_delay_is_offered_for_live_sources_unless_it_is_set_otherwise() {
    assert!(offers_playout_delay("", VIDEO));
    assert!(!offers_playout_delay("", FILE));
    assert!(!offers_playout_delay("", AUDIO));
    assert!(!offers_playout_delay("playout-delay=none", VIDEO));
    assert!(offers_playout_delay("playout-delay=0..100", FILE));
}
