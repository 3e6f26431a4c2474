//! The payload descriptor of VP9 (RFC 9628, section 4.2).
//!
//! ```text
//!  0 1 2 3 4 5 6 7
//! +-+-+-+-+-+-+-+-+
//! |I|P|L|F|B|E|V|Z|
//! +-+-+-+-+-+-+-+-+
//! |M| PICTURE ID  |  if I, and one more byte if M
//! | TID |U| SID |D|  if L
//! |   TL0PICIDX   |  if L and not F
//! | P_DIFF      |N|  if P and F, up to three of them
//! | SS            |  if V
//! +-+-+-+-+-+-+-+-+
//! ```

use super::{PictureId, take_byte};

const HAS_PICTURE_ID: u8 = 0x80;
const PREDICTED: u8 = 0x40;
const HAS_LAYERS: u8 = 0x20;
const FLEXIBLE: u8 = 0x10;
const BEGINS_FRAME: u8 = 0x08;
const ENDS_FRAME: u8 = 0x04;
const HAS_STRUCTURE: u8 = 0x02;
const NOT_FOR_UPPER_LAYERS: u8 = 0x01;

/// The pictures from which one may be predicted, at most.
pub const MAX_REFERENCES: usize = 3;

/// The descriptor of one packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Vp9Descriptor {
    /// The number of the picture.
    pub picture_id: Option<PictureId>,
    /// P: the frame is predicted from earlier pictures.
    pub is_predicted: bool,
    /// F: each picture names those from which it is predicted.
    pub is_flexible: bool,
    /// B: the packet is the first of a frame, which is one spatial layer of a picture.
    pub begins_frame: bool,
    /// E: the packet is the last of a frame.
    pub ends_frame: bool,
    /// Z: no higher spatial layer is predicted from the frame.
    pub is_not_for_upper_layers: bool,
    /// The layers of the frame.
    pub layers: Option<Vp9Layers>,
    /// The number of the last picture of temporal layer 0.
    pub tl0_pic_idx: Option<u8>,
    /// How many pictures back those are from which it is predicted (P_DIFF).
    pub references: [Option<u8>; MAX_REFERENCES],
    /// What the layers are from here on.
    pub structure: Option<ScalabilityStructure>,
}

/// The layers of a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Vp9Layers {
    /// TID, below 8.
    pub temporal: u8,
    /// U: a receiver may go up to this temporal layer here.
    pub is_switching_point: bool,
    /// SID, below 8.
    pub spatial: u8,
    /// D: the frame is predicted from the spatial layer below.
    pub is_inter_layer_predicted: bool,
}

/// What a scalability structure (SS) says that matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScalabilityStructure {
    /// Spatial layers, from 1 to 8.
    pub spatial_layers: u8,
    /// Width and height of the highest, if it is said.
    pub size: Option<(u16, u16)>,
    /// Pictures of a group whose layers and references are listed, if they are.
    pub group: Option<u8>,
}

impl Vp9Descriptor {
    /// The descriptor of a payload, and what stands behind it; none if it is cut short, or a picture has more than
    /// [`MAX_REFERENCES`].
    pub fn read(payload: &[u8]) -> Option<(Self, &[u8])> {
        let (first, mut rest) = payload.split_first()?;
        let has = |flag: u8| first & flag != 0;
        let mut descriptor = Self {
            is_predicted: has(PREDICTED),
            is_flexible: has(FLEXIBLE),
            begins_frame: has(BEGINS_FRAME),
            ends_frame: has(ENDS_FRAME),
            is_not_for_upper_layers: has(NOT_FOR_UPPER_LAYERS),
            ..Self::default()
        };
        if has(HAS_PICTURE_ID) {
            descriptor.picture_id = Some(PictureId::take(&mut rest)?);
        }
        if has(HAS_LAYERS) {
            let byte = take_byte(&mut rest)?;
            descriptor.layers = Some(Vp9Layers {
                temporal: byte >> 5,
                is_switching_point: byte & 0x10 != 0,
                spatial: byte >> 1 & 0x07,
                is_inter_layer_predicted: byte & 0x01 != 0,
            });
            if !descriptor.is_flexible {
                descriptor.tl0_pic_idx = Some(take_byte(&mut rest)?);
            }
        }
        if descriptor.is_predicted && descriptor.is_flexible {
            let mut places = descriptor.references.iter_mut();
            loop {
                let byte = take_byte(&mut rest)?;
                *places.next()? = Some(byte >> 1);
                if byte & 0x01 == 0 {
                    break;
                }
            }
        }
        if has(HAS_STRUCTURE) {
            descriptor.structure = Some(ScalabilityStructure::take(&mut rest)?);
        }
        Some((descriptor, rest))
    }

