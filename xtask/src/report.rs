//! The counts in the output of cargo test, pytest, and node's test runner in TAP form.

/// Tests of one suite by how they ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    /// Skipped, ignored, deselected or expected to fail.
    pub(crate) left_out: u64,
}

impl Report {
    /// Reads a line of a suite's output; most hold no counts.
    pub(crate) fn read(&mut self, line: &str) {
        if let Some(counts) = line.strip_prefix("test result: ") {
            self.read_counts(counts.split_once(". ").map_or(counts, |(_, counts)| counts));
        } else if let Some((counts, _)) = line.rsplit_once(" in ")
            && (line.contains(" passed") || line.contains(" failed"))
        {
            self.read_counts(counts.trim_matches(['=', ' ']));
        } else if let Some((name, number)) = line
            .strip_prefix("# ")
            .and_then(|line| line.split_once(' '))
            && let Ok(number) = number.parse::<u64>()
        {
            match name {
                "pass" => self.passed += number,
                "fail" => self.failed += number,
                "cancelled" | "skipped" | "todo" => self.left_out += number,
                _ => {}
            }
        }
    }

    /// `3 passed; 0 failed; 0 ignored` or `3 passed, 1 failed, 1 skipped`.
    fn read_counts(&mut self, counts: &str) {
        for count in counts.split([';', ',']) {
            let mut words = count.split_whitespace();
            let (Some(number), Some(word)) = (words.next(), words.next()) else {
                continue;
            };
            let Ok(number) = number.parse::<u64>() else {
                continue;
            };
            match word {
                "passed" => self.passed += number,
                "failed" | "error" | "errors" => self.failed += number,
                "ignored" | "skipped" | "deselected" | "xfailed" | "xpassed" => {
                    self.left_out += number;
                }
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[&str]) -> (u64, u64, u64) {
        let mut report = Report::default();
        for line in lines {
            report.read(line);
        }
        (report.passed, report.failed, report.left_out)
    }

    #[test]
    fn report_of_cargo_test_counts_ignored_as_left_out() {
        let ok = "test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s";
        let bad = "test result: FAILED. 5 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s";
        assert_eq!(read(&[ok, bad]), (10, 2, 1));
    }

    #[test]
    fn report_of_pytest_counts_errors_as_failed() {
        assert_eq!(read(&["36 passed in 3.05s"]), (36, 0, 0));
        assert_eq!(
            read(&["==== 1 failed, 34 passed, 1 skipped, 2 warnings in 3.05s ===="]),
            (34, 1, 1)
        );
        assert_eq!(
            read(&["2 errors in 1.0s", "3 passed, 1 error in 1.0s"]),
            (3, 1, 0)
        );
    }

    #[test]
    fn report_of_node_counts_skipped_as_left_out() {
        let lines = [
            "# tests 12",
            "# pass 10",
            "# fail 1",
            "# skipped 1",
            "# todo 0",
        ];
        assert_eq!(read(&lines), (10, 1, 1));
    }
}
