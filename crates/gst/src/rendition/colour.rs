//! Pictures in the colours that viewers take them to be in.
//!
//! What counts of a picture's colours is its matrix and its range. `videoconvert` of GStreamer 1.22 leaves samples
//! as they are where only the range differs, and is two steps off in others; so pictures of 4:2:0 with 8 bits are
//! converted here, exactly.

use gst_video::prelude::*;
use gstreamer as gst;
use gstreamer_video as gst_video;

use gst_video::{VideoColorMatrix, VideoColorRange, VideoColorimetry};

/// Fractions have so many bits.
const BITS: u32 = 16;

/// Of two colorimetries, the numbers that take samples from one to the other, in fixed point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Conversion {
    /// How much of luma and of both chroma samples makes luma.
    luma: [i32; 3],
    luma_offset: i32,
    /// How much of both chroma samples makes each of them.
    chroma: [[i32; 2]; 2],
    chroma_offset: [i32; 2],
}

/// A matrix and a range, in numbers.
#[derive(Clone, Copy, Debug)]
struct Space {
    /// The shares of red and blue in luma.
    red: f64,
    blue: f64,
    /// Where black is, and how many steps there are from it to white, and from the least chroma to the greatest.
    black: f64,
    luma_steps: f64,
    chroma_steps: f64,
}

/// What samples stand for grey, in chroma.
const GREY: f64 = 128.0;

impl Space {
    fn of(colorimetry: &VideoColorimetry) -> Option<Self> {
        // ITU-R BT.709-6 and BT.2020-2, table 3 and 4; BT.601-7, 2.5.1; SMPTE 240M; FCC 73.682.
        let (red, blue) = match colorimetry.matrix() {
            VideoColorMatrix::Bt709 => (0.2126, 0.0722),
            VideoColorMatrix::Bt601 => (0.299, 0.114),
            VideoColorMatrix::Bt2020 => (0.2627, 0.0593),
            VideoColorMatrix::Smpte240m => (0.212, 0.087),
            VideoColorMatrix::Fcc => (0.30, 0.11),
            _ => return None,
        };
        let (black, luma_steps, chroma_steps) = match colorimetry.range() {
            VideoColorRange::Range0_255 => (0.0, 255.0, 255.0),
            VideoColorRange::Range16_235 => (16.0, 219.0, 224.0),
            _ => return None,
        };
        Some(Self {
            red,
            blue,
            black,
            luma_steps,
            chroma_steps,
        })
    }

    /// Red, green and blue, from luma and chroma of one.
    fn to_rgb(self, [luma, u, v]: [f64; 3]) -> [f64; 3] {
        let red = luma + 2.0 * (1.0 - self.red) * v;
        let blue = luma + 2.0 * (1.0 - self.blue) * u;
        let green = (luma - self.red * red - self.blue * blue) / (1.0 - self.red - self.blue);
        [red, green, blue]
    }

    fn components_of_rgb(self, [red, green, blue]: [f64; 3]) -> [f64; 3] {
        let luma = self.red * red + (1.0 - self.red - self.blue) * green + self.blue * blue;
        [
            luma,
            (blue - luma) / (2.0 * (1.0 - self.blue)),
            (red - luma) / (2.0 * (1.0 - self.red)),
        ]
    }
}

impl Conversion {
    /// None if there is nothing to do, or nothing known of one of them.
    pub(super) fn between(from: &VideoColorimetry, to: &VideoColorimetry) -> Option<Self> {
        if (from.matrix(), from.range()) == (to.matrix(), to.range()) {
            return None;
        }
        let (from, to) = (Space::of(from)?, Space::of(to)?);
        let column = |unit: [f64; 3]| to.components_of_rgb(from.to_rgb(unit));
        let (u, v) = (column([0.0, 1.0, 0.0]), column([0.0, 0.0, 1.0]));
        let by_luma = to.luma_steps / from.luma_steps;
        let luma_by_chroma = to.luma_steps / from.chroma_steps;
        let by_chroma = to.chroma_steps / from.chroma_steps;
        // Luma of grey is the same in all matrices, and chroma depends on chroma only.
        let luma = [by_luma, u[0] * luma_by_chroma, v[0] * luma_by_chroma];
        let chroma = [
            [u[1] * by_chroma, v[1] * by_chroma],
            [u[2] * by_chroma, v[2] * by_chroma],
        ];
        let luma_offset = to.black - luma[0] * from.black - (luma[1] + luma[2]) * GREY;
        let chroma_offset = chroma.map(|[u, v]| GREY - (u + v) * GREY);
        Some(Self {
            luma: luma.map(fixed),
            luma_offset: fixed(luma_offset + 0.5),
            chroma: chroma.map(|row| row.map(fixed)),
            chroma_offset: chroma_offset.map(|offset| fixed(offset + 0.5)),
        })
    }

