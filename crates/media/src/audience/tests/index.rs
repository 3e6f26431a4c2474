//! What is kept up to date viewer by viewer is what a look at all of them would find.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::audience::subscribers::Summary;

/// Something that happens to an audience.
#[derive(Clone, Debug)]
enum Event {
    Join(u64, Vec<u32>),
    Renegotiate(u64, Vec<u32>, bool),
    Leave(u64),
    Connect(u64),
    Estimate(u64, Bitrate),
    RequestKeyFrame(u64),
    SourceKeyFrame,
    Switch(u64, u32),
    Withdraw(u32),
    Restore(u64, u32),
    Fail(u32),
    Wait(u16),
}

fn event() -> impl Strategy<Value = Event> {
    let viewer = 0..12u64;
    let codec = 0..3u32;
    prop_oneof![
        4 => (viewer.clone(), vec(codec.clone(), 1..4)).prop_map(|(viewer, codecs)| Event::Join(viewer, codecs)),
        2 => (viewer.clone(), vec(codec.clone(), 0..4), any::<bool>()).prop_map(|(viewer, codecs, sound)| Event::Renegotiate(viewer, codecs, sound)),
        2 => viewer.clone().prop_map(Event::Leave),
        3 => viewer.clone().prop_map(Event::Connect),
        3 => (viewer.clone(), 0..9_000_000u64).prop_map(|(viewer, rate)| Event::Estimate(viewer, rate)),
        3 => viewer.clone().prop_map(Event::RequestKeyFrame),
        1 => Just(Event::SourceKeyFrame),
        3 => (viewer.clone(), codec.clone()).prop_map(|(viewer, codec)| Event::Switch(viewer, codec)),
        1 => codec.clone().prop_map(Event::Withdraw),
        1 => (viewer, codec.clone()).prop_map(|(viewer, codec)| Event::Restore(viewer, codec)),
        1 => codec.prop_map(Event::Fail),
        3 => (1..3_000u16).prop_map(Event::Wait),
    ]
}

fn apply(audience: &mut Audience, event: Event, now: &mut Instant) {
    match event {
        Event::Join(viewer, codecs) => {
            if !audience.viewers.contains_key(&ViewerId(viewer)) {
                let taken = [(VIDEO, codecs), (AUDIO, vec![OPUS])];
                let peer = PeerKey(viewer / 2);
                // Whether there is a codec left for it is not asked here.
                let _ = audience.handle_joined(ViewerId(viewer), peer, &taken, *now);
            }
        }
        Event::Renegotiate(viewer, codecs, sound) => {
            let video = (!codecs.is_empty()).then_some((VIDEO, codecs));
            let sound = sound.then(|| (AUDIO, vec![OPUS]));
            let taken: Vec<_> = video.into_iter().chain(sound).collect();
            // Whether there is a codec left for it is not asked here.
            let _ = audience.handle_renegotiated(ViewerId(viewer), &taken, *now);
        }
        Event::Leave(viewer) => audience.handle_left(ViewerId(viewer), *now),
        Event::Connect(viewer) => audience.handle_connected(ViewerId(viewer), *now),
        Event::Estimate(viewer, rate) => audience.handle_estimate(ViewerId(viewer), rate, *now),
        Event::RequestKeyFrame(viewer) => {
            audience.handle_key_frame_request(ViewerId(viewer), VIDEO, *now);
        }
        Event::SourceKeyFrame => audience.handle_source_key_frame(VIDEO, *now),
        Event::Switch(viewer, codec) => {
            audience.handle_switched(ViewerId(viewer), rendition(VIDEO, codec), *now);
        }
        Event::Withdraw(codec) => {
            for viewer in audience.withdraw(VIDEO, &[codec], *now) {
                audience.handle_left(viewer, *now);
            }
        }
        Event::Restore(viewer, codec) => {
            audience.restore(ViewerId(viewer), VIDEO, &[codec], *now);
        }
        Event::Fail(codec) => {
            audience.handle_rendition_failed(rendition(VIDEO, codec), *now);
        }
        Event::Wait(milliseconds) => {
            let until = *now + Duration::from_millis(milliseconds.into());
            let mut steps = 0;
            while let Some(at) = audience.poll_timeout().filter(|at| *at <= until) {
                *now = at.max(*now);
                audience.handle_timeout(*now);
                steps += 1;
                assert!(steps < 1_000, "it makes progress");
            }
            *now = until;
        }
    }
}

/// The subscribers that a look at all viewers finds.
fn subscribers(audience: &Audience) -> Vec<Summary> {
    #[derive(Default)]
    struct Found {
        assigned: Vec<ViewerId>,
        connected: usize,
        peers: BTreeSet<PeerKey>,
        awaiting: Vec<ViewerId>,
    }
    let mut found: BTreeMap<RenditionId, Found> = BTreeMap::new();
    for (viewer, watching) in &audience.viewers {
        for (stream, watched) in &watching.streams {
            let of = found.entry(rendition(*stream, watched.codec)).or_default();
            of.assigned.push(*viewer);
            of.connected += usize::from(watching.connected);
            of.peers.insert(watching.peer);
            if let Some(codec) = watched.next {
                let of = found.entry(rendition(*stream, codec)).or_default();
                of.awaiting.push(*viewer);
            }
        }
    }
    let found = found.into_iter().map(|(rendition, found)| {
        let peers = found.peers.len();
        (
            rendition,
            found.assigned,
            found.connected,
            peers,
            found.awaiting,
        )
    });
    found.collect()
}

proptest! {
    #[test]
    fn audience_is_as_a_look_at_all_viewers_finds_it(events in vec(event(), 1..80), passed in any::<bool>()) {
        let mut audience = audience();
        if passed {
            let rate = POLICY.max_bitrate;
            audience.set_stream(VIDEO, StreamRate::Passed { codec: H264, rate });
        }
        audience.set_common_codecs(VIDEO, [VP8]);
        let mut now = Instant::now();
        for event in events {
            apply(&mut audience, event.clone(), &mut now);
            prop_assert_eq!(audience.subscribers.all(), subscribers(&audience), "{:?}", event);
            for (rendition, running) in &audience.renditions {
                let is_wanted = audience.subscribers.of(*rendition).is_some();
                prop_assert_eq!(running.unwanted_since.is_none(), is_wanted, "{:?}", event);
            }
            for (rendition, subscribers) in subscribers(&audience).iter().map(|found| (found.0, &found.1)) {
                prop_assert!(audience.renditions.contains_key(&rendition), "{:?} {:?}", event, subscribers);
            }
            for (viewer, watching) in &audience.viewers {
                prop_assert_eq!(watching.reported, Some(audience.rates_for(watching)), "{:?} {:?}", viewer, event);
                for (stream, watched) in &watching.streams {
                    prop_assert_eq!(watched.assigned, Some(rendition(*stream, watched.codec)));
                    if watched.waits_since.is_some() && watched.alternative().is_some() {
                        let due = audience.waits.poll_timeout();
                        let known = audience.patience_ends(*viewer, *stream);
                        prop_assert!(due <= known && due.is_some(), "{:?} {:?}", due, known);
                    }
                }
            }
            while audience.poll_action().is_some() {}
        }
    }
}
