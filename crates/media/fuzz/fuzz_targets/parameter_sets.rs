//! Whatever a sequence parameter set of H.264 is: it is read or none, and one that is written says what it said.
//!
//! The input is a NAL unit.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wigwag_media::rtp::h264_sps::{Colours, MAX_SPS_BYTES, SequenceParameters, with_colours};
use wigwag_media::rtp::nal_units::{Framing, Standard, contents, units};

const COLOURS: Colours = Colours {
    primaries: 6,
    transfer: 6,
    matrix: 6,
    full_range: false,
};

fuzz_target!(|unit: &[u8]| {
    let read = SequenceParameters::read(unit);
    if let Some(described) = with_colours(unit, COLOURS)
        && described.len() <= MAX_SPS_BYTES
    {
        assert_eq!(SequenceParameters::read(&described), read);
    }
    for framing in [Framing::StartCodes, Framing::Lengths(2)] {
        let bytes: usize = contents(unit, framing).map(<[u8]>::len).sum();
        assert!(bytes <= unit.len());
        for standard in [Standard::H264, Standard::H265] {
            for (place, _) in units(unit, framing, standard) {
                assert!(place.start <= place.end && place.end <= unit.len());
            }
        }
    }
});
