//! What the user reads on standard error: a line a change, and on a terminal a line with how it goes below.

use std::io::{self, IsTerminal, Write};

/// To the start of the line, and clear it.
const CLEAR: &str = "\r\x1b[K";

/// No break at the right edge, which could not be cleared; then breaks as before.
const NO_BREAKS: &str = "\x1b[?7l";
const BREAKS: &str = "\x1b[?7h";

/// Standard error.
#[derive(Debug)]
pub(crate) struct Status {
    terminal: bool,
    line: String,
}

impl Status {
    pub(crate) fn new() -> Self {
        Self {
            terminal: io::stderr().is_terminal(),
            line: String::new(),
        }
    }

    /// Whether there is a line with how it goes.
    pub(crate) fn shows_line(&self) -> bool {
        self.terminal
    }

    /// Says that something changed.
    pub(crate) fn say(&self, text: &str) {
        let text = printable(text);
        if self.terminal {
            self.write(&format!("{CLEAR}{text}\n{}", self.visible_line()));
        } else {
            self.write(&format!("{text}\n"));
        }
    }

    /// Says a result, on standard output: for people, and for scripts that wait for it.
    pub(crate) fn tell(&self, text: &str) {
        if self.terminal {
            self.write(CLEAR);
        }
        let mut output = io::stdout().lock();
        // That nobody listens is no reason to stop.
        let _ = writeln!(output, "{}", printable(text)).and_then(|()| output.flush());
        if self.terminal {
            self.write(&self.visible_line());
        }
    }

    /// Shows how it goes; only a terminal does.
    pub(crate) fn show(&mut self, line: &str) {
        let line = printable(line);
        if self.terminal && line != self.line {
            self.line = line;
            self.write(&format!("{CLEAR}{}", self.visible_line()));
        }
    }

    /// Removes the line.
    pub(crate) fn finish(&mut self) {
        if self.terminal && !self.line.is_empty() {
            self.line.clear();
            self.write(CLEAR);
        }
    }

    fn visible_line(&self) -> String {
        format!("{NO_BREAKS}{}{BREAKS}", self.line)
    }

    fn write(&self, text: &str) {
        let _ = io::stderr().lock().write_all(text.as_bytes());
    }
}

/// Texts come from files and servers: none may drive the terminal, or be more than a line.
fn printable(text: &str) -> String {
    text.chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect()
}

/// A rate in words.
pub(crate) fn rate(bits_per_second: f64) -> String {
    if bits_per_second >= 1e6 {
        format!("{:.1} Mbit/s", bits_per_second / 1e6)
    } else {
        format!("{:.0} kbit/s", bits_per_second / 1e3)
    }
}

/// How many watch, in words.
pub(crate) fn viewers(count: usize) -> String {
    match count {
        0 => "no viewers".to_owned(),
        1 => "1 viewer".to_owned(),
        _ => format!("{count} viewers"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_cannot_drive_the_terminal() {
        assert_eq!(printable("a\x1b[2J\nb\u{9b}c"), "a [2J b c");
    }

    #[test]
    fn numbers_are_in_words() {
        assert_eq!(rate(1_540_000.0), "1.5 Mbit/s");
        assert_eq!(rate(64_200.0), "64 kbit/s");
        assert_eq!(viewers(0), "no viewers");
        assert_eq!(viewers(1), "1 viewer");
        assert_eq!(viewers(12), "12 viewers");
    }
}
