//! Keeps the media on the loopback interface.

use gst::glib;
use gst::prelude::*;

/// Makes 127.0.0.1 the only host candidate of this webrtcbin.
pub(crate) fn restrict(webrtcbin: &gst::Element) {
    let ice = webrtcbin.property::<glib::Object>("ice-agent");
    ice.emit_by_name::<bool>("add-local-ip-address", &[&"127.0.0.1"]);
    // libnice asks the local network for a UPnP gateway unless it is told not to.
    if ice.has_property("agent") {
        let agent = ice.property::<glib::Object>("agent");
        if agent.has_property("upnp") {
            agent.set_property("upnp", false);
        }
    }
}
