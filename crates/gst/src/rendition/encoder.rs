//! How encoders are set up for conversation: low delay, key frames only on demand, a rate that can
//! change. Names and numbers follow the published `webrtcsink`.

use std::time::Duration;

use gst::prelude::*;
use gstreamer as gst;
use wigwag_media::encoder_control::Manners;
use wigwag_media::ids::Bitrate;

use super::property::set;

/// What a group of encoders is told.
struct SetUp {
    encoders: &'static [&'static str],
    /// The property with the rate.
    rate: &'static str,
    /// In bit/s: how much one step of it is.
    unit: Bitrate,
    manners: Manners,
    /// Other properties; those that an encoder lacks are passed over, since versions differ.
    properties: &'static [(&'static str, &'static str)],
}

/// Each change of its rate is as good as any.
const PATIENT: Manners = Manners {
    raise_interval: Duration::ZERO,
    lower_interval: Duration::ZERO,
    worthwhile_percent: 0,
};

/// It makes a key frame at each change of its rate: measured with x265enc of GStreamer 1.22.
const KEY_FRAME_AT_CHANGE: Manners = Manners {
    raise_interval: Duration::from_secs(15),
    lower_interval: Duration::from_secs(2),
    worthwhile_percent: 15,
};

const BIT: Bitrate = 1;
const KILOBIT: Bitrate = 1_000;

const SET_UPS: &[SetUp] = &[
    SetUp {
        encoders: &["vp8enc", "vp9enc"],
        rate: "target-bitrate",
        unit: BIT,
        manners: PATIENT,
        properties: &[
            ("deadline", "1"),
            ("cpu-used", "-16"),
            ("keyframe-max-dist", "2000"),
            ("keyframe-mode", "disabled"),
            ("end-usage", "cbr"),
            ("buffer-initial-size", "100"),
            ("buffer-optimal-size", "120"),
            ("buffer-size", "150"),
            ("max-intra-bitrate", "250"),
            ("error-resilient", "default"),
            ("lag-in-frames", "0"),
        ],
    },
    SetUp {
        encoders: &["x264enc"],
        rate: "bitrate",
        unit: KILOBIT,
        manners: PATIENT,
        properties: &[
            ("tune", "zerolatency"),
            ("speed-preset", "ultrafast"),
            ("threads", "4"),
            ("key-int-max", "2560"),
            ("b-adapt", "false"),
            ("vbv-buf-capacity", "120"),
        ],
    },
    SetUp {
        encoders: &["openh264enc"],
        rate: "bitrate",
        unit: BIT,
        manners: PATIENT,
        properties: &[
            ("gop-size", "2560"),
            ("rate-control", "bitrate"),
            ("complexity", "low"),
            ("background-detection", "false"),
            ("scene-change-detection", "false"),
        ],
    },
    SetUp {
        encoders: &["x265enc"],
        rate: "bitrate",
        unit: KILOBIT,
        manners: KEY_FRAME_AT_CHANGE,
        properties: &[
            ("tune", "zerolatency"),
            ("speed-preset", "ultrafast"),
            ("key-int-max", "2560"),
        ],
    },
    SetUp {
        encoders: &["nvh264enc", "nvh265enc"],
        rate: "bitrate",
        unit: KILOBIT,
        manners: PATIENT,
        properties: &[
            ("gop-size", "2560"),
            ("rc-mode", "cbr-ld-hq"),
            ("zerolatency", "true"),
        ],
    },
    SetUp {
        encoders: &["nvav1enc"],
        rate: "bitrate",
        unit: KILOBIT,
        manners: PATIENT,
        properties: &[
            ("gop-size", "-1"),
            ("rc-mode", "cbr"),
            ("zerolatency", "true"),
        ],
    },
    SetUp {
        encoders: &["vaapih264enc", "vaapivp8enc", "vaapivp9enc"],
        rate: "bitrate",
        unit: KILOBIT,
        manners: PATIENT,
        properties: &[("keyframe-period", "2560"), ("rate-control", "cbr")],
    },
    SetUp {
        encoders: &[
            "vavp8enc",
            "vavp9enc",
            "vah264enc",
            "vah265enc",
            "vaav1enc",
            "vavp8lpenc",
            "vavp9lpenc",
            "vah264lpenc",
            "vah265lpenc",
            "vaav1lpenc",
        ],
        rate: "bitrate",
        unit: KILOBIT,
        manners: PATIENT,
        properties: &[("key-int-max", "256"), ("rate-control", "cbr")],
    },
    SetUp {
        encoders: &["qsvh264enc"],
        rate: "bitrate",
        unit: KILOBIT,
        manners: PATIENT,
        properties: &[
            ("gop-size", "2560"),
            ("low-latency", "true"),
            ("disable-hrd-conformance", "true"),
            ("rate-control", "cbr"),
        ],
    },
    SetUp {
        encoders: &["av1enc"],
        rate: "target-bitrate",
        unit: KILOBIT,
        manners: PATIENT,
        properties: &[
            ("end-usage", "cbr"),
            // In GStreamer 1.22 it makes no key frame when it is asked: who joins waits for the next of these.
            ("keyframe-mode", "auto"),
            ("keyframe-max-dist", "60"),
            ("usage-profile", "realtime"),
            // The element's default looks ahead and takes seconds a picture.
            ("cpu-used", "10"),
            ("lag-in-frames", "0"),
            ("row-mt", "true"),
            // The element's default cannot be used.
            ("max-quantizer", "63"),
        ],
    },
    SetUp {
        encoders: &["rav1enc"],
        rate: "bitrate",
        unit: BIT,
        manners: PATIENT,
        properties: &[
            ("low-latency", "true"),
            ("max-key-frame-interval", "715827882"),
            ("speed-preset", "10"),
        ],
    },
    SetUp {
        encoders: &["vpuenc_h264", "vpuenc_hevc"],
        rate: "bitrate",
        unit: KILOBIT,
        manners: PATIENT,
        properties: &[("gop-size", "2560")],
    },
];

