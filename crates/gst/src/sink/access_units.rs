//! Whole pictures of H.264 and H.265 from what parsers made of them.
//!
//! A parser takes parameter sets behind a slice for the beginning of another picture. Where a payloader or camera
//! repeats them before every slice, a byte stream comes in pieces, of which all but the first have no time. Here
//! pieces of one picture are joined, and what stands between its slices is left out.
//!
//! # Contract
//!
//! * [`AccessUnits::push`] gets the buffers of one pad in their order and gives those that can go on;
//!   [`flush`](AccessUnits::flush) gives what is left at the end.
//! * A picture is held until the next one begins only as long as pieces are to be expected: the first key frame,
//!   and everything once a piece was seen.

use gstreamer as gst;
use wigwag_media::rtp::nal_units::{Framing, Standard, Unit, begins_key_frame, units};

/// Buffers with parameter sets that may wait for their slice.
const MAX_PREFIXES: usize = 64;

/// Bytes that a picture of pieces may have; more are no picture.
const MAX_JOINED_BYTES: usize = 16 << 20;

/// Joins what belongs together.
#[derive(Debug, Default)]
pub(super) struct AccessUnits {
    /// The caps that the state is of.
    caps: Option<gst::Caps>,
    form: Option<Form>,
    content: Content,
    coming: Coming,
    /// A picture that further pieces may belong to.
    held: Option<gst::Sample>,
    /// Parameter sets and the like whose slice has not come yet.
    prefixes: Vec<gst::Sample>,
}

/// What comes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Content {
    /// Sound, or raw pictures.
    #[default]
    Other,
    Vp8,
    /// Encoded pictures of which buffers say themselves whether they are key frames.
    Flagged,
}

/// In which form pictures come.
#[derive(Clone, Copy, Debug)]
struct Form {
    framing: Framing,
    standard: Standard,
    /// Whether buffers are pictures, or single units.
    whole: bool,
}

/// What is known of how pictures come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Coming {
    #[default]
    Unknown,
    Whole,
    InPieces,
}

/// What a buffer is.
#[derive(Debug, Default)]
struct Shape {
    /// Whether its first slice is the first of a picture; none if it has no slice.
    begins: Option<bool>,
    key: bool,
    /// It without what must not stand between slices; none if there is nothing of the kind.
    clean: Option<Vec<u8>>,
}

impl AccessUnits {
    /// Takes a buffer, and gives those that can go on.
    pub(super) fn push(&mut self, sample: gst::Sample) -> Vec<gst::Sample> {
        let mut ready = self.take_caps(&sample);
        let shape = self.form.and_then(|form| {
            let data = sample.buffer()?.map_readable().ok()?;
            Some((form, shape(&data, form)))
        });
        match shape {
            None => ready.push(sample),
            Some((form, shape)) if form.whole => self.picture(sample, shape, &mut ready),
            Some((_, shape)) => self.unit(sample, &shape, &mut ready),
        }
        ready
    }

    /// Of what goes on at once, whether each begins with a key frame; none if it is no encoded picture. Of single units, what
    /// stands in front of a slice is the beginning.
    pub(super) fn key_frames(&self, samples: &[gst::Sample]) -> Vec<Option<bool>> {
        let keys = samples.iter();
        let mut keys: Vec<_> = keys
            .map(|sample| self.begins_with_key_frame(sample))
            .collect();
        let single_units = self.form.is_some_and(|form| !form.whole);
        if single_units && keys.contains(&Some(true)) {
            keys.fill(Some(false));
            keys[0] = Some(true);
        }
        keys
    }

    fn begins_with_key_frame(&self, sample: &gst::Sample) -> Option<bool> {
        let buffer = sample.buffer()?;
        match (self.form, self.content) {
            (Some(form), _) => {
                let data = buffer.map_readable().ok()?;
                Some(begins_key_frame(&data, form.framing, form.standard))
            }
            (None, Content::Other) => None,
            // The lowest bit of a frame's tag is 0 in key frames (RFC 6386, section 9.1).
            (None, Content::Vp8) => {
                let data = buffer.map_readable().ok()?;
                Some(data.first().is_some_and(|tag| tag & 1 == 0))
            }
            (None, Content::Flagged) => {
                Some(!buffer.flags().contains(gst::BufferFlags::DELTA_UNIT))
            }
        }
    }

