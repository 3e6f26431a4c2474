//! The properties of `webrtcsink`.

use std::sync::LazyLock;

use gst::glib;
use gst::prelude::*;
use gstreamer as gst;

use super::congestion_control::CongestionControl;
use super::later;
use super::settings::{
    MAX_BITRATE, MAX_CONSUMERS, MIN_BITRATE, SIGNALLING_HOST, SIGNALLING_PORT, START_BITRATE,
    STUN_SERVER, Settings, WEB_ADDRESS, WEB_DIRECTORY,
};
use super::transcode::Transcode;
use crate::log;
use crate::signaller::Signaller;
use crate::web_server::HostAddress;

const CHECKED: &str = "GObject has checked the type";

/// All of them, as GObject shows them.
pub(super) fn all() -> &'static [glib::ParamSpec] {
    static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> =
        LazyLock::new(|| [media(), rates(), signalling(), web(), later::properties()].concat());
    PROPERTIES.as_ref()
}

fn media() -> Vec<glib::ParamSpec> {
    vec![
        glib::ParamSpecBoxed::builder::<gst::Caps>("video-caps")
            .nick("Video codecs")
            .blurb("The video codecs to offer, in order of preference")
            .mutable_ready()
            .build(),
        glib::ParamSpecBoxed::builder::<gst::Caps>("audio-caps")
            .nick("Audio codecs")
            .blurb("The audio codecs to offer, in order of preference")
            .mutable_ready()
            .build(),
        glib::ParamSpecString::builder("stun-server")
            .nick("STUN server")
            .blurb("The STUN server, stun://host:port; empty for none")
            .default_value(Some(STUN_SERVER))
            .build(),
        glib::ParamSpecBoolean::builder("do-retransmission")
            .nick("Retransmission")
            .blurb("Whether lost packets of video are sent again")
            .default_value(true)
            .mutable_ready()
            .build(),
        // An addition of ours.
        glib::ParamSpecString::builder("playout-delay")
            .nick("Playout delay")
            .blurb(
                "How long viewers hold back pictures to even out the network, in milliseconds as MIN..MAX \
                 (0..0: shown as they come); none: as viewers like; auto: 0..0 for live sources, none for files",
            )
            .default_value(Some("auto"))
            .mutable_ready()
            .build(),
        // An addition of ours.
        glib::ParamSpecEnum::builder_with_default("transcode", Transcode::default())
            .nick("Transcode")
            .blurb(
                "Whether what comes encoded is transcoded for viewers that cannot show it as it comes, \
                 or wait long for its next key frame",
            )
            .mutable_ready()
            .build(),
        // An addition of ours.
        glib::ParamSpecUInt::builder("max-consumers")
            .nick("Most consumers")
            .blurb("How many viewers there are at most; more are refused with a reason; 0 for no limit")
            .default_value(MAX_CONSUMERS)
            .mutable_ready()
            .build(),
        glib::ParamSpecBoxed::builder::<gst::Structure>("stats")
            .nick("Statistics")
            .blurb("Statistics of all sessions, as they are now")
            .read_only()
            .build(),
    ]
}

fn rates() -> Vec<glib::ParamSpec> {
    let rate = |name, blurb, default| {
        glib::ParamSpecUInt::builder(name)
            .blurb(blurb)
            .minimum(1)
            .default_value(default)
            .mutable_ready()
            .build()
    };
    vec![
        glib::ParamSpecEnum::builder_with_default(
            "congestion-control",
            CongestionControl::default(),
        )
        .nick("Congestion control")
        .blurb("Whether the rates of encoders follow what viewers can take")
        .mutable_ready()
        .build(),
        rate(
            "min-bitrate",
            "The lowest rate of an encoder, bit/s",
            MIN_BITRATE,
        ),
        rate(
            "max-bitrate",
            "The highest rate of an encoder, bit/s; its only one without congestion control",
            MAX_BITRATE,
        ),
        rate(
            "start-bitrate",
            "What a viewer is thought to take until it is known, bit/s",
            START_BITRATE,
        ),
    ]
}

fn signalling() -> Vec<glib::ParamSpec> {
    let text = |name, blurb| glib::ParamSpecString::builder(name).blurb(blurb).build();
    vec![
        glib::ParamSpecObject::builder::<Signaller>("signaller")
            .nick("Signaller")
            .blurb("Where the signalling server is and whom to trust; its properties can be set by signaller::…")
            .read_only()
            .build(),
        glib::ParamSpecBoxed::builder::<gst::Structure>("meta")
            .nick("Meta")
            .blurb("What the sink says of itself at the signalling server")
            .build(),
        glib::ParamSpecBoolean::builder("run-signalling-server")
            .nick("Run a signalling server")
            .blurb("Runs a signalling server inside this element, and uses it")
            .mutable_ready()
            .build(),
        glib::ParamSpecString::builder("signalling-server-host")
            .blurb("Where that server listens")
            .default_value(Some(SIGNALLING_HOST))
            .build(),
        glib::ParamSpecUInt::builder("signalling-server-port")
            .blurb("Its port")
            .minimum(1)
            .maximum(u16::MAX.into())
            .default_value(SIGNALLING_PORT)
            .build(),
        text("signalling-server-cert", "Its certificate and chain (PEM file); with the key it serves wss"),
        text("signalling-server-key", "The private key of its certificate (PEM file)"),
    ]
}

