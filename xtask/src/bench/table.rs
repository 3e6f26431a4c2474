//! Results as a table.

/// One measured quantity, smaller being better.
pub(crate) struct Row {
    pub(crate) what: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) reference: Option<f64>,
    pub(crate) ours: f64,
    pub(crate) target: Option<f64>,
}

pub(crate) fn print(rows: &[Row]) {
    println!(
        "\n{:<44} {:>12} {:>12} {:>8} {:>10}",
        "", "reference", "wigwag", "ratio", "target"
    );
    for row in rows {
        let what = format!("{} ({})", row.what, row.unit);
        let reference = row
            .reference
            .map_or_else(|| "none".to_owned(), |value| format!("{value:.2}"));
        let ratio = row.reference.map_or_else(String::new, |reference| {
            format!("{:.2}", row.ours / reference)
        });
        let (target, verdict) = match row.target {
            Some(target) if row.ours <= target => (format!("{target}"), "pass"),
            Some(target) => (format!("{target}"), "MISSED"),
            None => (String::new(), ""),
        };
        println!(
            "{what:<44} {reference:>12} {:>12.2} {ratio:>8} {target:>10} {verdict}",
            row.ours
        );
    }
}

/// A last line for a quantity of which more is better.
#[cfg(feature = "viewers")]
pub(crate) fn print_at_least(what: &str, reference: f64, ours: f64, target: f64) {
    let verdict = if ours >= target { "pass" } else { "MISSED" };
    let target = format!(">= {target}");
    println!(
        "{what:<44} {reference:>12.2} {ours:>12.2} {:>8} {target:>10} {verdict}",
        ""
    );
}
