use proptest::prelude::*;

use super::*;
use crate::frame::MAX_PACKETS_PER_FRAME;
use crate::ids::StreamId;
use crate::rtp::MAX_ACCESS_UNIT_BYTES;

const MS: Duration = Duration::from_millis(1);
const PATIENCE: Duration = Duration::from_millis(100);
const VIDEO: u8 = 96;
const OTHER_VIDEO: u8 = 98;
const AUDIO: u8 = 111;
const H264: Codec = Codec::H264 {
    profile_level_id: 0x42_e0_1f,
};

fn format(payload_type: u8, codec: Codec) -> UnitFormat {
    let rendition = RenditionId {
        stream: StreamId(0),
        codec: payload_type.into(),
        level: 0,
    };
    UnitFormat {
        payload_type,
        codec,
        rendition,
    }
}

fn units_of(formats: &[(u8, Codec)], delivery: Delivery) -> AccessUnits {
    let formats = formats.iter();
    AccessUnits::new(AccessUnitsConfig {
        formats: formats.map(|(kind, codec)| format(*kind, *codec)).collect(),
        patience: PATIENCE,
        delivery,
    })
}

fn whole_frames() -> AccessUnits {
    units_of(&[(VIDEO, Codec::Vp8), (OTHER_VIDEO, H264)], Delivery::Whole)
}

fn packet(sequence: u64, timestamp: u32, payload: &[u8], arrived: Instant) -> ReceivedPacket {
    ReceivedPacket {
        mid: Arc::from("video0"),
        rid: None,
        ssrc: 1,
        payload_type: VIDEO,
        sequence,
        timestamp,
        marker: false,
        payload: payload.into(),
        arrived,
        orientation: None,
        captured: None,
        dependency_descriptor: None,
        sender_report: None,
    }
}

/// Packets of a frame of VP8, the first of which has this sequence number.
fn frame(first: u64, number: u32, key: bool, packets: u8, now: Instant) -> Vec<ReceivedPacket> {
    let packet = |place: u8| {
        let descriptor = if place == 0 { 0x10 } else { 0x00 };
        let payload = [descriptor, u8::from(!key), number as u8, place];
        let sequence = first.wrapping_add(place.into());
        ReceivedPacket {
            marker: place + 1 == packets,
            ..packet(sequence, number.wrapping_mul(3_000), &payload, now)
        }
    };
    (0..packets).map(packet).collect()
}

fn push(units: &mut AccessUnits, packets: impl IntoIterator<Item = ReceivedPacket>) {
    for packet in packets {
        let captured = packet.arrived;
        units.handle_packet(packet, captured);
    }
}

fn frames(units: &mut AccessUnits) -> Vec<AccessUnit> {
    std::iter::from_fn(|| units.poll_frame()).collect()
}

fn events(units: &mut AccessUnits) -> Vec<AccessUnitEvent> {
    std::iter::from_fn(|| units.poll_event()).collect()
}

fn numbers(units: &mut AccessUnits) -> Vec<u8> {
    let frames = frames(units);
    frames.iter().map(|it| it.frame.packets[0][2]).collect()
}

fn lost(packets: u64) -> AccessUnitEvent {
    AccessUnitEvent::Lost {
        packets,
        is_cut: false,
    }
}

#[test]
fn frame_ends_with_its_marker() {
    let now = Instant::now();
    let mut units = whole_frames();
    let packets = frame(5, 1, true, 3, now);
    push(&mut units, packets[..2].to_vec());
    assert_eq!(frames(&mut units), []);
    push(&mut units, packets[2..].to_vec());
    let unit = units.poll_frame().expect("it is complete");
    let expected: Vec<_> = packets.iter().map(|it| Arc::clone(&it.payload)).collect();
    assert_eq!(unit.frame.packets, expected);
    assert!(unit.begins && unit.ends && unit.frame.key);
    assert_eq!((unit.ssrc, unit.frame.rtp_time), (1, 3_000));
    assert_eq!(unit.frame.rendition, format(VIDEO, Codec::Vp8).rendition);
    assert_eq!(units.poll_event(), None);
}

