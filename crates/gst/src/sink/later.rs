//! Properties of the published sink for what this one does not do yet: scripts that set them go on, with a warning.

use gst::glib;
use gst::prelude::*;
use gstreamer as gst;

const CHECKED: &str = "GObject has checked the type";

/// From which candidates viewers may choose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "WigwagIceTransportPolicy")]
pub(super) enum IceTransportPolicy {
    /// All.
    #[default]
    #[enum_value(name = "All: all candidates", nick = "all")]
    All,
    /// Those of a relay alone.
    #[enum_value(name = "Relay: relayed candidates only", nick = "relay")]
    Relay,
}

/// By what a picture may be made smaller where a network carries little.
#[glib::flags(name = "WigwagMitigationMode")]
pub(super) enum MitigationMode {
    #[flags_value(name = "No mitigation applied", nick = "none")]
    NONE = 0b0000_0000,
    #[flags_value(name = "Lowered resolution", nick = "downscaled")]
    DOWNSCALED = 0b0000_0001,
    #[flags_value(name = "Lowered framerate", nick = "downsampled")]
    DOWNSAMPLED = 0b0000_0010,
}

/// What was asked for.
#[derive(Clone, Debug)]
pub(super) struct Later {
    pub(super) turn_servers: Vec<String>,
    pub(super) fec: bool,
    pub(super) clock_signalling: bool,
    pub(super) navigation: bool,
    pub(super) control_channel: bool,
    pub(super) forward_metas: String,
    pub(super) mitigation: MitigationMode,
    pub(super) retransmission_percentage: i32,
    pub(super) ice_transport_policy: IceTransportPolicy,
}

impl Default for Later {
    fn default() -> Self {
        Self {
            turn_servers: Vec::new(),
            fec: false,
            clock_signalling: false,
            navigation: false,
            control_channel: false,
            forward_metas: String::new(),
            mitigation: MitigationMode::DOWNSCALED | MitigationMode::DOWNSAMPLED,
            retransmission_percentage: -1,
            ice_transport_policy: IceTransportPolicy::All,
        }
    }
}

pub(super) fn properties() -> Vec<glib::ParamSpec> {
    let switch = |name, blurb| {
        glib::ParamSpecBoolean::builder(name)
            .blurb(blurb)
            .mutable_ready()
            .build()
    };
    vec![
        gst::ParamSpecArray::builder("turn-servers")
            .nick("TURN servers")
            .blurb("Not used yet: no TURN server is asked for a relay")
            .element_spec(&glib::ParamSpecString::builder("turn-server").build())
            .mutable_ready()
            .build(),
        switch(
            "do-fec",
            "Not done yet: lost packets are sent again (do-retransmission)",
        ),
        switch(
            "do-clock-signalling",
            "Not done yet: no RFC 7273 clock is described",
        ),
        switch(
            "enable-data-channel-navigation",
            "Not done yet: there are no data channels",
        ),
        switch(
            "enable-control-data-channel",
            "Not done yet: there are no data channels",
        ),
        glib::ParamSpecString::builder("forward-metas")
            .blurb("Not done yet: there are no data channels")
            .default_value(Some(""))
            .mutable_playing()
            .build(),
        glib::ParamSpecFlags::builder::<MitigationMode>("enable-mitigation-modes")
            .blurb("Not used: every viewer gets a rendition that its network carries")
            .default_value(Later::default().mitigation)
            .mutable_playing()
            .build(),
        glib::ParamSpecInt::builder("rtx-percentage")
            .blurb("Not used yet: lost packets are sent again as far as the viewer's rate allows")
            .minimum(-1)
            .default_value(-1)
            .mutable_ready()
            .build(),
        glib::ParamSpecEnum::builder_with_default(
            "ice-transport-policy",
            IceTransportPolicy::default(),
        )
        .blurb("Which candidates are used; \"relay\" is an error until there is TURN")
        .mutable_ready()
        .build(),
    ]
}

