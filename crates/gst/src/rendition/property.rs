//! Properties of elements that differ in what they have, and in the types of it.

use gst::glib;
use gst::prelude::*;
use gstreamer as gst;

use crate::log;

/// Sets a property from a text, as on a command line. What the element lacks is passed over, and what it
/// refuses is logged: neither is a reason not to send.
pub(super) fn set(element: &gst::Element, name: &str, value: &str) {
    let Some(property) = element.find_property(name) else {
        gst::debug!(log::ELEMENTS, obj = element, "has no property {name}");
        return;
    };
    match glib::Value::deserialize_with_pspec(value, &property) {
        Ok(value) => element.set_property_from_value(name, &value),
        Err(error) => {
            gst::warning!(
                log::ELEMENTS,
                obj = element,
                "{name} cannot be {value}: {error}"
            );
        }
    }
}
