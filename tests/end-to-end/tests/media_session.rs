//! Media sessions of ours with the published `webrtcsrc`, whose certificate has an RSA key.

use anyhow::Result;
use wigwag_end_to_end::SignallingServer;
use wigwag_end_to_end::gst_plugin_webrtc::{Endpoint, consume};
use wigwag_end_to_end::rtp_producer::RtpProducer;

const ENOUGH: u64 = 60;

#[test]
fn two_receivers_decode_what_was_encoded_once() -> Result<()> {
    let server = SignallingServer::start()?;
    let endpoint = Endpoint::plain(&server);
    let mut producer = RtpProducer::start(&server)?;
    let mut receivers = [
        consume(&endpoint, &producer.id, ENOUGH)?,
        consume(&endpoint, &producer.id, ENOUGH)?,
    ];
    for receiver in &mut receivers {
        producer.sender.wait_for("connected")?;
        receiver.wait_until("frames", |event| event["count"].as_u64() >= Some(ENOUGH))?;
    }
    Ok(())
}
