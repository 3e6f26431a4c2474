//! A viewer of what `wigwag publish` publishes, by the pictures that it gets: a published `webrtcsrc`.

use anyhow::{Result, ensure};
use serde_json::Value;

use crate::gst_plugin_webrtc::{Endpoint, consume};
use crate::publish::producer_named;
use crate::{Peer, SignallingServer};

/// The viewer ends after so many, which it never gets.
const NEVER_ENOUGH: u64 = 1_000_000;

/// A viewer of a producer.
#[derive(Debug)]
pub struct PictureViewer {
    peer: Peer,
    pictures: u64,
}

impl PictureViewer {
    /// Watches the producer of this name, until so many pictures came.
    pub fn watch(server: &SignallingServer, name: &str, pictures: u64) -> Result<Self> {
        let endpoint = Endpoint::plain(server);
        let id = producer_named(&endpoint, name)?;
        let mut viewer = Self {
            peer: consume(&endpoint, &id, NEVER_ENOUGH)?,
            pictures: 0,
        };
        viewer.wait_for_more(pictures)?;
        Ok(viewer)
    }

    /// Waits until so many more pictures came than are known by now, in the session that there was.
    pub fn wait_for_more(&mut self, pictures: u64) -> Result<()> {
        let known = self.peer.take_past("progress").iter().map(count).max();
        self.pictures = self.pictures.max(known.unwrap_or_default()) + pictures;
        let enough = self.pictures;
        self.peer
            .wait_until("progress", |event| count(event) >= enough)?;
        ensure!(self.peer.take_past("session-ended").is_empty());
        Ok(())
    }

    /// Ends the session.
    pub fn stop(&mut self) -> Result<()> {
        self.peer.stop()
    }
}

fn count(event: &Value) -> u64 {
    event["count"].as_u64().unwrap_or(0)
}
