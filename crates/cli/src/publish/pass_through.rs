//! Whether an encoded track goes to viewers as it is: if browsers take it.

use gstreamer as gst;

use super::h264::{Part, SequenceParameters, parts};

/// How many pictures without a B-frame are enough to believe that there are none. Encoders that use
/// them begin within the first few.
const ENOUGH_PICTURES: usize = 30;

/// What becomes of a track.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It goes to viewers as it is.
    PassThrough,
    /// It is decoded, and encoded by the sink; the text says why.
    Decode(String),
    /// Its first pictures have to be looked at.
    Look,
}

/// Decides by what is said about a track. H.264 has to come as a byte stream of whole pictures to be
/// looked at.
pub(crate) fn by_caps(caps: &gst::StructureRef) -> Verdict {
    let decode = |reason: &str| Verdict::Decode(reason.to_owned());
    let text = |field: &str| caps.get::<&str>(field).ok();
    match caps.name().as_str() {
        "video/x-h264" => Verdict::Look,
        "video/x-vp8" => Verdict::PassThrough,
        // The others have more than 8 bits or other chroma.
        "video/x-vp9" if text("profile").is_none_or(|profile| profile == "0") => {
            Verdict::PassThrough
        }
        "video/x-vp9" => decode("it is not of profile 0"),
        // Browsers' decoders of AV1 take 4:2:0 with 8 bits; the main profile also has 10.
        "video/x-av1" => {
            let number = |field: &str| caps.get::<u32>(field).ok();
            if text("profile").is_some_and(|profile| profile != "main")
                || text("chroma-format").is_some_and(|chroma| chroma != "4:2:0")
            {
                decode("it is not of the main profile, 4:2:0")
            } else if number("bit-depth-luma").is_some_and(|bits| bits != 8) {
                decode("it has more than 8 bits")
            } else {
                Verdict::PassThrough
            }
        }
        "audio/x-mulaw" | "audio/x-alaw" => {
            let number = |field: &str| caps.get::<i32>(field).ok();
            if number("rate") == Some(8_000) && number("channels") == Some(1) {
                Verdict::PassThrough
            } else {
                decode("browsers take G.711 with 8,000 samples/s and one channel alone")
            }
        }
        "audio/x-opus" => {
            let family = caps.get::<i32>("channel-mapping-family").unwrap_or(0);
            let channels = caps.get::<i32>("channels").unwrap_or(2);
            if family == 0 && channels <= 2 {
                Verdict::PassThrough
            } else {
                decode("it has more than two channels")
            }
        }
        _ => decode("browsers do not take it"),
    }
}

/// Looks at the first pictures of H.264.
#[derive(Debug)]
pub(crate) struct Look {
    enough: usize,
    pictures: usize,
    parameters: Option<SequenceParameters>,
    latest: Option<gst::ClockTime>,
}

impl Look {
    pub(crate) fn new() -> Self {
        Self {
            enough: ENOUGH_PICTURES,
            pictures: 0,
            parameters: None,
            latest: None,
        }
    }

    /// For a track that was looked at before and begins anew: its parameters suffice.
    pub(crate) fn again() -> Self {
        Self {
            enough: 1,
            ..Self::new()
        }
    }

    /// The next picture, in the order in which pictures come.
    pub(crate) fn picture(
        &mut self,
        access_unit: &[u8],
        shown_at: Option<gst::ClockTime>,
    ) -> Verdict {
        for part in parts(access_unit) {
            match part {
                Part::Parameters(None) => {
                    return Verdict::Decode("its parameters cannot be read".to_owned());
                }
                Part::Parameters(Some(parameters)) => {
                    if let Some(reason) = refused(&parameters) {
                        return Verdict::Decode(reason);
                    }
                    self.parameters = Some(parameters);
                }
                Part::Slice { bidirectional } => {
                    if bidirectional {
                        return Verdict::Decode("it has B-frames".to_owned());
                    }
                }
            }
        }
        // What has no time says nothing of its place.
        if shown_at.is_some() && shown_at < self.latest {
            return Verdict::Decode("its pictures are reordered".to_owned());
        }
        self.latest = shown_at.or(self.latest);
        self.pictures += 1;
        match self.parameters {
            None => Verdict::Look,
            Some(parameters) if cannot_reorder(&parameters) => Verdict::PassThrough,
            Some(_) if self.pictures >= self.enough => Verdict::PassThrough,
            Some(_) => Verdict::Look,
        }
    }

    /// There will be no more pictures, or not soon.
    pub(crate) fn finish(&self) -> Verdict {
        if self.parameters.is_some() {
            Verdict::PassThrough
        } else {
            Verdict::Decode("nothing is known of it".to_owned())
        }
    }
}

fn refused(parameters: &SequenceParameters) -> Option<String> {
    // Constrained baseline and baseline, main, high (annex A.2).
    if !matches!(parameters.profile, 66 | 77 | 100) {
        return Some(format!("its profile is {}", parameters.profile));
    }
    if parameters.chroma_format != 1 {
        return Some("it is not 4:2:0".to_owned());
    }
    if parameters.bit_depth != 8 {
        return Some(format!("it has {} bits", parameters.bit_depth));
    }
    if !parameters.progressive {
        return Some("it may be interlaced".to_owned());
    }
    None
}

/// Baseline has no B slices (annex A.2.1).
fn cannot_reorder(parameters: &SequenceParameters) -> bool {
    parameters.profile == 66 || parameters.in_order
}

#[cfg(test)]
mod tests {
    use super::*;

