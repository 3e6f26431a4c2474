//! What the path to a peer takes, and when packets go out.
//!
//! * [`estimate`]: what the owner is given, of str0m's estimates, of frames that wait and of loss;
//! * [`feedback`]: whether media still arrives; [`probing`]: when more is tried;
//! * [`pacer`]: when packets of video go out; [`rate`]: what was sent in a second.
//!
//! `docs/congestion-control.md` describes all of it on one page.

pub(crate) mod estimate;
pub(crate) mod feedback;
pub(crate) mod pacer;
pub(crate) mod probing;
pub(crate) mod rate;
