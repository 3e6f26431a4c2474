//! A producer whose media goes through sessions of `wigwag-media`: a pipeline encodes and payloads a test
//! picture and a tone once, and the example `rtp_producer` sends it to every viewer.

use std::net::UdpSocket;
use std::process::Command;

use anyhow::Result;

use crate::server::SignallingServer;
use crate::{Peer, environment};

/// The running producer.
#[derive(Debug)]
pub struct RtpProducer {
    /// Reports `registered`, `connected` and `ended`.
    pub sender: Peer,
    /// Its id at the server.
    pub id: String,
    _pipeline: Peer,
}

impl RtpProducer {
    /// Starts it and waits until it has its id.
    pub fn start(server: &SignallingServer) -> Result<Self> {
        let (video, audio) = (free_port()?, free_port()?);
        let mut command = Command::new(environment::required("WIGWAG_RTP_PRODUCER")?);
        command.arg(server.uri());
        command.args([video.to_string(), audio.to_string()]);
        let mut sender = Peer::start("rtp_producer", command)?;
        let id = sender.wait_for_text("registered", "peer")?;
        // One key frame a second, so that whoever joins need not ask.
        let pipeline = format!(
            "videotestsrc is-live=true pattern=ball ! video/x-raw,width=320,height=240,framerate=30/1 \
             ! vp8enc deadline=1 cpu-used=8 keyframe-max-dist=30 target-bitrate=500000 \
             ! rtpvp8pay mtu=1140 ! udpsink host=127.0.0.1 port={video} sync=false \
             audiotestsrc is-live=true ! audio/x-raw,rate=48000 ! opusenc ! rtpopuspay \
             ! udpsink host=127.0.0.1 port={audio} sync=false"
        );
        let mut command = Command::new("gst-launch-1.0");
        command.arg("-q").args(pipeline.split_whitespace());
        Ok(Self {
            sender,
            id,
            _pipeline: Peer::start("gst-launch-1.0", command)?,
        })
    }
}

fn free_port() -> Result<u16> {
    Ok(UdpSocket::bind("127.0.0.1:0")?.local_addr()?.port())
}