#[test]
fn frame_without_a_marker_ends_where_the_time_changes() {
    let now = Instant::now();
    let mut units = whole_frames();
    let mut first = frame(5, 1, true, 2, now);
    first[1].marker = false;
    push(&mut units, first);
    assert_eq!(frames(&mut units), []);
    push(&mut units, frame(7, 2, false, 2, now));
    assert_eq!(numbers(&mut units), [1, 2]);
}

#[test]
fn rtp_time_may_pass_its_end() {
    let now = Instant::now();
    let mut units = whole_frames();
    let first = u32::MAX / 3_000;
    push(&mut units, frame(65_534, first, true, 4, now));
    push(&mut units, frame(65_538, first + 1, false, 2, now));
    let times: Vec<_> = frames(&mut units)
        .iter()
        .map(|it| it.frame.rtp_time)
        .collect();
    assert_eq!(
        times,
        [first * 3_000, first.wrapping_add(1).wrapping_mul(3_000)]
    );
    assert!(times[1] < times[0]);
}

#[test]
fn stream_begins_with_a_key_frame_which_is_asked_for() {
    let now = Instant::now();
    let mut units = whole_frames();
    push(&mut units, frame(1, 1, false, 2, now));
    assert_eq!(numbers(&mut units), []);
    assert_eq!(events(&mut units), [AccessUnitEvent::KeyFrameNeeded]);
    push(&mut units, frame(3, 2, false, 2, now + 100 * MS));
    assert_eq!(events(&mut units), []);
    push(&mut units, frame(5, 3, false, 2, now + KEY_FRAME_INTERVAL));
    assert_eq!(events(&mut units), [AccessUnitEvent::KeyFrameNeeded]);
    push(&mut units, frame(7, 4, true, 2, now + KEY_FRAME_INTERVAL));
    assert_eq!(numbers(&mut units), [4]);
    assert_eq!(units.statistics().units_dropped, 3);
}

#[test]
fn packets_out_of_order_make_the_same_frames() {
    let now = Instant::now();
    let mut units = whole_frames();
    let mut packets = frame(1, 1, true, 3, now);
    packets.extend(frame(4, 2, false, 3, now));
    let first = packets.remove(0);
    push(&mut units, [first]);
    packets.reverse();
    push(&mut units, packets);
    assert_eq!(numbers(&mut units), [1, 2]);
    assert_eq!(events(&mut units), []);
}

#[test]
fn frame_with_a_lost_packet_is_dropped_up_to_the_next_key_frame() {
    let now = Instant::now();
    let mut units = whole_frames();
    push(&mut units, frame(1, 1, true, 2, now));
    let mut cut = frame(3, 2, false, 3, now);
    cut.remove(1);
    push(&mut units, cut);
    push(&mut units, frame(6, 3, false, 2, now));
    assert_eq!(numbers(&mut units), [1]);
    assert_eq!(events(&mut units), []);
    let late = now + PATIENCE;
    assert_eq!(units.poll_timeout(), Some(late));
    units.handle_timeout(late);
    assert_eq!(numbers(&mut units), []);
    assert_eq!(
        events(&mut units),
        [lost(1), AccessUnitEvent::KeyFrameNeeded]
    );
    push(&mut units, frame(8, 4, false, 2, late));
    push(&mut units, frame(10, 5, true, 2, late));
    push(&mut units, frame(12, 6, false, 2, late));
    assert_eq!(numbers(&mut units), [5, 6]);
    let expected = AccessUnitStatistics {
        units: 3,
        units_dropped: 3,
        packets_lost: 1,
        packets_late: 0,
    };
    assert_eq!(units.statistics(), expected);
    assert_eq!(units.poll_timeout(), None);
}

#[test]
fn key_frame_right_behind_a_gap_goes_on_if_its_first_packet_is_there() {
    let now = Instant::now();
    let mut units = whole_frames();
    push(&mut units, frame(1, 1, true, 2, now));
    // All of frame 2 is lost.
    push(&mut units, frame(5, 3, true, 2, now));
    units.handle_timeout(now + PATIENCE);
    assert_eq!(numbers(&mut units), [1, 3]);
    // All of frame 4, and the first packet of the next.
    push(
        &mut units,
        frame(9, 5, true, 3, now + PATIENCE).split_off(1),
    );
    units.handle_timeout(now + 2 * PATIENCE);
    assert_eq!(numbers(&mut units), []);
}

