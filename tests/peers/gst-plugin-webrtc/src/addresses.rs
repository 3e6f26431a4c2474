//! Keeps the media on the network that a test is about.

use std::net::IpAddr;

use gst::glib;
use gst::prelude::*;

/// Makes this address the only host candidate of this webrtcbin.
pub(crate) fn restrict(webrtcbin: &gst::Element, address: IpAddr) {
    let ice = webrtcbin.property::<glib::Object>("ice-agent");
    ice.emit_by_name::<bool>("add-local-ip-address", &[&address.to_string()]);
    // libnice asks the local network for a UPnP gateway unless it is told not to.
    if ice.has_property("agent") {
        let agent = ice.property::<glib::Object>("agent");
        if agent.has_property("upnp") {
            agent.set_property("upnp", false);
        }
    }
}
