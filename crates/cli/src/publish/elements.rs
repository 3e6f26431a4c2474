//! The elements of a source's pipeline: how they are made and linked, and what is said when that fails.

use gst::glib;
use gst::prelude::*;
use gstreamer as gst;

use super::event::Failure;
use super::missing;

/// Makes an element; an error names the package that has it.
pub(super) fn make(name: &str) -> Result<gst::Element, Failure> {
    gst::ElementFactory::make(name)
        .build()
        .map_err(|_| Failure {
            text: format!(
                "GStreamer lacks an element: {name}; install {}",
                missing::element_package(name)
            ),
            lasting: true,
        })
}

/// Adds elements to a pipeline, linked in a row, in its state.
pub(super) fn add(pipeline: &gst::Pipeline, chain: &[gst::Element]) -> Result<(), Failure> {
    let added = pipeline
        .add_many(chain)
        .and_then(|()| gst::Element::link_many(chain));
    added.map_err(|_: glib::BoolError| broken())?;
    for element in chain.iter().rev() {
        element.sync_state_with_parent().map_err(|_| broken())?;
    }
    Ok(())
}

/// What ought not to happen: it is said and the command ends, but nothing panics.
pub(super) fn broken() -> Failure {
    Failure {
        text: "its pipeline could not be built".to_owned(),
        lasting: true,
    }
}
