//! What signals hand out for a session, where the published sink hands out its `webrtcbin`.

use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use gstreamer as gst;

glib::wrapper! {
    /// One viewer of a sink: the second argument of `consumer-added` and `consumer-removed`.
    pub struct Consumer(ObjectSubclass<imp::Consumer>) @extends gst::Element, gst::Object;
}

impl Consumer {
    pub(super) fn new(session: &str, peer: &str) -> Self {
        let name = format!("webrtcbin-{session}");
        glib::Object::builder()
            .property("name", name)
            .property("session-id", session)
            .property("peer-id", peer)
            .build()
    }
}

mod imp {
    use std::sync::{LazyLock, OnceLock};

    use super::*;

    #[derive(Default)]
    #[allow(unnameable_types, reason = "the public type is the wrapper")]
    pub struct Consumer {
        session: OnceLock<String>,
        peer: OnceLock<String>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for Consumer {
        const NAME: &'static str = "WigwagConsumer";
        type Type = super::Consumer;
        type ParentType = gst::Element;
    }

    impl ObjectImpl for Consumer {
        fn properties() -> &'static [glib::ParamSpec] {
            static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(|| {
                let text = |name, blurb| {
                    glib::ParamSpecString::builder(name)
                        .blurb(blurb)
                        .construct_only()
                        .build()
                };
                vec![
                    text("session-id", "The session at the signaller"),
                    text("peer-id", "The viewer at the signaller"),
                ]
            });
            PROPERTIES.as_ref()
        }

        fn set_property(&self, _id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
            let text: Option<String> = value.get().expect("checked by GObject");
            let place = if pspec.name() == "peer-id" {
                &self.peer
            } else {
                &self.session
            };
            // Both are set once, at construction.
            let _ = place.set(text.unwrap_or_default());
        }

        fn property(&self, _id: usize, pspec: &glib::ParamSpec) -> glib::Value {
            let place = if pspec.name() == "peer-id" {
                &self.peer
            } else {
                &self.session
            };
            place.get().to_value()
        }
    }

    impl GstObjectImpl for Consumer {}
    impl ElementImpl for Consumer {}
}