    /// Converts a picture in I420 or NV12; others stay as they are.
    pub(super) fn apply(
        &self,
        buffer: &mut gst::BufferRef,
        info: &gst_video::VideoInfo,
    ) -> Result<(), gst::glib::BoolError> {
        let mut frame = gst_video::VideoFrameRef::from_buffer_ref_writable(buffer, info)?;
        let size = (frame.width() as usize, frame.height() as usize);
        let stride = |stride: &i32| usize::try_from(*stride).unwrap_or_default();
        let strides: Vec<_> = frame.plane_stride().iter().map(stride).collect();
        let format = frame.format();
        let [luma, first, second, _] = frame.planes_data_mut();
        let mut picture = Picture {
            luma: Plane::new(luma, strides.first()),
            first: Plane::new(first, strides.get(1)),
            second: Plane::new(second, strides.get(2)),
        };
        match format {
            gst_video::VideoFormat::I420 => picture.convert(self, size, false),
            gst_video::VideoFormat::Nv12 => picture.convert(self, size, true),
            _ => {}
        }
        Ok(())
    }

    fn luma_of_chroma(&self, u: u8, v: u8) -> i32 {
        self.luma[1] * i32::from(u) + self.luma[2] * i32::from(v) + self.luma_offset
    }

    fn chroma(&self, u: u8, v: u8) -> [u8; 2] {
        let (u, v) = (i32::from(u), i32::from(v));
        [0, 1].map(|row| {
            sample(self.chroma[row][0] * u + self.chroma[row][1] * v + self.chroma_offset[row])
        })
    }
}

/// The planes of a picture with half the chroma each way.
struct Picture<'a> {
    luma: Plane<'a>,
    /// U, or both in turn.
    first: Plane<'a>,
    second: Plane<'a>,
}

struct Plane<'a> {
    data: &'a mut [u8],
    stride: usize,
}

impl<'a> Plane<'a> {
    fn new(data: &'a mut [u8], stride: Option<&usize>) -> Self {
        let stride = stride.copied().unwrap_or_default();
        Self { data, stride }
    }

    /// A line; empty if there is none.
    fn line(&mut self, number: usize, width: usize) -> &mut [u8] {
        let begin = number * self.stride;
        let end = (begin + width).min(self.data.len());
        self.data.get_mut(begin..end).unwrap_or_default()
    }
}

impl Picture<'_> {
    fn convert(&mut self, conversion: &Conversion, (width, height): (usize, usize), mixed: bool) {
        let (half_width, half_height) = (width.div_ceil(2), height.div_ceil(2));
        // What each chroma sample adds to luma, twice, so that lines of both have the same length.
        let mut additions = vec![0; half_width * 2];
        for number in 0..half_height {
            let pairs = additions.chunks_exact_mut(2);
            if mixed {
                let chroma = self.first.line(number, half_width * 2);
                for (pair, addition) in chroma.chunks_exact_mut(2).zip(pairs) {
                    let [u, v] = [pair[0], pair[1]];
                    addition.fill(conversion.luma_of_chroma(u, v));
                    pair.copy_from_slice(&conversion.chroma(u, v));
                }
            } else {
                let u = self.first.line(number, half_width);
                let v = self.second.line(number, half_width);
                for ((u, v), addition) in u.iter_mut().zip(v).zip(pairs) {
                    addition.fill(conversion.luma_of_chroma(*u, *v));
                    [*u, *v] = conversion.chroma(*u, *v);
                }
            }
            let by_luma = conversion.luma[0];
            for number in [number * 2, number * 2 + 1] {
                if number < height {
                    let luma = self.luma.line(number, width);
                    for (luma, addition) in luma.iter_mut().zip(&additions) {
                        *luma = sample(by_luma * i32::from(*luma) + addition);
                    }
                }
            }
        }
    }
}

