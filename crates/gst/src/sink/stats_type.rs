//! The field `type` of statistics as `webrtcbin` makes them.
//!
//! It is an enumeration of a library, libgstwebrtc, of which we need nothing else and which must not be
//! missed where it is not installed. A process that looks at the field has it loaded, and then the type is
//! known by its name. Before that, one of ours stands in, with the same numbers and nicks.

use gst::glib;
use gstreamer as gst;

/// The name of the enumeration of libgstwebrtc.
const NAME: &str = "GstWebRTCStatsType";

/// What a part of the statistics is about: those of `GstWebRTCStatsType` that we have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "WigwagStatsType")]
#[repr(u32)]
pub(super) enum StatsType {
    #[enum_value(name = "Codec", nick = "codec")]
    Codec = 1,
    #[enum_value(name = "Outbound RTP", nick = "outbound-rtp")]
    OutboundRtp = 3,
    #[enum_value(name = "Remote inbound RTP", nick = "remote-inbound-rtp")]
    RemoteInboundRtp = 4,
    #[enum_value(name = "Peer connection", nick = "peer-connection")]
    PeerConnection = 7,
    #[enum_value(name = "Transport", nick = "transport")]
    Transport = 10,
    #[enum_value(name = "Candidate pair", nick = "candidate-pair")]
    CandidatePair = 11,
    #[enum_value(name = "Local candidate", nick = "local-candidate")]
    LocalCandidate = 12,
    #[enum_value(name = "Remote candidate", nick = "remote-candidate")]
    RemoteCandidate = 13,
}

impl StatsType {
    /// What `webrtcbin` calls structures of this type.
    pub(super) fn nick(self) -> &'static str {
        match self {
            Self::Codec => "codec",
            Self::OutboundRtp => "outbound-rtp",
            Self::RemoteInboundRtp => "remote-inbound-rtp",
            Self::PeerConnection => "peer-connection",
            Self::Transport => "transport",
            Self::CandidatePair => "candidate-pair",
            Self::LocalCandidate => "local-candidate",
            Self::RemoteCandidate => "remote-candidate",
        }
    }

    /// A structure of this name that has the field `type`.
    pub(super) fn structure(self) -> gst::Structure {
        let nick = self.nick();
        if glib::Type::from_name(NAME).is_some()
            && let Ok(structure) = format!("{nick}, type=({NAME}){nick};").parse()
        {
            return structure;
        }
        gst::Structure::builder(nick).field("type", self).build()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_has_the_names_and_numbers_of_the_library() {
        gst::init().expect("GStreamer starts");
        for (stats_type, nick, number) in [
            (StatsType::Codec, "codec", 1),
            (StatsType::OutboundRtp, "outbound-rtp", 3),
            (StatsType::RemoteInboundRtp, "remote-inbound-rtp", 4),
            (StatsType::PeerConnection, "peer-connection", 7),
            (StatsType::Transport, "transport", 10),
            (StatsType::CandidatePair, "candidate-pair", 11),
            (StatsType::LocalCandidate, "local-candidate", 12),
            (StatsType::RemoteCandidate, "remote-candidate", 13),
        ] {
            let structure = stats_type.structure();
            assert_eq!(structure.name(), nick);
            let value = structure.value("type").expect("it has one");
            let (_, value) = glib::EnumValue::from_value(value).expect("an enumeration");
            assert_eq!((value.nick(), value.value()), (nick, number));
        }
    }
}
