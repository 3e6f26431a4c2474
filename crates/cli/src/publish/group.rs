//! The encoded frames since a key frame, from which the next viewer or a snapshot can begin.

use gstreamer as gst;

use super::kind::Kind;

/// The most of a group that is kept, in bytes and in frames.
const MAX_BYTES: usize = 4 << 20;
const MAX_FRAMES: usize = 1_024;

/// Encoded frames, the first of which is a key frame; empty while there was none or the group exceeds the limits.
#[derive(Debug, Default)]
pub(super) struct FrameGroup {
    samples: Vec<gst::Sample>,
    bytes: usize,
    /// The first, also if there were too many.
    key_frame: Option<gst::Sample>,
}

impl FrameGroup {
    /// Its frames, in the order in which they came.
    pub(super) fn samples(&self) -> &[gst::Sample] {
        &self.samples
    }

    /// The key frame alone.
    pub(super) fn key_frame(&self) -> Option<&gst::Sample> {
        self.key_frame.as_ref()
    }

    /// Adds an encoded frame, unless the key frame that it needs is missing; a key frame begins a new group. Anything but
    /// encoded video is ignored.
    pub(super) fn add(&mut self, sample: &gst::Sample) {
        let Some(buffer) = sample.buffer() else {
            return;
        };
        if !is_encoded_video(sample) {
            return;
        }
        if !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT) {
            *self = Self::default();
        } else if self.samples.is_empty() {
            return;
        }
        self.bytes += buffer.size();
        let mut kept = sample.clone();
        // The source may have few buffers, which it needs again.
        if let Ok(copy) = buffer.copy_deep() {
            kept.make_mut().set_buffer(Some(&copy));
        }
        if self.samples.is_empty() {
            self.key_frame = Some(kept.clone());
        }
        self.samples.push(kept);
        if self.bytes > MAX_BYTES || self.samples.len() > MAX_FRAMES {
            (self.samples, self.bytes) = (Vec::new(), 0);
        }
    }
}

/// Whether a sample is a frame as an encoder made it.
fn is_encoded_video(sample: &gst::Sample) -> bool {
    let media_type = sample.caps().and_then(|caps| caps.structure(0));
    let media_type = media_type.map_or("", |caps| caps.name().as_str());
    Kind::of(media_type) == Some(Kind::Video) && media_type != "video/x-raw"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(size: usize, key: bool) -> gst::Sample {
        let mut buffer = gst::Buffer::with_size(size).expect("memory");
        if !key {
            buffer.make_mut().set_flags(gst::BufferFlags::DELTA_UNIT);
        }
        let caps = gst::Caps::new_empty_simple("video/x-h264");
        gst::Sample::builder().buffer(&buffer).caps(&caps).build()
    }

    #[test]
    fn group_begins_with_the_last_key_frame_and_ends_at_its_limits() {
        gst::init().expect("GStreamer starts");
        let mut group = FrameGroup::default();
        group.add(&frame(1, false));
        assert!(group.samples.is_empty(), "it cannot be decoded");
        group.add(&frame(9, true));
        group.add(&frame(1, true));
        group.add(&frame(2, false));
        assert_eq!((group.samples.len(), group.bytes), (2, 3));
        group.add(&frame(MAX_BYTES, false));
        assert!(group.samples.is_empty());
        assert!(group.key_frame().is_some());
        for number in 0..=MAX_FRAMES {
            group.add(&frame(1, number == 0));
        }
        assert!(group.samples.is_empty());
    }
}
