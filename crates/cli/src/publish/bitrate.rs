//! Bitrates as people write them.

/// A rate in bit/s, of a text like `800k` or `2.5M`.
pub(crate) fn bitrate(text: &str) -> Result<u32, &'static str> {
    const WRONG: &str = "write it like 800k, 2.5M or 800000";
    let (number, unit) = match text.strip_suffix(['k', 'K', 'M']) {
        Some(number) if text.ends_with('M') => (number, 1e6),
        Some(number) => (number, 1e3),
        None => (text, 1.0),
    };
    let number: f64 = number.parse().map_err(|_| WRONG)?;
    let rate = number * unit;
    if !(1_000.0..=f64::from(u32::MAX)).contains(&rate) {
        return Err("between 1k and 4G bit/s");
    }
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the range was checked"
    )]
    Ok(rate as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_with_their_units() {
        assert_eq!(bitrate("800k"), Ok(800_000));
        assert_eq!(bitrate("2.5M"), Ok(2_500_000));
        assert_eq!(bitrate("1000000"), Ok(1_000_000));
        assert!(bitrate("NaN").is_err());
        assert!(bitrate("-5M").is_err());
    }
}
