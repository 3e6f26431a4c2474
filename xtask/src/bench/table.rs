//! Results as a table, for a terminal and for a page.

use std::fmt::{self, Display, Formatter, Write};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

/// One measured quantity, smaller being better.
pub(crate) struct Row {
    pub(crate) what: String,
    pub(crate) unit: &'static str,
    pub(crate) reference: Option<f64>,
    pub(crate) ours: f64,
    /// The median of the ratios of single rounds, where there are rounds.
    pub(crate) median_ratio: Option<f64>,
    pub(crate) target: Option<Target>,
}

/// What a quantity may be at most.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Target {
    /// In the unit of the quantity.
    Absolute(f64),
    /// By the reference.
    #[cfg_attr(
        not(feature = "signalling"),
        allow(dead_code, reason = "a part is for that")
    )]
    Ratio(f64),
}

impl Row {
    /// Ours by the reference.
    fn ratio(&self) -> Option<f64> {
        let of_figures = || self.reference.map(|reference| self.ours / reference);
        self.median_ratio.or_else(of_figures)
    }

    /// Whether the target is met, if there is one. Without a figure of the reference a ratio is missed.
    fn meets_target(&self) -> Option<bool> {
        self.target.map(|target| match target {
            Target::Absolute(most) => self.ours <= most,
            Target::Ratio(most) => self.ratio().is_some_and(|ratio| ratio <= most),
        })
    }
}

impl Display for Target {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absolute(most) => write!(formatter, "{most}"),
            Self::Ratio(most) => write!(formatter, "{most}x"),
        }
    }
}

/// Columns of the name of a quantity.
const WHAT: usize = 66;

pub(crate) fn print(rows: &[Row]) {
    println!(
        "\n{:<WHAT$} {:>12} {:>12} {:>8} {:>10}",
        "", "reference", "wigwag", "ratio", "target"
    );
    for row in rows {
        let what = format!("{} ({})", row.what, row.unit);
        let reference = row
            .reference
            .map_or_else(|| "none".to_owned(), |value| format!("{value:.2}"));
        let ratio = row.ratio().map(|ratio| format!("{ratio:.2}"));
        let target = row.target.map(|target| target.to_string());
        let verdict = match row.meets_target() {
            Some(true) => "pass",
            Some(false) => "MISSED",
            None => "",
        };
        println!(
            "{what:<WHAT$} {reference:>12} {:>12.2} {:>8} {:>10} {verdict}",
            row.ours,
            ratio.unwrap_or_default(),
            target.unwrap_or_default()
        );
    }
}

/// A quantity of which more is better, for the last line of a table.
pub(crate) struct AtLeast {
    pub(crate) what: &'static str,
    pub(crate) reference: f64,
    pub(crate) ours: f64,
    pub(crate) target: f64,
}

impl AtLeast {
    pub(crate) fn print(&self) {
        let verdict = if self.ours >= self.target {
            "pass"
        } else {
            "MISSED"
        };
        let target = format!(">= {}", self.target);
        println!(
            "{:<WHAT$} {:>12.2} {:>12.2} {:>8} {target:>10} {verdict}",
            self.what, self.reference, self.ours, ""
        );
    }

    /// As a line of what [`markdown`] begins.
    pub(crate) fn markdown(&self) -> String {
        format!(
            "| {} | {:.2} | {:.2} | >= {} |\n",
            self.what, self.reference, self.ours, self.target
        )
    }
}

/// The rows as a table for a page: what the reference is called there, and what stands where it has no figure. Ratios
/// have a column if there were rounds.
pub(crate) fn markdown(rows: &[Row], reference: &str, none: &str) -> String {
    let rounds = rows.iter().any(|row| row.median_ratio.is_some());
    let mut text = if rounds {
        format!("| | {reference} | Wigwag | ratio | target |\n|---|---|---|---|---|\n")
    } else {
        format!("| | {reference} | Wigwag | target |\n|---|---|---|---|\n")
    };
    for row in rows {
        let reference = row.reference.map(|value| format!("{value:.2}"));
        let reference = reference.as_deref().unwrap_or(none);
        let _ = write!(
            text,
            "| {} ({}) | {reference} | {:.2} |",
            row.what, row.unit, row.ours
        );
        if rounds {
            let ratio = row.ratio().map(|ratio| format!("{ratio:.2}"));
            let _ = write!(text, " {} |", ratio.unwrap_or_default());
        }
        let target = row.target.map(|target| target.to_string());
        let _ = writeln!(text, " {} |", target.unwrap_or_default());
    }
    text
}

