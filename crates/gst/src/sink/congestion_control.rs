//! The property `congestion-control`.

use gst::glib;
use gstreamer as gst;

/// Whether the rates of encoders follow what viewers can take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "WigwagCongestionControl")]
#[repr(u32)]
pub enum CongestionControl {
    /// Encoders run at `max-bitrate`, whatever happens.
    #[enum_value(name = "Disabled: no congestion control", nick = "disabled")]
    Disabled,
    /// The same as `gcc`; pipelines that ask for it keep working.
    #[enum_value(name = "Homegrown: the same as gcc", nick = "homegrown")]
    Homegrown,
    /// Google congestion control, by transport-wide feedback.
    #[default]
    #[enum_value(name = "GCC: Google congestion control", nick = "gcc")]
    Gcc,
}

impl CongestionControl {
    pub(super) fn is_enabled(self) -> bool {
        self != Self::Disabled
    }
}