    /// Whether the packet is the first of a picture, which its lowest spatial layer begins.
    pub fn begins_picture(&self) -> bool {
        self.begins_frame && self.layers.is_none_or(|layers| layers.spatial == 0)
    }

    /// Whether the packet is the first of a picture that is predicted from no other.
    pub fn begins_key_frame(&self) -> bool {
        self.begins_picture() && !self.is_predicted
    }
}

impl ScalabilityStructure {
    /// `N_S`, Y and G; then the sizes; then the pictures of a group, each with its references.
    fn take(rest: &mut &[u8]) -> Option<Self> {
        let first = take_byte(rest)?;
        let mut structure = Self {
            spatial_layers: (first >> 5) + 1,
            size: None,
            group: None,
        };
        if first & 0x10 != 0 {
            for _ in 0..structure.spatial_layers {
                let (size, behind) = rest.split_first_chunk::<4>()?;
                let [w0, w1, h0, h1] = *size;
                structure.size = Some((u16::from_be_bytes([w0, w1]), u16::from_be_bytes([h0, h1])));
                *rest = behind;
            }
        }
        if first & 0x08 != 0 {
            let pictures = take_byte(rest)?;
            for _ in 0..pictures {
                let references = take_byte(rest)? >> 2 & 0x03;
                *rest = rest.get(usize::from(references)..)?;
            }
            structure.group = Some(pictures);
        }
        Some(structure)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(payload: &[u8]) -> (Vp9Descriptor, &[u8]) {
        Vp9Descriptor::read(payload).expect("a descriptor")
    }

    #[test]
    fn descriptor_in_non_flexible_mode_is_read() {
        // I P L B E, a picture id of 15 bits, TID 1 with U, SID 2 with D, TL0PICIDX.
        let (descriptor, rest) = read(&[0xec, 0x92, 0x34, 0x35, 0x77, 9]);
        let expected = Vp9Descriptor {
            picture_id: Some(PictureId::Long(0x1234)),
            is_predicted: true,
            begins_frame: true,
            ends_frame: true,
            layers: Some(Vp9Layers {
                temporal: 1,
                is_switching_point: true,
                spatial: 2,
                is_inter_layer_predicted: true,
            }),
            tl0_pic_idx: Some(0x77),
            ..Vp9Descriptor::default()
        };
        assert_eq!((descriptor, rest), (expected, &[9][..]));
        assert!(!descriptor.begins_picture(), "a higher layer");
    }

    #[test]
    fn descriptor_in_flexible_mode_names_its_references() {
        // I P L F B: no TL0PICIDX, three references.
        let (descriptor, rest) = read(&[0xf8, 0x05, 0x00, 0x03, 0x05, 0x08, 9]);
        assert_eq!(descriptor.tl0_pic_idx, None);
        assert_eq!(descriptor.references, [Some(1), Some(2), Some(4)]);
        assert_eq!(rest, [9]);
        assert_eq!(
            Vp9Descriptor::read(&[0x50, 3, 3, 3, 2, 9]),
            None,
            "a fourth"
        );
    }

    #[test]
    fn scalability_structure_is_read_to_its_end() {
        // B V: two spatial layers with sizes, a group of two pictures with one and two references.
        let payload = [
            0x0a, 0x38, 0x01, 0x40, 0x00, 0xb4, 0x02, 0x80, 0x01, 0x68, 2, 0x04, 1, 0x28, 1, 2, 9,
        ];
        let (descriptor, rest) = read(&payload);
        let expected = ScalabilityStructure {
            spatial_layers: 2,
            size: Some((640, 360)),
            group: Some(2),
        };
        assert_eq!(descriptor.structure, Some(expected));
        assert_eq!(rest, [9]);
        assert!(descriptor.begins_key_frame());
        for length in 0..payload.len() - 1 {
            assert_eq!(Vp9Descriptor::read(&payload[..length]), None, "{length}");
        }
    }

    #[test]
    fn key_frame_begins_at_the_lowest_spatial_layer() {
        assert!(read(&[0x08]).0.begins_key_frame());
        assert!(read(&[0x28, 0x00, 0x07]).0.begins_key_frame());
        assert!(!read(&[0x28, 0x02, 0x07]).0.begins_key_frame());
        assert!(!read(&[0x48]).0.begins_key_frame());
        assert!(!read(&[0x04]).0.begins_key_frame());
    }
}
