//! Encoders that do not work.
#![allow(
    unnameable_types,
    unreachable_pub,
    reason = "the public types are the wrappers, and a module of a test"
)]

use std::sync::{LazyLock, Once};

use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use gstreamer as gst;

/// Pictures that the encoder of VP9 makes before it breaks.
const PICTURES: i32 = 60;

/// Makes GStreamer know them, above all others; and no other encoder of H.265.
pub fn register() {
    static DONE: Once = Once::new();
    DONE.call_once(|| {
        let rank = gst::Rank::PRIMARY + 100;
        for (name, kind) in [
            ("failingvp8enc", FailingVp8::static_type()),
            ("failingh265enc", FailingH265::static_type()),
            ("breakingvp9enc", BreakingVp9::static_type()),
            ("deafh264enc", DeafH264::static_type()),
        ] {
            gst::Element::register(None, name, rank, kind).expect("it is registered");
        }
        let encoders = gst::ElementFactory::factories_with_type(
            gst::ElementFactoryType::VIDEO_ENCODER,
            gst::Rank::MARGINAL,
        );
        let h265 = gst::Caps::builder("video/x-h265").build();
        for encoder in encoders {
            if encoder.name() != "failingh265enc" && encoder.can_src_any_caps(&h265) {
                encoder.set_rank(gst::Rank::NONE);
            }
        }
    });
}

glib::wrapper! {
    pub struct FailingVp8(ObjectSubclass<imp::Vp8>) @extends gst::Bin, gst::Element, gst::Object;
}

glib::wrapper! {
    pub struct FailingH265(ObjectSubclass<imp::H265>) @extends gst::Bin, gst::Element, gst::Object;
}

glib::wrapper! {
    pub struct BreakingVp9(ObjectSubclass<imp::Vp9>) @extends gst::Bin, gst::Element, gst::Object;
}

glib::wrapper! {
    pub struct DeafH264(ObjectSubclass<imp::H264>) @extends gst::Bin, gst::Element, gst::Object;
}

fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
    static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
        gst::subclass::ElementMetadata::new("Failing", "Codec/Encoder/Video", "Fails", "Nobody")
    });
    Some(&*METADATA)
}

fn templates(made: &str) -> Vec<gst::PadTemplate> {
    let template = |name, direction, media_type: &str| {
        let caps = gst::Caps::new_empty_simple(media_type);
        gst::PadTemplate::new(name, direction, gst::PadPresence::Always, &caps).expect("a template")
    };
    vec![
        template("sink", gst::PadDirection::Sink, "video/x-raw"),
        template("src", gst::PadDirection::Src, made),
    ]
}

/// Puts elements, one after the other, into a bin, with the pads at both ends.
fn fill(bin: &gst::Bin, elements: &[gst::Element]) {
    bin.add_many(elements).expect("they are new");
    gst::Element::link_many(elements).expect("they fit");
    let ends = [(elements.first(), "sink"), (elements.last(), "src")];
    for (element, name) in ends {
        let target = element.and_then(|element| element.static_pad(name));
        let template = bin.pad_template(name).expect("there is one");
        let pad = gst::GhostPad::builder_from_template_with_target(
            &template,
            &target.expect("every encoder has both"),
        );
        let pad = pad.expect("a pad").name(name).build();
        bin.add_pad(&pad).expect("the first of that name");
    }
}

fn element(name: &str) -> gst::Element {
    gst::ElementFactory::make(name).build().expect("installed")
}

mod imp {
    use super::*;

