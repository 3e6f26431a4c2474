//! The payload descriptor of VP8 (RFC 7741, section 4.2).
//!
//! ```text
//!  0 1 2 3 4 5 6 7
//! +-+-+-+-+-+-+-+-+
//! |X|R|N|S|R| PID |
//! +-+-+-+-+-+-+-+-+
//! |I|L|T|K| RSV   |  if X
//! |M| PictureID   |  if I, and one more byte if M
//! |   TL0PICIDX   |  if L
//! |TID|Y| KEYIDX  |  if T or K
//! +-+-+-+-+-+-+-+-+
//! ```

use super::{PictureId, take_byte};

/// The first bit of the first byte: further bytes follow.
const EXTENDED: u8 = 0x80;
const NON_REFERENCE: u8 = 0x20;
const BEGINS_PARTITION: u8 = 0x10;
const PARTITION: u8 = 0x07;

const HAS_PICTURE_ID: u8 = 0x80;
const HAS_TL0_PIC_IDX: u8 = 0x40;
const HAS_TEMPORAL_LAYER: u8 = 0x20;
const HAS_KEY_IDX: u8 = 0x10;

const LAYER_SYNC: u8 = 0x20;
const KEY_IDX: u8 = 0x1f;

/// The lowest bit of a frame's first byte: 0 in key frames (RFC 6386, section 9.1).
const PREDICTED: u8 = 0x01;

/// The descriptor of one packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Vp8Descriptor {
    /// N: no other frame is predicted from this one.
    pub non_reference: bool,
    /// S: the packet begins a partition.
    pub begins_partition: bool,
    /// PID: the number of that partition, below 8.
    pub partition: u8,
    /// The number of the frame.
    pub picture_id: Option<PictureId>,
    /// The number of the last frame of temporal layer 0.
    pub tl0_pic_idx: Option<u8>,
    /// The temporal layer of the frame.
    pub temporal_layer: Option<TemporalLayer>,
    /// The number of the last key frame, below 32.
    pub key_idx: Option<u8>,
}

/// The temporal layer of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TemporalLayer {
    /// TID, below 4.
    pub id: u8,
    /// Y: the frame is predicted from layer 0 alone.
    pub is_sync: bool,
}

/// Numbers that take the place of those in a packet. Fields that the packet lacks are not added, so it keeps its length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Vp8Patch {
    /// The picture id, of which a packet takes as many bits as it has.
    pub picture_id: Option<u16>,
    /// TL0PICIDX.
    pub tl0_pic_idx: Option<u8>,
    /// KEYIDX, of which the lowest 5 bits count.
    pub key_idx: Option<u8>,
}

impl Vp8Descriptor {
    /// The descriptor of a payload, and what stands behind it; none if it is cut short.
    pub fn read(payload: &[u8]) -> Option<(Self, &[u8])> {
        let (first, mut rest) = payload.split_first()?;
        let mut descriptor = Self {
            non_reference: first & NON_REFERENCE != 0,
            begins_partition: first & BEGINS_PARTITION != 0,
            partition: first & PARTITION,
            ..Self::default()
        };
        if first & EXTENDED == 0 {
            return Some((descriptor, rest));
        }
        let present = take_byte(&mut rest)?;
        if present & HAS_PICTURE_ID != 0 {
            descriptor.picture_id = Some(PictureId::take(&mut rest)?);
        }
        if present & HAS_TL0_PIC_IDX != 0 {
            descriptor.tl0_pic_idx = Some(take_byte(&mut rest)?);
        }
        if present & (HAS_TEMPORAL_LAYER | HAS_KEY_IDX) != 0 {
            let byte = take_byte(&mut rest)?;
            if present & HAS_TEMPORAL_LAYER != 0 {
                descriptor.temporal_layer = Some(TemporalLayer {
                    id: byte >> 6,
                    is_sync: byte & LAYER_SYNC != 0,
                });
            }
            if present & HAS_KEY_IDX != 0 {
                descriptor.key_idx = Some(byte & KEY_IDX);
            }
        }
        Some((descriptor, rest))
    }

    /// Whether the packet is the first of its frame.
    pub fn begins_frame(&self) -> bool {
        self.begins_partition && self.partition == 0
    }

    /// Whether the packet is the first of a key frame, by what stands behind the descriptor.
    pub fn begins_key_frame(&self, rest: &[u8]) -> bool {
        self.begins_frame() && rest.first().is_some_and(|first| first & PREDICTED == 0)
    }

