//! The video usability information of H.264 (ITU-T H.264, annex E), in byte streams.

use wigwag_media::rtp::descriptor::h264::{nal_unit_type, unit_type};
use wigwag_media::rtp::h264_sps::{Colours, with_colours};
use wigwag_media::rtp::nal_units::{starts, unit_at};

use super::{BT601, LIMITED};

/// BT.601 in limited range.
const COLOURS: Colours = Colours {
    primaries: BT601 as u8,
    transfer: BT601 as u8,
    matrix: BT601 as u8,
    full_range: LIMITED != 0,
};

/// An access unit in which sequence parameter sets say that pictures are of BT.601; none if there is none of them.
pub(super) fn described(access_unit: &[u8]) -> Option<Vec<u8>> {
    let mut out: Option<Vec<u8>> = None;
    let mut copied = 0;
    for begin in starts(access_unit) {
        let Some(header) = access_unit.get(begin) else {
            break;
        };
        match unit_type(*header) {
            nal_unit_type::SEQUENCE_PARAMETER_SET => {}
            // What follows a slice is of the same picture.
            nal_unit_type::SLICE..=nal_unit_type::IDR => break,
            _ => continue,
        }
        let Some(unit) = unit_at(access_unit, begin) else {
            continue;
        };
        let Some(set) = with_colours(unit, COLOURS) else {
            continue;
        };
        let out = out.get_or_insert_default();
        out.extend_from_slice(access_unit.get(copied..begin)?);
        out.extend(set);
        copied = begin + unit.len();
    }
    let mut out = out?;
    out.extend_from_slice(access_unit.get(copied..)?);
    Some(out)
}