/// Sets an encoder up for a rate. Audio encoders keep their own rate, and their timestamps are made
/// gapless, which Chromium needs.
pub(crate) fn set_up(encoder: &gst::Element, rate: Bitrate) {
    if encoder.find_property("perfect-timestamp").is_some() {
        set(encoder, "perfect-timestamp", "true");
    }
    let Some(known) = known(encoder) else {
        return;
    };
    for (name, value) in known.properties {
        set(encoder, name, value);
    }
    set_rate(encoder, rate);
}

/// Changes the rate. False if nobody knows how to do that with this encoder.
pub(crate) fn set_rate(encoder: &gst::Element, rate: Bitrate) -> bool {
    let Some(known) = known(encoder) else {
        return false;
    };
    let rate = highest(encoder).map_or(rate, |highest| rate.min(highest));
    set(encoder, known.rate, &(rate / known.unit).max(1).to_string());
    true
}

/// What an encoder bears.
pub(crate) fn manners(encoder: &gst::Element) -> Manners {
    known(encoder).map_or(PATIENT, |known| known.manners)
}

/// A limit that an application set, above which `openh264enc` ignores rates silently.
fn highest(encoder: &gst::Element) -> Option<Bitrate> {
    let is_openh264 = encoder.factory()?.name() == "openh264enc";
    let highest: u32 = is_openh264.then(|| encoder.property("max-bitrate"))?;
    (highest > 0).then_some(highest.into())
}

fn known(encoder: &gst::Element) -> Option<&'static SetUp> {
    let name = encoder.factory()?.name();
    SET_UPS
        .iter()
        .find(|known| known.encoders.contains(&name.as_str()))
}

#[cfg(test)]
mod tests {
    use gst::glib;

    use super::*;

    fn encoder(name: &str) -> gst::Element {
        gst::init().expect("GStreamer starts");
        gst::ElementFactory::make(name).build().expect("installed")
    }

    /// A value that an encoder refuses would only be a line in a log.
    #[test]
    fn installed_encoders_have_what_they_are_told() {
        for known in SET_UPS {
            for name in known.encoders {
                gst::init().expect("GStreamer starts");
                let Ok(encoder) = gst::ElementFactory::make(name).build() else {
                    continue;
                };
                let rate = (known.rate, "1000");
                for (property, value) in known.properties.iter().chain([&rate]) {
                    if let Some(pspec) = encoder.find_property(property) {
                        let read = glib::Value::deserialize_with_pspec(value, &pspec);
                        assert!(read.is_ok(), "{name} {property}={value}");
                    }
                }
            }
        }
    }

    #[test]
    fn rates_are_in_the_unit_of_the_encoder() {
        let vp8 = encoder("vp8enc");
        set_up(&vp8, 1_234_000);
        assert_eq!(vp8.property::<i32>("target-bitrate"), 1_234_000);
        assert_eq!(vp8.property::<i32>("keyframe-max-dist"), 2_000);
        let x264 = encoder("x264enc");
        set_up(&x264, 1_234_567);
        assert_eq!(x264.property::<u32>("bitrate"), 1_234);
        assert!(set_rate(&x264, 500));
        assert_eq!(x264.property::<u32>("bitrate"), 1);
        assert!(!set_rate(&encoder("opusenc"), 500));
        let openh264 = encoder("openh264enc");
        openh264.set_property("max-bitrate", 300_000u32);
        assert!(set_rate(&openh264, 500_000));
        assert_eq!(openh264.property::<u32>("bitrate"), 300_000);
    }
}