    /// What is left when nothing more comes.
    pub(super) fn flush(&mut self) -> Vec<gst::Sample> {
        let mut left: Vec<_> = self.held.take().into_iter().collect();
        left.append(&mut self.prefixes);
        left
    }

    fn take_caps(&mut self, sample: &gst::Sample) -> Vec<gst::Sample> {
        let known = self.caps.as_deref();
        if known.is_some() && known == sample.caps() {
            return Vec::new();
        }
        let left = self.flush();
        *self = Self {
            caps: sample.caps_owned(),
            form: sample.caps().and_then(form),
            content: sample.caps().map(content).unwrap_or_default(),
            ..Self::default()
        };
        left
    }

    fn picture(&mut self, sample: gst::Sample, shape: Shape, ready: &mut Vec<gst::Sample>) {
        match shape.begins {
            Some(true) => {
                if self.held.is_some() && self.coming == Coming::Unknown {
                    self.coming = Coming::Whole;
                }
                ready.extend(self.flush());
                let sample = with_data(sample, shape.clean);
                let hold = match self.coming {
                    Coming::Unknown => shape.key,
                    Coming::Whole => false,
                    Coming::InPieces => true,
                };
                if hold {
                    self.held = Some(sample);
                } else {
                    ready.push(sample);
                }
            }
            Some(false) => {
                self.coming = Coming::InPieces;
                self.prefixes.clear();
                let sample = with_data(sample, shape.clean);
                // Without one held, its beginning went on before it was known that there would be more.
                let joined = match self.held.take() {
                    Some(held) => joined(held, sample),
                    None => return ready.push(sample),
                };
                match joined {
                    Ok(joined) => self.held = Some(joined),
                    Err(both) => ready.extend(both),
                }
            }
            None if self.held.is_some() && self.prefixes.len() < MAX_PREFIXES => {
                self.prefixes.push(sample);
            }
            None => {
                ready.extend(self.flush());
                ready.push(sample);
            }
        }
    }

    /// A single unit: what stands in front of a slice waits for it, and goes on only if that begins a picture.
    fn unit(&mut self, sample: gst::Sample, shape: &Shape, ready: &mut Vec<gst::Sample>) {
        match shape.begins {
            Some(false) => self.prefixes.clear(),
            Some(true) => ready.append(&mut self.prefixes),
            None if self.prefixes.len() < MAX_PREFIXES => return self.prefixes.push(sample),
            None => ready.append(&mut self.prefixes),
        }
        ready.push(sample);
    }
}

/// Looks at a buffer.
fn shape(data: &[u8], form: Form) -> Shape {
    let mut shape = Shape::default();
    let mut between_slices = Vec::new();
    for (place, unit) in units(data, form.framing, form.standard) {
        match unit {
            Unit::Slice { first, key } => {
                shape.begins.get_or_insert(first);
                shape.key |= key;
            }
            // In a piece that begins no picture, all that stands in front of it is between slices too.
            Unit::Prefix => between_slices.push((place, shape.begins)),
            Unit::Other => {}
        }
    }
    let continues = shape.begins == Some(false);
    between_slices.retain(|(_, before)| before.is_some() || continues);
    if form.whole && !between_slices.is_empty() {
        let mut clean = Vec::with_capacity(data.len());
        let mut end = 0;
        for (place, _) in between_slices {
            clean.extend_from_slice(&data[end..place.start]);
            end = place.end;
        }
        clean.extend_from_slice(&data[end..]);
        shape.clean = Some(clean);
    }
    shape
}

fn content(caps: &gst::CapsRef) -> Content {
    let name = caps.structure(0).map(|caps| caps.name().as_str());
    match name {
        Some("video/x-vp8") => Content::Vp8,
        Some(name) if name.starts_with("video/") && name != "video/x-raw" => Content::Flagged,
        _ => Content::Other,
    }
}