#[test]
fn h264_key_frame_behind_a_gap_begins_with_its_parameter_sets() {
    let now = Instant::now();
    for (payload, goes_on) in [
        (&[0x78, 0, 2, 0x67, 0x42, 0, 1, 0x68][..], true),
        (&[0x09, 0x10], true),
        // What stood in front of it may be lost.
        (&[0x68, 0xce], false),
        (&[0x7c, 0x85, 0x88], false),
    ] {
        let mut units = whole_frames();
        let of_type = |packet| ReceivedPacket {
            payload_type: OTHER_VIDEO,
            ..packet
        };
        let end = ReceivedPacket {
            marker: true,
            ..packet(8, 5, &[0x65, 0x88], now)
        };
        push(&mut units, [packet(7, 5, payload, now), end].map(of_type));
        assert_eq!(
            frames(&mut units).len(),
            usize::from(goes_on),
            "{payload:?}"
        );
    }
}

#[test]
fn late_packets_change_nothing() {
    let now = Instant::now();
    let mut units = whole_frames();
    let first = frame(1, 1, true, 2, now);
    push(&mut units, first.clone());
    push(&mut units, first);
    push(&mut units, frame(3, 2, false, 2, now));
    assert_eq!(numbers(&mut units), [1, 2]);
    assert_eq!(units.statistics().packets_late, 2);
}

#[test]
fn padding_and_other_payload_types_are_part_of_no_frame() {
    let now = Instant::now();
    let mut units = whole_frames();
    let mut key = frame(1, 1, true, 4, now);
    key[1].payload = Arc::from([]);
    key[2].payload_type = 13;
    push(&mut units, key);
    let unit = units.poll_frame().expect("it is complete");
    assert_eq!(unit.frame.packets.len(), 2);
    assert_eq!(units.poll_event(), None);
}

#[test]
fn other_source_begins_with_a_key_frame() {
    let now = Instant::now();
    let mut units = whole_frames();
    push(&mut units, frame(1, 1, true, 2, now));
    push(&mut units, frame(3, 2, false, 3, now).into_iter().take(2));
    let other = |packet| ReceivedPacket { ssrc: 2, ..packet };
    push(
        &mut units,
        frame(900, 8, false, 2, now).into_iter().map(other),
    );
    push(
        &mut units,
        frame(902, 9, true, 2, now).into_iter().map(other),
    );
    assert_eq!(numbers(&mut units), [1, 9]);
    assert_eq!(
        events(&mut units),
        [lost(0), AccessUnitEvent::KeyFrameNeeded]
    );
}

#[test]
fn other_codec_is_other_frames_of_another_rendition() {
    let now = Instant::now();
    let mut units = whole_frames();
    let mut unfinished = frame(1, 1, true, 2, now);
    unfinished[1].marker = false;
    push(&mut units, unfinished);
    let of_h264 = ReceivedPacket {
        payload_type: OTHER_VIDEO,
        marker: true,
        ..packet(3, 3_000, &[0x65, 0x88], now)
    };
    push(&mut units, [of_h264]);
    let renditions = frames(&mut units);
    let renditions: Vec<_> = renditions
        .iter()
        .map(|it| it.frame.rendition.codec)
        .collect();
    assert_eq!(renditions, [u32::from(VIDEO), u32::from(OTHER_VIDEO)]);
    // What comes of the first again begins with a key frame.
    push(&mut units, frame(4, 4, false, 2, now));
    assert_eq!(frames(&mut units), []);
    assert_eq!(events(&mut units), [AccessUnitEvent::KeyFrameNeeded]);
}

#[test]
fn packets_of_audio_are_frames_and_need_no_others() {
    let now = Instant::now();
    let mut units = units_of(&[(AUDIO, Codec::Opus)], Delivery::Whole);
    let audio = |sequence| ReceivedPacket {
        payload_type: AUDIO,
        ..packet(sequence, 960 * sequence as u32, &[0xfc], now)
    };
    push(&mut units, [1, 2, 5, 6].map(audio));
    units.handle_timeout(now + PATIENCE);
    let times: Vec<_> = frames(&mut units)
        .iter()
        .map(|it| it.frame.rtp_time / 960)
        .collect();
    assert_eq!(times, [1, 2, 5, 6]);
    assert_eq!(events(&mut units), [lost(2)]);
}