/// Writes a page anew from the line on after which its results begin.
pub(crate) fn rewrite(page: &Path, begin: &str, results: &str) -> Result<()> {
    let before = fs::read_to_string(page).with_context(|| format!("no {}", page.display()))?;
    let (head, _) = before
        .split_once(begin)
        .context("the page has no place for results")?;
    Ok(fs::write(page, format!("{head}{begin}\n{results}"))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(reference: Option<f64>, ours: f64) -> Row {
        Row {
            what: "a thing".to_owned(),
            unit: "ms",
            reference,
            ours,
            median_ratio: None,
            target: None,
        }
    }

    #[test]
    fn absolute_target_is_met_by_ours_alone() {
        let meets = |ours, most| {
            let target = Some(Target::Absolute(most));
            let row = row(Some(1.0), ours);
            Row { target, ..row }.meets_target()
        };
        assert_eq!(meets(2.0, 2.0), Some(true));
        assert_eq!(meets(2.1, 2.0), Some(false));
        assert_eq!(meets(f64::NAN, 2.0), Some(false));
        assert_eq!(row(Some(1.0), 2.0).meets_target(), None);
    }

    #[test]
    fn ratio_target_is_met_by_the_median_of_rounds() {
        let meets = |reference, median_ratio| {
            let row = Row {
                median_ratio,
                target: Some(Target::Ratio(0.8)),
                ..row(reference, 3.0)
            };
            row.meets_target()
        };
        // Without rounds, by the figures themselves.
        assert_eq!(meets(Some(4.0), None), Some(true));
        assert_eq!(meets(Some(3.5), None), Some(false));
        assert_eq!(meets(Some(4.0), Some(0.81)), Some(false));
        assert_eq!(meets(Some(3.5), Some(0.8)), Some(true));
        assert_eq!(meets(None, None), Some(false));
    }

    #[test]
    fn page_of_rounds_has_a_column_of_ratios() {
        let rows = [
            Row {
                median_ratio: Some(0.754),
                target: Some(Target::Ratio(0.8)),
                ..row(Some(4.0), 3.0)
            },
            row(None, 1.0),
        ];
        assert_eq!(
            markdown(&rows, "reference", "never"),
            "| | reference | Wigwag | ratio | target |\n|---|---|---|---|---|\n\
             | a thing (ms) | 4.00 | 3.00 | 0.75 | 0.8x |\n| a thing (ms) | never | 1.00 |  |  |\n"
        );
    }

    #[test]
    fn a_page_has_its_results_after_the_mark() {
        let rows = [Row {
            target: Some(Target::Absolute(2.0)),
            ..row(None, 1.234)
        }];
        let last = AtLeast {
            what: "frames",
            reference: 30.011,
            ours: 29.96,
            target: 28.0,
        };
        assert_eq!(
            markdown(&rows, "published", "never") + &last.markdown(),
            "| | published | Wigwag | target |\n|---|---|---|---|\n\
             | a thing (ms) | never | 1.23 | 2 |\n| frames | 30.01 | 29.96 | >= 28 |\n"
        );
        let page = std::env::temp_dir().join(format!("page-{}.md", std::process::id()));
        fs::write(&page, "prose\n\n<!-- results -->\n\nold\n").expect("written");
        rewrite(&page, "<!-- results -->", "\nnew\n").expect("rewritten");
        let text = fs::read_to_string(&page).expect("readable");
        assert!(rewrite(&page, "<!-- others -->", "").is_err());
        fs::remove_file(&page).expect("removed");
        assert_eq!(text, "prose\n\n<!-- results -->\n\nnew\n");
    }
}
