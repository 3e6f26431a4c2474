//! The variables that say what to test against.

use anyhow::{Context, Result};

/// Reads a variable that `cargo xtask test` sets.
pub fn required(name: &str) -> Result<String> {
    std::env::var(name)
        .ok()
        .filter(|value| !value.trim().is_empty())
        .with_context(|| format!("{name} is not set; run these tests with `cargo xtask test`"))
}