#[test]
fn what_packets_say_beside_their_payload_goes_with_their_frame() {
    let now = Instant::now();
    let mut units = whole_frames();
    let mut packets = frame(1, 1, true, 3, now);
    let captured = CaptureTime {
        time: std::time::SystemTime::UNIX_EPOCH,
        clock_offset: Some(7),
    };
    packets[0].captured = Some(captured);
    packets[0].dependency_descriptor = Some(Arc::from([0x80, 0, 1]));
    packets[2].dependency_descriptor = Some(Arc::from([0x40, 0, 1]));
    packets[2].orientation = Some(90);
    let captured_at = now - 7 * MS;
    for packet in packets {
        units.handle_packet(packet, captured_at);
    }
    let unit = units.poll_frame().expect("it is complete");
    assert_eq!(unit.frame.wall_clock, captured_at);
    assert_eq!(
        (unit.captured, unit.orientation),
        (Some(captured), Some(90))
    );
    let descriptors = unit.dependency_descriptors.iter();
    let lengths: Vec<_> = descriptors.map(|it| it.as_ref().map(|it| it[0])).collect();
    assert_eq!(lengths, [Some(0x80), None, Some(0x40)]);
}

#[test]
fn frame_of_too_many_packets_is_lost() {
    let now = Instant::now();
    let mut units = whole_frames();
    let packets = |first: u64, count: u64| {
        let packet = move |place: u64| {
            let payload: &[u8] = if place == 0 {
                &[0x10, 0, 1]
            } else {
                &[0x00, 0, 1]
            };
            ReceivedPacket {
                marker: place + 1 == count,
                ..packet(first + place, first as u32, payload, now)
            }
        };
        (0..count).map(packet)
    };
    let most = MAX_PACKETS_PER_FRAME as u64;
    push(&mut units, packets(0, most));
    assert_eq!(frames(&mut units).len(), 1);
    push(&mut units, packets(most, most + 1));
    assert_eq!(frames(&mut units), []);
    assert_eq!(
        events(&mut units),
        [lost(0), AccessUnitEvent::KeyFrameNeeded]
    );
}

#[test]
fn frame_of_too_many_bytes_is_lost() {
    let now = Instant::now();
    let mut units = whole_frames();
    let mut packets = frame(1, 1, true, 2, now);
    let mut long = vec![0; MAX_ACCESS_UNIT_BYTES - 4];
    long[0] = 0x10;
    packets[0].payload = long.into();
    push(&mut units, packets.clone());
    assert_eq!(frames(&mut units).len(), 1);
    let mut longer = packets[0].payload.to_vec();
    longer.push(0);
    packets[0].payload = longer.into();
    let further = |packet: ReceivedPacket| ReceivedPacket {
        sequence: packet.sequence + 2,
        timestamp: 9,
        ..packet
    };
    push(&mut units, packets.into_iter().map(further));
    assert_eq!(frames(&mut units), []);
    assert_eq!(
        events(&mut units),
        [lost(0), AccessUnitEvent::KeyFrameNeeded]
    );
}

#[test]
fn frames_and_events_that_the_owner_leaves_are_bounded() {
    let now = Instant::now();
    let mut units = whole_frames();
    for number in 0..2 * MAX_WAITING_UNITS as u32 {
        push(&mut units, frame(number.into(), number, true, 1, now));
    }
    assert_eq!(frames(&mut units).len(), MAX_WAITING_UNITS);
    for step in 1..2 * MAX_WAITING_EVENTS as u32 {
        let sequence = 10_000 + 10 * u64::from(step);
        let now = now + step * KEY_FRAME_INTERVAL;
        push(&mut units, frame(sequence, step, false, 1, now));
        units.handle_timeout(now + PATIENCE);
    }
    assert_eq!(events(&mut units).len(), MAX_WAITING_EVENTS);
}