fn form(caps: &gst::CapsRef) -> Option<Form> {
    let caps = caps.structure(0)?;
    let standard = match caps.name().as_str() {
        "video/x-h264" => Standard::H264,
        "video/x-h265" => Standard::H265,
        _ => return None,
    };
    let framing = match caps.get::<&str>("stream-format").ok()? {
        "byte-stream" => Framing::StartCodes,
        _ => {
            let data = caps.get::<gst::Buffer>("codec_data").ok()?;
            let data = data.map_readable().ok()?;
            // `lengthSizeMinusOne` of ISO/IEC 14496-15, 5.3.3.1.2 and 8.3.3.1.2.
            let place = match standard {
                Standard::H264 => 4,
                Standard::H265 => 21,
            };
            Framing::Lengths(usize::from(data.get(place)? & 3) + 1)
        }
    };
    let whole = match caps.get::<&str>("alignment").ok()? {
        "au" => true,
        "nal" => false,
        _ => return None,
    };
    Some(Form {
        framing,
        standard,
        whole,
    })
}

fn with_data(sample: gst::Sample, data: Option<Vec<u8>>) -> gst::Sample {
    let (Some(data), Some(old)) = (data, sample.buffer()) else {
        return sample;
    };
    let mut buffer = gst::Buffer::from_mut_slice(data);
    if old
        .copy_into(buffer.make_mut(), gst::BUFFER_COPY_METADATA, ..)
        .is_err()
    {
        return sample;
    }
    with_buffer(sample, &buffer)
}

/// The first with the bytes of the second behind its own; gives both back if that is more than a picture can have.
fn joined(first: gst::Sample, further: gst::Sample) -> Result<gst::Sample, [gst::Sample; 2]> {
    let (Some(mut buffer), Some(more)) = (first.buffer_owned(), further.buffer_owned()) else {
        return Err([first, further]);
    };
    if buffer.size() + more.size() > MAX_JOINED_BYTES {
        return Err([first, further]);
    }
    buffer.append(more);
    Ok(with_buffer(first, &buffer))
}

