//! Results as a table, for a terminal and for a page.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

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
            "{:<44} {:>12.2} {:>12.2} {:>8} {target:>10} {verdict}",
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

/// The rows as a table for a page: what the reference is called there, and what stands where it has no figure.
pub(crate) fn markdown(rows: &[Row], reference: &str, none: &str) -> String {
    let mut text = format!("| | {reference} | Wigwag | target |\n|---|---|---|---|\n");
    for row in rows {
        let reference = row.reference.map(|value| format!("{value:.2}"));
        let target = row.target.map(|value| value.to_string());
        let _ = writeln!(
            text,
            "| {} ({}) | {} | {:.2} | {} |",
            row.what,
            row.unit,
            reference.as_deref().unwrap_or(none),
            row.ours,
            target.unwrap_or_default()
        );
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

    #[test]
    fn a_page_has_its_results_after_the_mark() {
        let rows = [Row {
            what: "a thing",
            unit: "ms",
            reference: None,
            ours: 1.234,
            target: Some(2.0),
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
