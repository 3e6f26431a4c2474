//! What a sink is told by its properties.

use std::net::Ipv6Addr;

use gstreamer as gst;

use super::congestion_control::CongestionControl;
use super::later::Later;
use super::playout_delay::PlayoutDelaySetting;
use super::transcode::Transcode;
use crate::codec::all_caps;
use crate::{signalling_server, web_server};

/// The published sink's defaults.
pub(super) const MIN_BITRATE: u32 = 1_000;
pub(super) const MAX_BITRATE: u32 = 8_192_000;
pub(super) const START_BITRATE: u32 = 2_048_000;
/// Ours: one that anybody may reach must not take any number.
pub(super) const MAX_CONSUMERS: u32 = 200;
pub(super) const STUN_SERVER: &str = "stun://stun.l.google.com:19302";
pub(super) const SIGNALLING_HOST: &str = "0.0.0.0";
pub(super) const SIGNALLING_PORT: u32 = 8443;
pub(super) const WEB_ADDRESS: &str = "http://127.0.0.1:8080/";
/// There it lies beside the published sink. Ours is in the plugin, and served unless this is set.
pub(super) const WEB_DIRECTORY: &str = "gstwebrtc-api/dist";

#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) video_caps: gst::Caps,
    pub(super) audio_caps: gst::Caps,
    pub(super) stun_server: Option<String>,
    pub(super) congestion_control: CongestionControl,
    pub(super) min_bitrate: u32,
    pub(super) max_bitrate: u32,
    pub(super) start_bitrate: u32,
    pub(super) retransmission: bool,
    pub(super) playout_delay: PlayoutDelaySetting,
    pub(super) transcode: Transcode,
    /// Viewers at most; 0 for no limit.
    pub(super) max_consumers: u32,
    pub(super) meta: Option<gst::Structure>,
    pub(super) run_signalling_server: bool,
    pub(super) signalling_server: signalling_server::Settings,
    pub(super) run_web_server: bool,
    pub(super) web_server: web_server::Settings,
    pub(super) later: Later,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            video_caps: all_caps(false),
            audio_caps: all_caps(true),
            stun_server: Some(STUN_SERVER.to_owned()),
            congestion_control: CongestionControl::default(),
            min_bitrate: MIN_BITRATE,
            max_bitrate: MAX_BITRATE,
            start_bitrate: START_BITRATE,
            retransmission: true,
            playout_delay: PlayoutDelaySetting::default(),
            transcode: Transcode::default(),
            max_consumers: MAX_CONSUMERS,
            meta: None,
            run_signalling_server: false,
            signalling_server: signalling_server::Settings {
                host: SIGNALLING_HOST.to_owned(),
                port: 8443,
                certificate: None,
                key: None,
            },
            run_web_server: false,
            web_server: web_server::Settings::default(),
            later: Later::default(),
        }
    }
}

impl Settings {
    /// The STUN server as `host:port`; the text of an error says what is wrong.
    pub(super) fn stun_address(&self) -> Result<Option<String>, String> {
        let Some(server) = self
            .stun_server
            .as_deref()
            .filter(|server| !server.is_empty())
        else {
            return Ok(None);
        };
        let rest = server
            .strip_prefix("stun://")
            .or_else(|| server.strip_prefix("stun:"))
            .ok_or_else(|| format!("stun-server \"{server}\" does not begin with stun://"))?;
        let rest = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
        let address = host_and_port(rest.trim_end_matches('/'));
        let unreadable = || format!("stun-server \"{server}\" is not of the form stun://host:port");
        address.map(Some).ok_or_else(unreadable)
    }
}

/// The port of STUN (RFC 8489 §18.6).
const STUN_PORT: u16 = 3478;

/// `host:port` from a text that may lack the port; IPv6 addresses stand in brackets.
fn host_and_port(text: &str) -> Option<String> {
    let end = match text.strip_prefix('[') {
        Some(rest) => {
            let (address, _) = rest.split_once(']')?;
            address.parse::<Ipv6Addr>().ok()?;
            address.len() + 2
        }
        None => text.find(':').unwrap_or(text.len()),
    };
    let (host, port) = text.split_at_checked(end)?;
    let is_name = |c: char| !c.is_whitespace() && !c.is_control() && !"/?#".contains(c);
    if host.is_empty() || !host.chars().all(is_name) {
        return None;
    }
    let port = match port.strip_prefix(':') {
        Some(port) => port.parse().ok().filter(|port| *port != 0)?,
        None if port.is_empty() => STUN_PORT,
        None => return None,
    };
    Some(format!("{host}:{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(server: &str) -> Result<Option<String>, String> {
        gst::init().expect("GStreamer starts");
        let settings = Settings {
            stun_server: Some(server.to_owned()),
            ..Settings::default()
        };
        settings.stun_address()
    }

    #[test]
    fn stun_servers_are_read_as_users_write_them() {
        let read = |server| address(server).expect("can be read");
        assert_eq!(
            read("stun://stun.example:19302").as_deref(),
            Some("stun.example:19302")
        );
        assert_eq!(
            read("stun://stun.example").as_deref(),
            Some("stun.example:3478")
        );
        assert_eq!(
            read("stun:[2001:db8::1]").as_deref(),
            Some("[2001:db8::1]:3478")
        );
        assert_eq!(
            read("stun://[2001:db8::1]:5").as_deref(),
            Some("[2001:db8::1]:5")
        );
        assert_eq!(read(""), None);
        for bad in [
            "turn://x",
            "stun://",
            "stun://:1",
            "stun://x:0",
            "stun://x:99999",
            "stun://x y",
            "stun://2001:db8::1",
            "stun://[2001:db8::1",
            "stun://[x]:1",
            "stun://[::1]1",
        ] {
            let error = address(bad).expect_err("it cannot be read");
            assert!(error.contains(bad), "{error}");
        }
    }
}
