//! Encoded frames, packetised once for all who watch.

use std::sync::Arc;
use std::time::Instant;

use crate::ids::RenditionId;

/// The most packets that one frame may have. At 1,140 bytes each that is more than 4 MB, which no
/// encoder makes of a picture that anyone can be sent.
pub const MAX_PACKETS_PER_FRAME: usize = 4_096;

/// One encoded frame of a rendition. Sessions share it; each gives its packets headers of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// What it is a frame of.
    pub rendition: RenditionId,
    /// RTP timestamp in the clock of its codec, as the payloader wrote it.
    pub rtp_time: u32,
    /// When it was captured.
    pub wall_clock: Instant,
    /// Whether a viewer can begin with it.
    pub key: bool,
    /// Its temporal layer; frames of layer 0 need no frame of another layer.
    pub temporal_layer: u8,
    /// RTP payloads in order, without headers. The last carries the marker.
    pub packets: Vec<Arc<[u8]>>,
}

impl Frame {
    /// Bytes of all payloads.
    pub fn bytes(&self) -> usize {
        self.packets.iter().map(|packet| packet.len()).sum()
    }
}

/// One packet on its way from a payloader.
#[derive(Clone, Debug)]
pub struct PayloadedPacket {
    /// The RTP payload.
    pub payload: Arc<[u8]>,
    /// The RTP timestamp.
    pub rtp_time: u32,
    /// When its frame was captured.
    pub wall_clock: Instant,
    /// Whether it is the last of its frame.
    pub marker: bool,
    /// Whether it is of a frame that a viewer can begin with.
    pub key: bool,
    /// The temporal layer of its frame.
    pub temporal_layer: u8,
}

/// Puts the packets of a payloader together to frames, up to the marker: an H.264 payloader hands out
/// one picture in several buffers.
#[derive(Debug)]
pub struct FrameAssembler {
    rendition: RenditionId,
    begun: Option<Frame>,
    /// Whether the frame that was begun had too many packets.
    too_long: bool,
}

impl FrameAssembler {
    /// Nothing assembled yet.
    pub fn new(rendition: RenditionId) -> Self {
        Self {
            rendition,
            begun: None,
            too_long: false,
        }
    }

    /// Takes the next packet; returns the frame that it completes.
    ///
    /// A frame whose marker never came is dropped when the next begins, and so is one of more than
    /// [`MAX_PACKETS_PER_FRAME`]: neither can be decoded.
    pub fn push(&mut self, packet: PayloadedPacket) -> Option<Frame> {
        let continues = self
            .begun
            .as_ref()
            .is_some_and(|frame| frame.rtp_time == packet.rtp_time);
        if !continues {
            self.too_long = false;
            self.begun = Some(Frame {
                rendition: self.rendition,
                rtp_time: packet.rtp_time,
                wall_clock: packet.wall_clock,
                key: false,
                temporal_layer: packet.temporal_layer,
                packets: Vec::new(),
            });
        }
        let frame = self.begun.as_mut()?;
        // One packet of the frame that says so is enough: parameter sets go ahead of the picture.
        frame.key |= packet.key;
        if frame.packets.len() < MAX_PACKETS_PER_FRAME {
            frame.packets.push(packet.payload);
        } else {
            self.too_long = true;
        }
        if !packet.marker {
            return None;
        }
        self.begun.take().filter(|_| !self.too_long)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::StreamId;

    fn rendition() -> RenditionId {
        RenditionId {
            stream: StreamId(0),
            codec: 0,
            level: 0,
        }
    }

    fn packet(rtp_time: u32, marker: bool, key: bool) -> PayloadedPacket {
        PayloadedPacket {
            payload: vec![0; 100].into(),
            rtp_time,
            wall_clock: Instant::now(),
            marker,
            key,
            temporal_layer: 0,
        }
    }

    #[test]
    fn a_frame_ends_with_its_marker() {
        let mut assembler = FrameAssembler::new(rendition());
        assert_eq!(assembler.push(packet(0, false, true)), None);
        assert_eq!(assembler.push(packet(0, false, false)), None);
        let frame = assembler.push(packet(0, true, false)).expect("complete");
        assert!(frame.key);
        assert_eq!((frame.packets.len(), frame.bytes()), (3, 300));
        let frame = assembler
            .push(packet(3_000, true, false))
            .expect("complete");
        assert!(!frame.key);
        assert_eq!(frame.rtp_time, 3_000);
    }

    #[test]
    fn a_frame_without_an_end_is_dropped() {
        let mut assembler = FrameAssembler::new(rendition());
        assembler.push(packet(0, false, true));
        let frame = assembler
            .push(packet(3_000, true, false))
            .expect("complete");
        assert_eq!((frame.packets.len(), frame.key), (1, false));
    }

    #[test]
    fn a_frame_is_bounded() {
        let mut assembler = FrameAssembler::new(rendition());
        for _ in 0..=MAX_PACKETS_PER_FRAME {
            assert_eq!(assembler.push(packet(0, false, true)), None);
        }
        assert_eq!(assembler.push(packet(0, true, true)), None);
        assert!(assembler.push(packet(3_000, true, true)).is_some());
    }
}