#[test]
fn parts_go_on_before_the_frame_is_complete() {
    let now = Instant::now();
    let hold_at_most = 2 * MS;
    let mut units = units_of(&[(VIDEO, Codec::Vp8)], Delivery::InParts { hold_at_most });
    let mut packets = frame(1, 1, true, 5, now);
    packets[4].arrived = now + 3 * MS;
    let last = packets.pop();
    push(&mut units, packets);
    assert_eq!(frames(&mut units), []);
    assert_eq!(units.poll_timeout(), Some(now + hold_at_most));
    units.handle_timeout(now + hold_at_most);
    let part = units.poll_frame().expect("a part");
    assert_eq!((part.begins, part.ends), (true, false));
    // Nobody knows yet whether the fourth is the last.
    assert_eq!((part.frame.packets.len(), part.frame.key), (3, true));
    assert_eq!(units.poll_timeout(), None);
    push(&mut units, last);
    let part = units.poll_frame().expect("the rest");
    assert_eq!((part.begins, part.ends), (false, true));
    assert_eq!(part.frame.packets.len(), 2);
    assert_eq!(units.statistics().units, 1);
}

#[test]
fn frame_of_which_parts_went_on_is_cut_by_a_loss() {
    let now = Instant::now();
    let hold_at_most = Duration::ZERO;
    let mut units = units_of(&[(VIDEO, Codec::Vp8)], Delivery::InParts { hold_at_most });
    let mut packets = frame(1, 1, true, 5, now);
    packets.remove(2);
    push(&mut units, packets);
    let parts = frames(&mut units);
    assert_eq!(parts.len(), 1);
    assert!(parts[0].begins && !parts[0].ends);
    units.handle_timeout(now + PATIENCE);
    let cut = AccessUnitEvent::Lost {
        packets: 1,
        is_cut: true,
    };
    assert_eq!(events(&mut units), [cut, AccessUnitEvent::KeyFrameNeeded]);
    push(&mut units, frame(6, 2, false, 3, now + PATIENCE));
    assert_eq!(frames(&mut units), []);
}

#[test]
fn no_part_goes_on_before_it_is_known_to_be_of_a_key_frame() {
    let now = Instant::now();
    let hold_at_most = Duration::ZERO;
    let mut units = units_of(&[(VIDEO, H264)], Delivery::InParts { hold_at_most });
    let payloads: [&[u8]; 4] = [&[0x09, 0x10], &[0x06, 0x05], &[0x67, 0x42], &[0x65, 0x88]];
    let payloads = (0..).zip(payloads);
    let mut packets = payloads.map(|(place, payload)| packet(place, 5, payload, now));
    push(&mut units, packets.by_ref().take(2));
    assert_eq!(frames(&mut units), []);
    push(&mut units, packets);
    let parts = frames(&mut units);
    let keys: Vec<_> = parts.iter().map(|it| (it.frame.key, it.begins)).collect();
    assert_eq!(keys, [(true, true), (true, false)]);
}

/// What a network does to a packet.
#[derive(Clone, Copy, Debug)]
struct Fate {
    is_lost: bool,
    is_doubled: bool,
    /// By how much it is late, in ms.
    delay: u32,
}

fn fates(most_delay: u32, loss: u32) -> impl Strategy<Value = Vec<Fate>> {
    let fate =
        (0..100_u32, 0..100_u32, 0..=most_delay).prop_map(move |(lost, doubled, delay)| Fate {
            is_lost: lost < loss,
            is_doubled: doubled < 5,
            delay,
        });
    prop::collection::vec(fate, 120)
}

/// Frames as they are sent: a key frame each ten, of one to four packets.
fn sent(start: Instant, first: u64) -> Vec<Vec<ReceivedPacket>> {
    let mut next = first;
    let frame = |number: u32| {
        let packets = (number * 7 % 4 + 1) as u8;
        let first = next;
        next = next.wrapping_add(packets.into());
        frame(
            first,
            number,
            number.is_multiple_of(10),
            packets,
            start + number * 33 * MS,
        )
    };
    (0..40).map(frame).collect()
}

/// Packets in the order in which they come, each with its time.
fn on_the_way(frames: &[Vec<ReceivedPacket>], fates: &[Fate]) -> Vec<ReceivedPacket> {
    let mut arriving = Vec::new();
    for (packet, fate) in frames.iter().flatten().zip(fates.iter().cycle()) {
        let arrived = packet.arrived + fate.delay * MS;
        let packet = ReceivedPacket {
            arrived,
            ..packet.clone()
        };
        if fate.is_doubled {
            arriving.push(ReceivedPacket {
                arrived: arrived + 40 * MS,
                ..packet.clone()
            });
        }
        if !fate.is_lost {
            arriving.push(packet);
        }
    }
    arriving.sort_by_key(|packet| packet.arrived);
    arriving
}