    /// Refuses to start, and does not say why, as some drivers do.
    macro_rules! refuses_to_start {
        ($name:ident, $wrapper:ident, $type_name:literal, $made:literal, $encoder:literal) => {
            #[derive(Default)]
            pub struct $name;

            #[glib::object_subclass]
            impl ObjectSubclass for $name {
                const NAME: &'static str = $type_name;
                type Type = $wrapper;
                type ParentType = gst::Bin;
            }

            impl ObjectImpl for $name {
                fn constructed(&self) {
                    self.parent_constructed();
                    fill(self.obj().upcast_ref(), &[element($encoder)]);
                }
            }

            impl GstObjectImpl for $name {}

            impl ElementImpl for $name {
                fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
                    metadata()
                }

                fn pad_templates() -> &'static [gst::PadTemplate] {
                    static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> =
                        LazyLock::new(|| templates($made));
                    TEMPLATES.as_ref()
                }

                fn change_state(
                    &self,
                    transition: gst::StateChange,
                ) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
                    if transition == gst::StateChange::ReadyToPaused {
                        return Err(gst::StateChangeError);
                    }
                    self.parent_change_state(transition)
                }
            }

            impl BinImpl for $name {}
        };
    }

    refuses_to_start!(Vp8, FailingVp8, "TestFailingVp8", "video/x-vp8", "vp8enc");
    refuses_to_start!(
        H265,
        FailingH265,
        "TestFailingH265",
        "video/x-h265",
        "x265enc"
    );

    #[derive(Default)]
    pub struct Vp9;

    #[glib::object_subclass]
    impl ObjectSubclass for Vp9 {
        const NAME: &'static str = "TestBreakingVp9";
        type Type = BreakingVp9;
        type ParentType = gst::Bin;
    }

    impl ObjectImpl for Vp9 {
        fn constructed(&self) {
            self.parent_constructed();
            let breaks = gst::ElementFactory::make("identity")
                .name("breaks")
                .property("error-after", PICTURES)
                .build()
                .expect("part of GStreamer's core");
            let encoder = gst::ElementFactory::make("vp9enc")
                .property("deadline", 1i64)
                .property("cpu-used", 8i32)
                .property("lag-in-frames", 0i32)
                .build()
                .expect("installed");
            fill(self.obj().upcast_ref(), &[breaks, encoder]);
        }
    }

    impl GstObjectImpl for Vp9 {}

    impl ElementImpl for Vp9 {
        fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
            metadata()
        }

        fn pad_templates() -> &'static [gst::PadTemplate] {
            static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> =
                LazyLock::new(|| templates("video/x-vp9"));
            TEMPLATES.as_ref()
        }
    }

    impl BinImpl for Vp9 {}

    /// Makes no key frame when it is asked to.
    #[derive(Default)]
    pub struct H264;

    #[glib::object_subclass]
    impl ObjectSubclass for H264 {
        const NAME: &'static str = "TestDeafH264";
        type Type = DeafH264;
        type ParentType = gst::Bin;
    }

    impl ObjectImpl for H264 {
        fn constructed(&self) {
            self.parent_constructed();
            let encoder = gst::ElementFactory::make("x264enc")
                .property("key-int-max", 100_000u32)
                .build()
                .expect("installed");
            encoder.set_property_from_str("tune", "zerolatency");
            encoder.set_property_from_str("speed-preset", "ultrafast");
            let obj = self.obj();
            fill(obj.upcast_ref(), &[encoder]);
            let exit = obj.static_pad("src").expect("an encoder has one");
            exit.add_probe(gst::PadProbeType::EVENT_UPSTREAM, |_, info| {
                let is_wish = info
                    .event()
                    .and_then(|event| event.structure())
                    .is_some_and(|event| event.name() == "GstForceKeyUnit");
                match is_wish {
                    true => gst::PadProbeReturn::Drop,
                    false => gst::PadProbeReturn::Ok,
                }
            });
        }
    }

    impl GstObjectImpl for H264 {}

    impl ElementImpl for H264 {
        fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
            metadata()
        }

        fn pad_templates() -> &'static [gst::PadTemplate] {
            static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> =
                LazyLock::new(|| templates("video/x-h264"));
            TEMPLATES.as_ref()
        }
    }

    impl BinImpl for H264 {}
}
