//! The end of a test run: what each part took and counted.

use std::process::ExitCode;
use std::time::Duration;

use super::schedule::Done;

/// Prints what failed, a table of the parts, and the last line that CI reads.
pub(super) fn print(done: &[Done], total: Duration) -> ExitCode {
    let passed: u64 = done.iter().map(|part| part.passed).sum();
    let failed: u64 = done.iter().map(|part| part.failed).sum();
    println!("\n{}", table(done, total));
    for part in done {
        for failure in &part.failures {
            println!("failed: {}: {failure}", part.name);
        }
    }
    println!("{passed} passed, {failed} failed");
    if failed == 0 && passed > 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn table(done: &[Done], total: Duration) -> String {
    let mut table = format!(
        "{:<16} {:>8} {:>8} {:>8} {:>8}\n",
        "part", "begins", "takes", "passed", "failed"
    );
    for part in done {
        table += &format!(
            "{:<16} {:>8} {:>8} {:>8} {:>8}\n",
            part.name,
            clock(part.began),
            clock(part.took),
            part.passed,
            part.failed
        );
    }
    table += &format!("{:<16} {:>8} {:>8}", "all", "", clock(total));
    table
}

/// Minutes and seconds.
pub(super) fn clock(time: Duration) -> String {
    let seconds = time.as_secs_f64().round();
    format!("{:.0}:{:02.0}", (seconds / 60.0).floor(), seconds % 60.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_has_a_line_for_each_part_and_the_total() {
        let done = Done {
            name: "build",
            passed: 1,
            failed: 0,
            failures: Vec::new(),
            began: Duration::from_secs(59),
            took: Duration::from_millis(60_600),
        };
        let table = table(&[done], Duration::from_secs(125));
        let lines: Vec<Vec<&str>> = table
            .lines()
            .map(|line| line.split_whitespace().collect())
            .collect();
        assert_eq!(lines[1], ["build", "0:59", "1:01", "1", "0"]);
        assert_eq!(lines[2], ["all", "2:05"]);
    }
}