    /// Bytes that it takes.
    pub fn length(&self) -> usize {
        if !self.is_extended() {
            return 1;
        }
        2 + self.picture_id.map_or(0, PictureId::length)
            + usize::from(self.tl0_pic_idx.is_some())
            + usize::from(self.temporal_layer.is_some() || self.key_idx.is_some())
    }

    /// Appends it to a payload.
    pub fn write(&self, payload: &mut Vec<u8>) {
        let flag = |is_set: bool, flag: u8| if is_set { flag } else { 0 };
        payload.push(
            flag(self.is_extended(), EXTENDED)
                | flag(self.non_reference, NON_REFERENCE)
                | flag(self.begins_partition, BEGINS_PARTITION)
                | self.partition & PARTITION,
        );
        if !self.is_extended() {
            return;
        }
        payload.push(
            flag(self.picture_id.is_some(), HAS_PICTURE_ID)
                | flag(self.tl0_pic_idx.is_some(), HAS_TL0_PIC_IDX)
                | flag(self.temporal_layer.is_some(), HAS_TEMPORAL_LAYER)
                | flag(self.key_idx.is_some(), HAS_KEY_IDX),
        );
        if let Some(picture_id) = self.picture_id {
            let begin = payload.len();
            payload.resize(begin + picture_id.length(), 0);
            let written = payload.get_mut(begin..);
            written.and_then(|place| picture_id.write_over(place));
        }
        payload.extend(self.tl0_pic_idx);
        if self.temporal_layer.is_some() || self.key_idx.is_some() {
            let layer = self
                .temporal_layer
                .map_or(0, |layer| layer.id << 6 | flag(layer.is_sync, LAYER_SYNC));
            payload.push(layer | self.key_idx.unwrap_or_default() & KEY_IDX);
        }
    }

    fn is_extended(&self) -> bool {
        self.picture_id.is_some()
            || self.tl0_pic_idx.is_some()
            || self.temporal_layer.is_some()
            || self.key_idx.is_some()
    }
}