fn web() -> Vec<glib::ParamSpec> {
    let text = |name, blurb| glib::ParamSpecString::builder(name).blurb(blurb);
    vec![
        glib::ParamSpecBoolean::builder("run-web-server")
            .nick("Run a web server")
            .blurb(
                "Serves a page inside this element that plays its stream, and posts the page's \
                 address as an info message",
            )
            .mutable_ready()
            .build(),
        text(
            "web-server-cert",
            "The certificate of the web server and its chain (PEM file); with the key it serves https",
        )
        .build(),
        text(
            "web-server-key",
            "The private key of its certificate (PEM file)",
        )
        .build(),
        text(
            "web-server-path",
            "The path under which the page is, to which the root leads; the root if unset",
        )
        .build(),
        text(
            "web-server-directory",
            "A directory to serve instead of the page that is part of this plugin, which is served \
             unless this is set, and is told where to signal",
        )
        .default_value(Some(WEB_DIRECTORY))
        .build(),
        text(
            "web-server-host-addr",
            "Where the web server listens, http://address:port; 0.0.0.0 is every address, port 0 any \
             that is free",
        )
        .default_value(Some(WEB_ADDRESS))
        .build(),
    ]
}

impl Settings {
    pub(super) fn set(&mut self, name: &str, value: &glib::Value) {
        let server = &mut self.signalling_server;
        let web = &mut self.web_server;
        match name {
            "video-caps" => self.video_caps = caps(value),
            "audio-caps" => self.audio_caps = caps(value),
            "stun-server" => self.stun_server = value.get().expect(CHECKED),
            "do-retransmission" => self.retransmission = value.get().expect(CHECKED),
            "playout-delay" => {
                let text: Option<String> = value.get().expect(CHECKED);
                match text.as_deref().unwrap_or("auto").parse() {
                    Ok(playout_delay) => self.playout_delay = playout_delay,
                    Err(error) => gst::error!(
                        log::SINK,
                        "playout-delay \"{}\" is passed over: {error}",
                        text.unwrap_or_default()
                    ),
                }
            }
            "transcode" => self.transcode = value.get().expect(CHECKED),
            "max-consumers" => self.max_consumers = value.get().expect(CHECKED),
            "congestion-control" => self.congestion_control = value.get().expect(CHECKED),
            "min-bitrate" => self.min_bitrate = value.get().expect(CHECKED),
            "max-bitrate" => self.max_bitrate = value.get().expect(CHECKED),
            "start-bitrate" => self.start_bitrate = value.get().expect(CHECKED),
            "meta" => self.meta = value.get().expect(CHECKED),
            "run-signalling-server" => self.run_signalling_server = value.get().expect(CHECKED),
            "signalling-server-host" => {
                let host: Option<String> = value.get().expect(CHECKED);
                server.host = host.unwrap_or_else(|| SIGNALLING_HOST.to_owned());
            }
            "signalling-server-port" => {
                let port: u32 = value.get().expect(CHECKED);
                server.port = port.try_into().unwrap_or(u16::MAX);
            }
            "signalling-server-cert" => server.certificate = value.get().expect(CHECKED),
            "signalling-server-key" => server.key = value.get().expect(CHECKED),
            "run-web-server" => self.run_web_server = value.get().expect(CHECKED),
            "web-server-cert" => web.certificate = value.get().expect(CHECKED),
            "web-server-key" => web.key = value.get().expect(CHECKED),
            "web-server-path" => web.path = value.get().expect(CHECKED),
            "web-server-directory" => {
                let directory: Option<String> = value.get().expect(CHECKED);
                web.directory = directory.filter(|directory| !directory.is_empty());
            }
            "web-server-host-addr" => {
                let address: Option<String> = value.get().expect(CHECKED);
                let address = address.unwrap_or_else(|| WEB_ADDRESS.to_owned());
                match HostAddress::parse(&address) {
                    Ok(address) => web.address = address,
                    Err(error) => gst::error!(
                        log::SINK,
                        "web-server-host-addr \"{address}\" is passed over: {error}"
                    ),
                }
            }
            _ => {
                self.later.set(name, value);
            }
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<glib::Value> {
        let server = &self.signalling_server;
        let web = &self.web_server;
        Some(match name {
            "video-caps" => self.video_caps.to_value(),
            "audio-caps" => self.audio_caps.to_value(),
            "stun-server" => self.stun_server.to_value(),
            "do-retransmission" => self.retransmission.to_value(),
            "playout-delay" => self.playout_delay.to_string().to_value(),
            "transcode" => self.transcode.to_value(),
            "max-consumers" => self.max_consumers.to_value(),
            "congestion-control" => self.congestion_control.to_value(),
            "min-bitrate" => self.min_bitrate.to_value(),
            "max-bitrate" => self.max_bitrate.to_value(),
            "start-bitrate" => self.start_bitrate.to_value(),
            "meta" => self.meta.to_value(),
            "run-signalling-server" => self.run_signalling_server.to_value(),
            "signalling-server-host" => server.host.to_value(),
            "signalling-server-port" => u32::from(server.port).to_value(),
            "signalling-server-cert" => server.certificate.to_value(),
            "signalling-server-key" => server.key.to_value(),
            "run-web-server" => self.run_web_server.to_value(),
            "web-server-cert" => web.certificate.to_value(),
            "web-server-key" => web.key.to_value(),
            "web-server-path" => web.path.to_value(),
            "web-server-directory" => web.directory.as_deref().unwrap_or(WEB_DIRECTORY).to_value(),
            "web-server-host-addr" => web.address.to_string().to_value(),
            _ => return self.later.get(name),
        })
    }
}

/// No caps are empty caps: nothing of the kind is offered.
fn caps(value: &glib::Value) -> gst::Caps {
    let caps: Option<gst::Caps> = value.get().expect(CHECKED);
    caps.unwrap_or_else(gst::Caps::new_empty)
}