fn with_buffer(mut sample: gst::Sample, buffer: &gst::Buffer) -> gst::Sample {
    sample.make_mut().set_buffer(Some(buffer));
    sample
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPS: &[u8] = &[0, 0, 0, 1, 0x67, 0x42];
    const KEY: &[u8] = &[0, 0, 0, 1, 0x65, 0x88];
    const MORE_KEY: &[u8] = &[0, 0, 1, 0x65, 0x40];
    const DELTA: &[u8] = &[0, 0, 0, 1, 0x41, 0x9a];
    const MORE_DELTA: &[u8] = &[0, 0, 1, 0x41, 0x40];

    fn sample(parts: &[&[u8]], alignment: &str, time: Option<u64>) -> gst::Sample {
        gst::init().expect("GStreamer starts");
        let mut buffer = gst::Buffer::from_mut_slice(parts.concat());
        buffer
            .make_mut()
            .set_pts(time.map(gst::ClockTime::from_mseconds));
        let caps = gst::Caps::builder("video/x-h264")
            .field("stream-format", "byte-stream")
            .field("alignment", alignment)
            .build();
        gst::Sample::builder().buffer(&buffer).caps(&caps).build()
    }

    /// What comes out of what goes in, each with its time.
    fn through(samples: impl IntoIterator<Item = gst::Sample>) -> Vec<(Vec<u8>, Option<u64>)> {
        let mut access_units = AccessUnits::default();
        let mut out = Vec::new();
        for sample in samples {
            out.extend(access_units.push(sample));
        }
        out.extend(access_units.flush());
        let read = |sample: &gst::Sample| {
            let buffer = sample.buffer().expect("each has one");
            let data = buffer.map_readable().expect("readable").to_vec();
            (data, buffer.pts().map(gst::ClockTime::mseconds))
        };
        out.iter().map(read).collect()
    }

    #[test]
    fn pieces_with_parameter_sets_of_their_own_are_one_picture() {
        let out = through([
            sample(&[SPS, KEY], "au", Some(0)),
            sample(&[SPS, MORE_KEY], "au", None),
            sample(&[SPS, MORE_KEY], "au", None),
            sample(&[DELTA, MORE_DELTA], "au", Some(40)),
            sample(&[SPS], "au", Some(80)),
            sample(&[KEY], "au", Some(80)),
            sample(&[SPS], "au", None),
            sample(&[MORE_KEY], "au", None),
        ]);
        assert_eq!(
            out,
            [
                ([SPS, KEY, MORE_KEY, MORE_KEY].concat(), Some(0)),
                ([DELTA, MORE_DELTA].concat(), Some(40)),
                (SPS.to_vec(), Some(80)),
                ([KEY, MORE_KEY].concat(), Some(80)),
            ]
        );
    }

    #[test]
    fn whole_picture_with_repeated_parameter_sets_loses_those_between_its_slices() {
        let out = through([sample(&[SPS, SPS, KEY, SPS, MORE_KEY], "au", Some(0))]);
        assert_eq!(out, [([SPS, SPS, KEY, MORE_KEY].concat(), Some(0))]);
    }

    #[test]
    fn single_units_lose_parameter_sets_between_slices_of_a_picture() {
        let out = through([
            sample(&[SPS], "nal", Some(0)),
            sample(&[KEY], "nal", Some(0)),
            sample(&[SPS], "nal", None),
            sample(&[MORE_KEY], "nal", None),
            sample(&[DELTA], "nal", Some(40)),
        ]);
        let expected = [
            (SPS.to_vec(), Some(0)),
            (KEY.to_vec(), Some(0)),
            (MORE_KEY.to_vec(), None),
            (DELTA.to_vec(), Some(40)),
        ];
        assert_eq!(out, expected);
    }

    #[test]
    fn key_frame_of_single_units_begins_with_its_parameter_sets() {
        let mut access_units = AccessUnits::default();
        let mut keys = |parts: &[&[u8]]| {
            let ready = access_units.push(sample(parts, "nal", Some(0)));
            access_units.key_frames(&ready)
        };
        assert_eq!(keys(&[SPS]), []);
        assert_eq!(keys(&[KEY]), [Some(true), Some(false)]);
        assert_eq!(keys(&[MORE_KEY]), [Some(false)]);
        assert_eq!(keys(&[DELTA]), [Some(false)]);
    }

    #[test]
    fn whole_pictures_wait_for_nothing_after_the_first_key_frame() {
        let mut access_units = AccessUnits::default();
        let mut push = |parts: &[&[u8]]| access_units.push(sample(parts, "au", Some(0))).len();
        assert_eq!(push(&[DELTA]), 1);
        assert_eq!(push(&[SPS, KEY]), 0);
        assert_eq!(push(&[DELTA]), 2);
        assert_eq!(push(&[SPS, KEY]), 1);
    }

    #[test]
    fn other_media_pass_untouched() {
        gst::init().expect("GStreamer starts");
        for caps in ["video/x-vp8", "video/x-h264", "video/x-raw"] {
            let buffer = gst::Buffer::from_mut_slice([SPS, MORE_KEY].concat());
            let caps: gst::Caps = caps.parse().expect("caps");
            let sample = gst::Sample::builder().buffer(&buffer).caps(&caps).build();
            assert_eq!(through([sample]), [([SPS, MORE_KEY].concat(), None)]);
        }
    }

    #[test]
    fn parameter_sets_without_a_picture_do_not_pile_up() {
        let mut access_units = AccessUnits::default();
        let pushed = MAX_PREFIXES * 3;
        let mut out = 0;
        for _ in 0..pushed {
            out += access_units.push(sample(&[SPS], "nal", None)).len();
            assert!(access_units.prefixes.len() <= MAX_PREFIXES);
        }
        assert!(out > 0 && out + access_units.flush().len() == pushed);
    }
}
