//! The object behind `signaller::…`: where the server is and whom to trust.

mod imp;

use gst::glib;
use gstreamer as gst;
use wigwag_client::{NativeConfig, Role};

use gst::prelude::*;

glib::wrapper! {
    /// How a sink reaches its signalling server: the property `signaller` of `webrtcsink`.
    pub struct Signaller(ObjectSubclass<imp::Signaller>);
}

impl Default for Signaller {
    fn default() -> Self {
        glib::Object::new()
    }
}

impl Signaller {
    /// What the signaller is started with.
    pub(crate) fn config(&self, role: Role) -> NativeConfig {
        imp::config(self, role)
    }

    /// Takes the id that the server gave us; none while there is no connection.
    pub(crate) fn set_client_id(&self, id: Option<&str>) {
        imp::set_client_id(self, id);
    }

    /// The id that the server gave us.
    pub(crate) fn client_id(&self) -> Option<String> {
        self.property("client-id")
    }

    /// Where the signalling server is.
    pub(crate) fn uri(&self) -> String {
        self.property("uri")
    }

    /// Points to the server that the element runs itself.
    pub(crate) fn use_own_server(&self, uri: &str, cafile: Option<&str>) {
        self.set_property("uri", uri);
        if cafile.is_some() {
            self.set_property("cafile", cafile);
        }
    }
}