fn fixed(number: f64) -> i32 {
    (number * f64::from(1 << BITS)).round() as i32
}

fn sample(fixed: i32) -> u8 {
    (fixed >> BITS).clamp(0, 255) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn colorimetry(text: &str) -> VideoColorimetry {
        gst::init().expect("GStreamer starts");
        text.parse().expect("a colorimetry")
    }

    /// What becomes of one colour in a picture of an odd size.
    fn converted(format: &str, from: &str, to: &str, colour: [u8; 3]) -> [u8; 3] {
        let conversion = Conversion::between(&colorimetry(from), &colorimetry(to));
        let conversion = conversion.expect("they differ");
        let format = gst_video::VideoFormat::from_string(format);
        let info = gst_video::VideoInfo::builder(format, 5, 3)
            .build()
            .expect("a format");
        let mut buffer = gst::Buffer::with_size(info.size()).expect("memory");
        let buffer = buffer.make_mut();
        {
            let mut frame = gst_video::VideoFrameRef::from_buffer_ref_writable(buffer, &info)
                .expect("its size");
            let mixed = format == gst_video::VideoFormat::Nv12;
            let [luma, first, second, _] = frame.planes_data_mut();
            luma.fill(colour[0]);
            if mixed {
                for pair in first.chunks_exact_mut(2) {
                    pair.copy_from_slice(&colour[1..]);
                }
            } else {
                first.fill(colour[1]);
                second.fill(colour[2]);
            }
        }
        conversion.apply(buffer, &info).expect("writable");
        let frame =
            gst_video::VideoFrameRef::from_buffer_ref_readable(buffer, &info).expect("its size");
        let plane = |number| frame.plane_data(number).expect("it has it");
        let (u, v) = if format == gst_video::VideoFormat::Nv12 {
            (plane(1)[0], plane(1)[1])
        } else {
            (plane(1)[0], plane(2)[0])
        };
        // The last sample of the last line, too.
        let stride = frame.plane_stride()[0] as usize;
        assert_eq!(plane(0)[0], plane(0)[stride * 2 + 4]);
        [plane(0)[0], u, v]
    }

    #[test]
    fn full_range_becomes_limited() {
        for format in ["I420", "NV12"] {
            let limited = |colour| converted(format, "1:4:0:0", "bt601", colour);
            assert_eq!(limited([0, 128, 128]), [16, 128, 128]);
            assert_eq!(limited([36, 128, 128]), [47, 128, 128]);
            assert_eq!(limited([255, 128, 128]), [235, 128, 128]);
            assert_eq!(limited([76, 85, 255]), [81, 90, 240]);
        }
    }

    #[test]
    fn primary_colours_are_the_same_in_another_matrix() {
        // Red, green and blue as ITU-R BT.601 and BT.709 have them.
        for (from, to) in [
            ([81, 90, 240], [63, 102, 240]),
            ([145, 54, 34], [173, 42, 26]),
            ([41, 240, 110], [32, 240, 118]),
        ] {
            let there = converted("I420", "bt601", "bt709", from);
            let back = converted("I420", "bt709", "bt601", to);
            let made = there.into_iter().chain(back);
            for (made, wanted) in made.zip(to.into_iter().chain(from)) {
                // They are rounded themselves.
                assert!(made.abs_diff(wanted) <= 1, "{made} is not {wanted}");
            }
        }
    }

    #[test]
    fn the_same_colours_are_left_alone() {
        let same = Conversion::between(&colorimetry("2:4:7:1"), &colorimetry("bt601"));
        assert_eq!(same, None);
        let unknown = Conversion::between(&colorimetry("0:0:0:0"), &colorimetry("bt601"));
        assert_eq!(unknown, None);
    }
}