fn payloads(frame: &[ReceivedPacket]) -> Vec<Arc<[u8]>> {
    frame.iter().map(|it| Arc::clone(&it.payload)).collect()
}

proptest! {
    #[test]
    fn reordered_packets_make_all_frames(fates in fates(99, 0), first in 0..1_u64 << 48) {
        let start = Instant::now();
        let sent = sent(start, first);
        let mut units = whole_frames();
        // The first packet says where the sequence begins.
        let mut fates = fates;
        fates[0].delay = 0;
        push(&mut units, on_the_way(&sent, &fates));
        let received: Vec<_> = frames(&mut units).into_iter().map(|it| it.frame.packets).collect();
        let expected: Vec<_> = sent.iter().map(|frame| payloads(frame)).collect();
        prop_assert_eq!(received, expected);
        prop_assert_eq!(units.statistics().packets_lost, 0);
    }

    #[test]
    fn whatever_is_lost_each_frame_that_comes_can_be_decoded(
        fates in fates(250, 8),
        first in 0..1_u64 << 48,
        in_parts: bool,
    ) {
        let start = Instant::now();
        let sent = sent(start, first);
        let delivery = if in_parts {
            Delivery::InParts { hold_at_most: 2 * MS }
        } else {
            Delivery::Whole
        };
        let mut units = units_of(&[(VIDEO, Codec::Vp8)], delivery);
        let mut parts = Vec::new();
        for packet in on_the_way(&sent, &fates) {
            while let Some(at) = units.poll_timeout().filter(|at| *at <= packet.arrived) {
                units.handle_timeout(at);
            }
            push(&mut units, [packet]);
            parts.extend(frames(&mut units));
        }
        while let Some(at) = units.poll_timeout() {
            units.handle_timeout(at);
            parts.extend(frames(&mut units));
        }
        let mut received: Vec<(Vec<Arc<[u8]>>, bool)> = Vec::new();
        for part in parts {
            prop_assert!(!part.frame.packets.is_empty());
            if part.begins {
                received.push((Vec::new(), false));
            }
            let (packets, is_complete) = received.last_mut().expect("it begins");
            prop_assert!(!*is_complete);
            packets.extend(part.frame.packets);
            *is_complete = part.ends;
        }
        let mut before = None;
        for (packets, is_complete) in received {
            let number = usize::from(packets[0][2]);
            let expected = payloads(&sent[number]);
            if is_complete {
                prop_assert_eq!(&packets, &expected);
            } else {
                prop_assert!(in_parts && expected.starts_with(&packets));
            }
            let is_key = number.is_multiple_of(10);
            prop_assert!(before < Some(number));
            prop_assert!(is_key || before == number.checked_sub(1), "{number} behind {before:?}");
            before = is_complete.then_some(number).or(before);
        }
    }

    #[test]
    fn any_packets_are_borne(
        packets in prop::collection::vec(
            (0..3_u32, 0..40_u64, 0..4_u32, any::<bool>(), 0..3_u8, prop::collection::vec(any::<u8>(), 0..6), 0..60_u32),
            0..80,
        ),
        in_parts: bool,
    ) {
        let delivery = if in_parts {
            Delivery::InParts { hold_at_most: MS }
        } else {
            Delivery::Whole
        };
        let formats = [(0, Codec::Vp8), (1, H264), (2, Codec::Av1 { profile: 0 })];
        let mut units = units_of(&formats, delivery);
        let mut now = Instant::now();
        for (ssrc, sequence, timestamp, marker, payload_type, payload, wait) in packets {
            now += wait * MS;
            let packet = ReceivedPacket {
                ssrc,
                marker,
                payload_type,
                ..packet(sequence, timestamp, &payload, now)
            };
            units.handle_packet(packet, now);
            for part in frames(&mut units) {
                prop_assert!(!part.frame.packets.is_empty());
                prop_assert_eq!(part.frame.packets.len(), part.dependency_descriptors.len());
            }
            events(&mut units);
            prop_assert!(units.poll_timeout().is_none_or(|at| at > now));
        }
    }
}
