//! The colour space in key frames of VP9 (VP9 Bitstream & Decoding Process Specification, sections 6.2 and 7.2.2).

/// `CS_BT_601`.
const BT601: u8 = 1;

/// `CS_RGB`, which profile 0 does not have.
const RGB: u8 = 7;

const SYNC_CODE: [u8; 3] = [0x49, 0x83, 0x42];

/// A frame that says, if it is a key frame, that pictures are of BT.601; none if nothing was to change.
pub(super) fn described(frame: &[u8]) -> Option<Vec<u8>> {
    let [head, first, second, third, colours, ..] = *frame else {
        return None;
    };
    // Marker 2, profile 0, shown for the first time, key frame; then the code, then the colour space and the range.
    let key_frame = head & 0b1111_1100 == 0b1000_0000;
    if !key_frame || [first, second, third] != SYNC_CODE || colours >> 5 == BT601 {
        return None;
    }
    if colours >> 5 == RGB {
        return None;
    }
    let mut frame = frame.to_vec();
    frame[4] = colours & 0b0000_1111 | BT601 << 5;
    Some(frame)
}
