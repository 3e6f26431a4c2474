//! Packets put together by ours, and what of a stream is not sent.

use std::time::Duration;

use wigwag_media::ids::{RenditionId, StreamId};
use wigwag_media::rtp::ReceivedPacket;
use wigwag_media::rtp::access_units::{
    AccessUnit, AccessUnits, AccessUnitsConfig, Delivery, UnitFormat,
};
use wigwag_media::rtp::descriptor::av1::Av1AggregationHeader;
use wigwag_media::rtp::descriptor::h264::{nal_unit_type, unit_type};
use wigwag_media::rtp::descriptor::h265::H265Payload;
use wigwag_media::rtp::nal_units::{Framing, contents};
use wigwag_media::session::Codec;

const PATIENCE: Duration = Duration::from_millis(100);

/// The frames of packets; what is missing never comes.
pub fn access_units(codec: Codec, packets: &[ReceivedPacket]) -> Vec<AccessUnit> {
    let format = UnitFormat {
        payload_type: 96,
        codec,
        rendition: RenditionId {
            stream: StreamId(0),
            codec: 0,
            level: 0,
        },
    };
    let mut units = AccessUnits::new(AccessUnitsConfig {
        formats: vec![format],
        patience: PATIENCE,
        delivery: Delivery::Whole,
    });
    for packet in packets {
        units.handle_packet(packet.clone(), packet.arrived);
    }
    while let Some(at) = units.poll_timeout() {
        units.handle_timeout(at);
    }
    std::iter::from_fn(|| units.poll_frame()).collect()
}

/// The units of a byte stream of H.264, without delimiters, which payloaders leave out.
pub fn without_delimiters(stream: &[u8]) -> Vec<&[u8]> {
    let units = contents(stream, Framing::StartCodes);
    units
        .filter(|unit| unit_type(unit[0]) != nal_unit_type::ACCESS_UNIT_DELIMITER)
        .collect()
}

/// The units of H.265 in payloads.
pub fn h265_unit<'a>(payloads: impl Iterator<Item = &'a [u8]>) -> Vec<Vec<u8>> {
    let mut units: Vec<Vec<u8>> = Vec::new();
    for payload in payloads {
        match H265Payload::read(payload).expect("a payload") {
            H265Payload::Single(unit) => units.push(unit.to_vec()),
            H265Payload::Aggregate(aggregate) => {
                let aggregate = aggregate.map(|unit| unit.expect("well formed").to_vec());
                units.extend(aggregate);
            }
            H265Payload::Fragment(fragment) => {
                if fragment.begins {
                    units.push(fragment.header.to_vec());
                }
                let unit = units.last_mut().expect("it begins");
                unit.extend_from_slice(fragment.bytes);
            }
            H265Payload::Unsupported(unit_type) => panic!("{unit_type}"),
        }
    }
    units
}

/// The OBUs in payloads, as they are sent: without lengths.
#[cfg(feature = "av1")]
pub fn obus<'a>(payloads: impl Iterator<Item = &'a [u8]>) -> Vec<Vec<u8>> {
    let mut obus: Vec<Vec<u8>> = Vec::new();
    for payload in payloads {
        let (header, elements) = Av1AggregationHeader::read(payload).expect("a header");
        for (place, element) in elements.enumerate() {
            let element = element.expect("well formed");
            match obus.last_mut().filter(|_| place == 0 && header.continues) {
                Some(last) => last.extend_from_slice(element),
                None => obus.push(element.to_vec()),
            }
        }
    }
    obus
}

/// The OBUs of a temporal unit without their lengths and the delimiter in front of them, which are not sent (AV1 bitstream
/// specification, sections 5.3 and 6.2).
#[cfg(feature = "av1")]
pub fn without_temporal_delimiters(unit: &[u8]) -> Vec<Vec<u8>> {
    const TEMPORAL_DELIMITER: u8 = 2;
    const HAS_EXTENSION: u8 = 0x04;
    const HAS_LENGTH: u8 = 0x02;
    let mut obus = Vec::new();
    let mut rest = unit;
    while let Some((&header, behind)) = rest.split_first() {
        let (extension, behind) = behind.split_at(usize::from(header & HAS_EXTENSION != 0));
        assert_ne!(header & HAS_LENGTH, 0);
        let last = behind.iter().position(|byte| byte & 0x80 == 0);
        let (length, behind) = behind.split_at(last.expect("it ends") + 1);
        let length = length
            .iter()
            .rev()
            .fold(0, |length, byte| length << 7 | usize::from(byte & 0x7f));
        let (content, behind) = behind.split_at(length);
        rest = behind;
        if header >> 3 & 0x0f != TEMPORAL_DELIMITER {
            obus.push([&[header & !HAS_LENGTH][..], extension, content].concat());
        }
    }
    obus
}
