//! What signals hand out for a session, where the published sink hands out its `webrtcbin`.

use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use gstreamer as gst;
use wigwag_media::ids::ViewerId;

use super::snapshot::Snapshot;

glib::wrapper! {
    /// One viewer of a sink: the second argument of `consumer-added` and `consumer-removed`.
    ///
    /// The action signal `get-stats` answers as that of `webrtcbin` does: a pad, which is not looked at, and a
    /// promise, which is answered with `application/x-webrtc-stats` before the signal returns, or with nothing
    /// once the session ended.
    pub struct Consumer(ObjectSubclass<imp::Consumer>) @extends gst::Element, gst::Object;
}

impl Consumer {
    pub(super) fn new(session: &str, peer: &str, viewer: ViewerId, snapshot: Snapshot) -> Self {
        let name = format!("webrtcbin-{session}");
        let consumer: Self = glib::Object::builder()
            .property("name", name)
            .property("session-id", session)
            .property("peer-id", peer)
            .build();
        // A new one has none yet.
        let _ = consumer.imp().books.set((snapshot, viewer));
        consumer
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
        pub(super) books: OnceLock<(Snapshot, ViewerId)>,
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

        fn signals() -> &'static [glib::subclass::Signal] {
            static SIGNALS: LazyLock<Vec<glib::subclass::Signal>> = LazyLock::new(|| {
                vec![
                    glib::subclass::Signal::builder("get-stats")
                        .param_types([gst::Pad::static_type(), gst::Promise::static_type()])
                        .action()
                        .class_handler(|values| {
                            let consumer = values[0].get::<super::Consumer>();
                            let promise = values[2].get::<Option<gst::Promise>>();
                            if let (Ok(consumer), Ok(Some(promise))) = (consumer, promise) {
                                promise.reply(consumer.imp().statistics());
                            }
                            None
                        })
                        .build(),
                ]
            });
            SIGNALS.as_ref()
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

    impl Consumer {
        fn statistics(&self) -> Option<gst::Structure> {
            let (snapshot, viewer) = self.books.get()?;
            snapshot.session_statistics(*viewer)
        }
    }

    impl GstObjectImpl for Consumer {}
    impl ElementImpl for Consumer {}
}
