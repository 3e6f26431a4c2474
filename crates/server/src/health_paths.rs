//! The paths of health checks.

/// Whether the process lives.
pub(crate) const HEALTHZ: &str = "/healthz";

/// The same, as the original server of the text protocol has it.
pub(crate) const HEALTH: &str = "/health";

/// Whether new clients should be sent here.
pub(crate) const READYZ: &str = "/readyz";

/// Whether a path is that of a health check.
pub(crate) fn is_health_check(path: &str) -> bool {
    [HEALTHZ, HEALTH, READYZ].contains(&path)
}
