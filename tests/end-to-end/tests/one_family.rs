//! Viewers that have only IPv6, or only IPv4, of a sink that has both and finds its addresses itself.

use std::rc::Rc;

use anyhow::{Result, ensure};
use wigwag_end_to_end::gst_plugin_webrtc::{Endpoint, consume};
use wigwag_end_to_end::{Namespace, Network, WigwagSink};

const ENOUGH: u64 = 60;

// Addresses for documentation, which no network has: RFC 5737 and RFC 3849.
const SINK: [&str; 2] = ["198.51.100.1/24", "2001:db8::1/64"];

const SOURCES: &[(&str, &str)] = &[(
    "video_0",
    "videotestsrc is-live=true ! video/x-raw,width=320,height=240,framerate=30/1",
)];

#[test]
fn a_viewer_with_ipv4_only_is_reached() -> Result<()> {
    assert_reached("198.51.100.1", "198.51.100.2", 24)
}

#[test]
fn a_viewer_with_ipv6_only_is_reached() -> Result<()> {
    assert_reached("[2001:db8::1]", "2001:db8::2", 64)
}

fn assert_reached(server: &str, viewer: &str, prefix: u8) -> Result<()> {
    let at_sink = Namespace::new()?;
    let at_viewer = Rc::new(at_sink.beside()?);
    at_sink.connect(&SINK, &at_viewer, &[&format!("{viewer}/{prefix}")])?;
    let host = format!("signalling-server-host={}", server.trim_matches(['[', ']']));
    let properties = [
        "run-signalling-server=true",
        &host,
        "video-caps=video/x-vp8",
    ];
    let sink = WigwagSink::start(Network::All(&at_sink), &properties, SOURCES)?;

    let uri = format!("ws://{server}:8443");
    let endpoint = Endpoint::from_namespace(uri, &at_viewer, viewer.parse()?);
    let id = sink.wait_until_listed(&endpoint)?;
    let mut receiver = consume(&endpoint, &id, ENOUGH)?;
    receiver.wait_for("frames")?;
    let status = receiver.wait_for_exit()?;
    ensure!(status.success(), "the receiver ended with {status}");
    Ok(())
}