    // Made by x264enc: 320x240, 30 frames/s.
    const BASELINE: &[u8] = include_bytes!("pass_through/baseline.h264");
    const MAIN_WITHOUT_B_FRAMES: &[u8] = include_bytes!("pass_through/main_without_b_frames.h264");
    const MAIN_WITH_B_FRAMES: &[u8] = include_bytes!("pass_through/main_with_b_frames.h264");
    const HIGH_444: &[u8] = include_bytes!("pass_through/high_444.h264");
    const INTERLACED: &[u8] = include_bytes!("pass_through/interlaced.h264");

    fn verdict(caps: &str) -> Verdict {
        gst::init().expect("GStreamer starts");
        let caps: gst::Caps = caps.parse().expect("caps");
        by_caps(caps.structure(0).expect("not empty"))
    }

    fn is_decoded(verdict: &Verdict, why: &str) -> bool {
        matches!(verdict, Verdict::Decode(reason) if reason.contains(why))
    }

    /// Looks at the pictures of a stream, which begin with delimiters.
    fn look(stream: &[u8]) -> (usize, Verdict) {
        const DELIMITER: &[u8] = &[0, 0, 0, 1, 9];
        let starts: Vec<_> = stream
            .windows(DELIMITER.len())
            .enumerate()
            .filter(|(_, window)| *window == DELIMITER)
            .map(|(place, _)| place)
            .chain([stream.len()])
            .collect();
        let mut look = Look::new();
        let pictures = starts.windows(2).map(|ends| &stream[ends[0]..ends[1]]);
        let mut seen = 0;
        for picture in pictures {
            seen += 1;
            match look.picture(picture, None) {
                Verdict::Look => {}
                verdict => return (seen, verdict),
            }
        }
        (seen, look.finish())
    }

    #[test]
    fn what_browsers_take_is_told_by_its_caps() {
        assert_eq!(verdict("video/x-vp8"), Verdict::PassThrough);
        assert_eq!(
            verdict("video/x-vp9, profile=(string)0"),
            Verdict::PassThrough
        );
        assert!(is_decoded(
            &verdict("video/x-vp9, profile=(string)2"),
            "profile 0"
        ));
        assert_eq!(
            verdict("audio/x-opus, channels=2, channel-mapping-family=0"),
            Verdict::PassThrough
        );
        let surround = verdict("audio/x-opus, channels=6, channel-mapping-family=1");
        assert!(is_decoded(&surround, "two channels"));
        assert_eq!(verdict("video/x-h264"), Verdict::Look);
        for av1 in [
            "video/x-av1",
            "video/x-av1, profile=main, chroma-format=4:2:0, bit-depth-luma=(uint)8",
        ] {
            assert_eq!(verdict(av1), Verdict::PassThrough, "{av1}");
        }
        let ten_bits = verdict("video/x-av1, profile=main, bit-depth-luma=(uint)10");
        assert!(is_decoded(&ten_bits, "8 bits"));
        assert!(is_decoded(&verdict("video/x-av1, profile=high"), "main"));
        for law in ["audio/x-mulaw", "audio/x-alaw"] {
            let telephone = format!("{law}, rate=8000, channels=1");
            assert_eq!(verdict(&telephone), Verdict::PassThrough);
            let wide = format!("{law}, rate=16000, channels=1");
            assert!(is_decoded(&verdict(&wide), "8,000"));
        }
        for other in ["video/x-h265", "image/jpeg", "audio/mpeg, mpegversion=4"] {
            assert!(is_decoded(&verdict(other), "browsers"), "{other}");
        }
    }

    #[test]
    fn baseline_is_taken_at_the_first_picture() {
        assert_eq!(look(BASELINE), (1, Verdict::PassThrough));
    }

    #[test]
    fn main_is_taken_where_it_says_that_nothing_is_reordered() {
        // x264 writes how many pictures may be reordered: none without B-frames.
        assert_eq!(look(MAIN_WITHOUT_B_FRAMES), (1, Verdict::PassThrough));
    }

    #[test]
    fn b_frames_other_chroma_and_interlacing_are_not_taken() {
        let (seen, verdict) = look(MAIN_WITH_B_FRAMES);
        assert!(
            seen > 1 && is_decoded(&verdict, "B-frames"),
            "{seen} {verdict:?}"
        );
        let (seen, verdict) = look(HIGH_444);
        assert!(
            seen == 1 && is_decoded(&verdict, "profile is 244"),
            "{verdict:?}"
        );
        assert!(is_decoded(&look(INTERLACED).1, "interlaced"));
    }

    #[test]
    fn reordered_timestamps_are_noticed_without_a_look_inside() {
        gst::init().expect("GStreamer starts");
        let at = |milliseconds| Some(gst::ClockTime::from_mseconds(milliseconds));
        let mut look = Look::new();
        assert_eq!(look.picture(&[], at(0)), Verdict::Look);
        assert_eq!(look.picture(&[], at(80)), Verdict::Look);
        assert!(is_decoded(&look.picture(&[], at(40)), "reordered"));
    }

    #[test]
    fn damaged_streams_are_decoded() {
        for cut in 0..60 {
            let cut_short = &BASELINE[..cut.min(BASELINE.len())];
            // Whatever the verdict is, there is one.
            let _ = look(cut_short);
        }
        let mut look = Look::new();
        let verdict = look.picture(&[0, 0, 0, 1, 0x67, 0xff], None);
        assert!(is_decoded(&verdict, "cannot be read"));
        assert!(is_decoded(&Look::new().finish(), "nothing is known"));
    }
}