impl Vp8Patch {
    /// Writes the numbers over those of a payload; none if its descriptor is cut short.
    pub fn apply(&self, payload: &mut [u8]) -> Option<()> {
        let (descriptor, _) = Vp8Descriptor::read(payload)?;
        // Behind the two bytes that say what follows.
        let mut rest = payload.get_mut(2..).unwrap_or_default();
        if let Some(old) = descriptor.picture_id {
            let (place, behind) = rest.split_at_mut_checked(old.length())?;
            if let Some(value) = self.picture_id {
                old.with_value(value).write_over(place)?;
            }
            rest = behind;
        }
        if descriptor.tl0_pic_idx.is_some() {
            let (place, behind) = rest.split_first_mut()?;
            *place = self.tl0_pic_idx.unwrap_or(*place);
            rest = behind;
        }
        if let (Some(_), Some(key_idx)) = (descriptor.key_idx, self.key_idx) {
            let place = rest.first_mut()?;
            *place = *place & !KEY_IDX | key_idx & KEY_IDX;
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::option;
    use proptest::prelude::*;

    use super::*;

    fn read(payload: &[u8]) -> (Vp8Descriptor, &[u8]) {
        Vp8Descriptor::read(payload).expect("a descriptor")
    }

    #[test]
    fn descriptor_of_one_byte_is_read() {
        // R is to be ignored.
        let (descriptor, rest) = read(&[0x7b, 9]);
        let expected = Vp8Descriptor {
            non_reference: true,
            begins_partition: true,
            partition: 3,
            ..Vp8Descriptor::default()
        };
        assert_eq!((descriptor, rest), (expected, &[9][..]));
        assert_eq!(descriptor.length(), 1);
    }

    #[test]
    fn every_field_is_read_where_the_rfc_has_it() {
        // X S, I L T K, a picture id of 15 bits, TL0PICIDX, TID 2 with Y and KEYIDX 5.
        let (descriptor, rest) = read(&[0x90, 0xf0, 0x92, 0x34, 0x77, 0xa5, 0x10]);
        assert_eq!(descriptor.picture_id, Some(PictureId::Long(0x1234)));
        assert_eq!(descriptor.tl0_pic_idx, Some(0x77));
        let layer = TemporalLayer {
            id: 2,
            is_sync: true,
        };
        assert_eq!(descriptor.temporal_layer, Some(layer));
        assert_eq!(descriptor.key_idx, Some(5));
        assert_eq!((descriptor.length(), rest), (6, &[0x10][..]));
        // K alone: what stands in the place of TID and Y means nothing.
        let (descriptor, _) = read(&[0x80, 0x10, 0xe3]);
        assert_eq!(
            (descriptor.temporal_layer, descriptor.key_idx),
            (None, Some(3))
        );
        let (descriptor, _) = read(&[0x80, 0x80, 0x05]);
        assert_eq!(descriptor.picture_id, Some(PictureId::Short(5)));
    }

    #[test]
    fn descriptor_that_is_cut_short_is_none() {
        let whole = [0x90, 0xf0, 0x92, 0x34, 0x77, 0xa5];
        for length in 0..whole.len() {
            assert_eq!(Vp8Descriptor::read(&whole[..length]), None, "{length}");
            let patch = Vp8Patch {
                picture_id: Some(1),
                ..Vp8Patch::default()
            };
            let mut cut = whole[..length].to_vec();
            assert_eq!(patch.apply(&mut cut), None);
            assert_eq!(cut, whole[..length]);
        }
    }

    #[test]
    fn patch_changes_the_numbers_that_a_packet_has_and_no_others() {
        let patch = Vp8Patch {
            picture_id: Some(0x7ffe),
            tl0_pic_idx: Some(0x11),
            key_idx: Some(0x3f),
        };
        let patched = |payload: &[u8]| {
            let mut payload = payload.to_vec();
            patch.apply(&mut payload).expect("a descriptor");
            payload
        };
        assert_eq!(
            patched(&[0x90, 0xf0, 0x92, 0x34, 0x77, 0xa5, 0x10]),
            [0x90, 0xf0, 0xff, 0xfe, 0x11, 0xbf, 0x10]
        );
        assert_eq!(patched(&[0x90, 0x80, 0x05, 9]), [0x90, 0x80, 0x7e, 9]);
        // Without KEYIDX its place stays.
        assert_eq!(patched(&[0x90, 0x20, 0xa5, 9]), [0x90, 0x20, 0xa5, 9]);
        assert_eq!(patched(&[0x10, 9]), [0x10, 9]);
    }

    fn any_descriptor() -> impl Strategy<Value = Vp8Descriptor> {
        let picture_id = prop_oneof![
            (0..=0x7f_u8).prop_map(PictureId::Short),
            (0..=0x7fff_u16).prop_map(PictureId::Long),
        ];
        let layer =
            (0..4_u8, any::<bool>()).prop_map(|(id, is_sync)| TemporalLayer { id, is_sync });
        (
            any::<bool>(),
            any::<bool>(),
            0..8_u8,
            option::of(picture_id),
            option::of(any::<u8>()),
            option::of(layer),
            option::of(0..32_u8),
        )
            .prop_map(|it| Vp8Descriptor {
                non_reference: it.0,
                begins_partition: it.1,
                partition: it.2,
                picture_id: it.3,
                tl0_pic_idx: it.4,
                temporal_layer: it.5,
                key_idx: it.6,
            })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(descriptor in any_descriptor(), rest in prop::collection::vec(any::<u8>(), 0..8)) {
            let mut payload = Vec::new();
            descriptor.write(&mut payload);
            prop_assert_eq!(payload.len(), descriptor.length());
            payload.extend(&rest);
            prop_assert_eq!(Vp8Descriptor::read(&payload), Some((descriptor, &rest[..])));
        }

        #[test]
        fn patched_payload_differs_in_the_patched_numbers_alone(
            descriptor in any_descriptor(),
            picture_id in 0..=0x7fff_u16,
            tl0_pic_idx: u8,
            key_idx in 0..32_u8,
        ) {
            let mut payload = Vec::new();
            descriptor.write(&mut payload);
            payload.push(0x5a);
            let patch = Vp8Patch {
                picture_id: Some(picture_id),
                tl0_pic_idx: Some(tl0_pic_idx),
                key_idx: Some(key_idx),
            };
            prop_assert_eq!(patch.apply(&mut payload), Some(()));
            let expected = Vp8Descriptor {
                picture_id: descriptor.picture_id.map(|it| it.with_value(picture_id)),
                tl0_pic_idx: descriptor.tl0_pic_idx.map(|_| tl0_pic_idx),
                key_idx: descriptor.key_idx.map(|_| key_idx),
                ..descriptor
            };
            prop_assert_eq!(Vp8Descriptor::read(&payload), Some((expected, &[0x5a][..])));
        }
    }
}
