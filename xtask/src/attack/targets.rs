//! What must hold in each attack.

use std::time::Duration;

pub(super) const CAMERAS: usize = 20;
pub(super) const VIEWERS: usize = 100;
/// The longest gap in the pictures of a viewer.
pub(super) const GAP: Duration = Duration::from_millis(300);
/// From the call of a new viewer to its first picture, of all but one in a hundred.
pub(super) const NEW_SESSION: Duration = Duration::from_millis(500);
/// Of the server, at its largest.
pub(super) const MEMORY: u64 = 512 * 1024 * 1024;
/// What viewers of a camera that encodes get while one of twenty lies, of the encoder's highest rate: a tenth less, and what the
/// encoder misses its rate by.
pub(super) const RATE: f64 = 0.85;
