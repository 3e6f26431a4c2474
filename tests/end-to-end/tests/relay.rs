//! What the published sink sends is received by us, put together to frames, and published again to the published viewer, which
//! decodes it. The program is the one of `WIGWAG_SERVE`; what relays is in this process.

mod relaying;

use anyhow::{Result, ensure};
use relaying::Relay;
use wigwag_end_to_end::gst_plugin_webrtc::{Endpoint, Wanted, listed_producer_of, receive};
use wigwag_end_to_end::{SignallingServer, lossy_network};
use wigwag_media::session::Codec;

/// More than one key frame needs to come, where packets are lost.
const FRAMES: u64 = 150;

#[test]
fn vp8_is_relayed_though_the_network_loses_packets() -> Result<()> {
    if !lossy_network::is_entered("vp8_is_relayed_though_the_network_loses_packets")? {
        return Ok(());
    }
    relay("video/x-vp8", Codec::Vp8)
}

#[test]
fn h264_is_relayed() -> Result<()> {
    let codec = Codec::H264 {
        profile_level_id: 0x42_e0_1f,
    };
    relay("video/x-h264", codec)
}

/// Relays from the published sink to the published viewer, until that has decoded enough.
fn relay(caps: &str, codec: Codec) -> Result<()> {
    let server = SignallingServer::start()?;
    let endpoint = Endpoint::plain(&server);
    let (mut producer, id) = listed_producer_of(&endpoint, caps)?;
    let relay = Relay::start(server.address(), &id, codec)?;
    let wanted = Wanted {
        frames: FRAMES,
        ..Wanted::default()
    };
    let mut viewer = receive(&endpoint, relay.id(), wanted)?;
    let ended = viewer.wait_for_exit();
    let counted = relay.stop()?;
    ensure!(
        ended?.success(),
        "the viewer did not get enough: {counted:?}"
    );
    producer.stop()
}