impl Later {
    /// Whether there is a property of this name; it is set then.
    pub(super) fn set(&mut self, name: &str, value: &glib::Value) -> bool {
        match name {
            "turn-servers" => {
                let servers: gst::Array = value.get().expect(CHECKED);
                let texts = servers.iter().filter_map(|server| server.get().ok());
                self.turn_servers = texts.collect();
            }
            "do-fec" => self.fec = value.get().expect(CHECKED),
            "do-clock-signalling" => self.clock_signalling = value.get().expect(CHECKED),
            "enable-data-channel-navigation" => self.navigation = value.get().expect(CHECKED),
            "enable-control-data-channel" => self.control_channel = value.get().expect(CHECKED),
            "forward-metas" => {
                let metas: Option<String> = value.get().expect(CHECKED);
                self.forward_metas = metas.unwrap_or_default();
            }
            "enable-mitigation-modes" => self.mitigation = value.get().expect(CHECKED),
            "rtx-percentage" => self.retransmission_percentage = value.get().expect(CHECKED),
            "ice-transport-policy" => self.ice_transport_policy = value.get().expect(CHECKED),
            _ => return false,
        }
        true
    }

    pub(super) fn get(&self, name: &str) -> Option<glib::Value> {
        Some(match name {
            "turn-servers" => gst::Array::new(&self.turn_servers).to_value(),
            "do-fec" => self.fec.to_value(),
            "do-clock-signalling" => self.clock_signalling.to_value(),
            "enable-data-channel-navigation" => self.navigation.to_value(),
            "enable-control-data-channel" => self.control_channel.to_value(),
            "forward-metas" => self.forward_metas.to_value(),
            "enable-mitigation-modes" => self.mitigation.to_value(),
            "rtx-percentage" => self.retransmission_percentage.to_value(),
            "ice-transport-policy" => self.ice_transport_policy.to_value(),
            _ => return None,
        })
    }

    /// Why the sink must not start: a warning alone would give away the addresses that this hides.
    pub(super) fn obstacle(&self) -> Option<&'static str> {
        (self.ice_transport_policy == IceTransportPolicy::Relay).then_some(
            "ice-transport-policy=relay needs a TURN server, which this sink does not use yet; \
             leave it at \"all\" if viewers may know this machine's addresses",
        )
    }

    /// What was asked for in vain, a sentence each.
    pub(super) fn warnings(&self) -> Vec<&'static str> {
        let wishes = [
            (
                !self.turn_servers.is_empty(),
                "turn-servers is not used yet: viewers need a direct path to this machine",
            ),
            (
                self.fec,
                "do-fec=true has no effect yet: lost packets are sent again instead",
            ),
            (
                self.clock_signalling,
                "do-clock-signalling=true has no effect yet: no clock is described to viewers",
            ),
            (
                self.navigation || self.control_channel,
                "there are no data channels yet: viewers cannot send navigation events or requests",
            ),
            (
                !self.forward_metas.is_empty(),
                "forward-metas has no effect yet: there are no data channels",
            ),
            (
                self.retransmission_percentage >= 0,
                "rtx-percentage has no effect yet: what is sent again is bounded by the viewer's rate",
            ),
        ];
        let asked = wishes.into_iter().filter(|(asked, _)| *asked);
        asked.map(|(_, text)| text).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_by_default_ask_for_nothing() {
        let later = Later::default();
        assert_eq!(later.obstacle(), None);
        assert!(later.warnings().is_empty());
    }

    #[test]
    fn every_property_can_be_set_and_read_and_says_so_if_it_has_no_effect() {
        gst::init().expect("GStreamer starts");
        let mut later = Later::default();
        for property in properties() {
            let read = later.get(property.name()).expect("a property");
            assert!(later.set(property.name(), &read), "{}", property.name());
        }
        assert!(later.set("do-fec", &true.to_value()));
        assert!(later.set(
            "turn-servers",
            &gst::Array::new(["turn://u:p@h:1"]).to_value()
        ));
        assert_eq!(later.warnings().len(), 2);
        assert!(later.warnings().iter().all(|text| !text.contains("u:p")));
        assert!(later.set(
            "ice-transport-policy",
            &IceTransportPolicy::Relay.to_value()
        ));
        assert!(later.obstacle().is_some());
        assert!(!later.set("unknown", &true.to_value()));
    }
}
