//! What the user reads on standard error: a line a change, and on a terminal a line with how it goes below.

use std::cell::RefCell;
use std::io::{self, IsTerminal, Write};

use crate::printable;

/// To the start of the line, and clear it.
const CLEAR: &str = "\r\x1b[K";

/// No break at the right edge, which could not be cleared; then breaks as before.
const NO_BREAKS: &str = "\x1b[?7l";
const BREAKS: &str = "\x1b[?7h";

/// Standard error, and standard output for results.
pub(crate) struct Status {
    terminal: bool,
    line: String,
    output: RefCell<Box<dyn Write>>,
    error: RefCell<Box<dyn Write>>,
}

impl Status {
    pub(crate) fn new() -> Self {
        let terminal = io::stderr().is_terminal();
        Self::writing_to(terminal, io::stdout(), io::stderr())
    }

    /// Writes results here, and everything else there, which may be a terminal.
    pub(crate) fn writing_to(
        terminal: bool,
        output: impl Write + 'static,
        error: impl Write + 'static,
    ) -> Self {
        Self {
            terminal,
            line: String::new(),
            output: RefCell::new(Box::new(output)),
            error: RefCell::new(Box::new(error)),
        }
    }

    /// Whether there is a line with how it goes.
    pub(crate) fn shows_line(&self) -> bool {
        self.terminal
    }

    /// Says that something changed.
    pub(crate) fn say(&self, text: &str) {
        let text = printable::line(text);
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
        let mut output = self.output.borrow_mut();
        // That nobody listens is no reason to stop.
        let _ = writeln!(output, "{}", printable::line(text)).and_then(|()| output.flush());
        if self.terminal {
            self.write(&self.visible_line());
        }
    }

    /// Shows how it goes; only a terminal does.
    pub(crate) fn show(&mut self, line: &str) {
        let line = printable::line(line);
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
        let _ = self.error.borrow_mut().write_all(text.as_bytes());
    }
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
    use std::rc::Rc;

    use super::*;

    /// What was written, by whom it was handed to.
    #[derive(Clone, Default)]
    struct Written(Rc<RefCell<Vec<u8>>>);

    impl Written {
        fn take(&self) -> String {
            String::from_utf8(self.0.take()).expect("text")
        }
    }

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.borrow_mut().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn the_line_on_a_terminal_stays_below_what_is_said() {
        let (output, error) = (Written::default(), Written::default());
        let mut status = Status::writing_to(true, output.clone(), error.clone());
        status.show("test: no viewers");
        let line = format!("{CLEAR}{NO_BREAKS}test: no viewers{BREAKS}");
        assert_eq!(error.take(), line);
        status.show("test: no viewers");
        assert_eq!(error.take(), "", "it is drawn when it changes");

        status.say("test: lost");
        let below = line.trim_start_matches(CLEAR);
        assert_eq!(error.take(), format!("{CLEAR}test: lost\n{below}"));
        status.tell("published");
        assert_eq!(
            (output.take(), error.take()),
            ("published\n".to_owned(), line)
        );
        status.finish();
        assert_eq!(error.take(), CLEAR);
    }

    #[test]
    fn without_a_terminal_there_are_plain_lines_only() {
        let (output, error) = (Written::default(), Written::default());
        let mut status = Status::writing_to(false, output.clone(), error.clone());
        status.show("test: no viewers");
        status.say("test: lost");
        status.tell("published");
        status.finish();
        assert_eq!(
            (output.take(), error.take()),
            ("published\n".to_owned(), "test: lost\n".to_owned())
        );
    }

    #[test]
    fn texts_of_files_and_servers_cannot_drive_the_terminal() {
        let (output, error) = (Written::default(), Written::default());
        let mut status = Status::writing_to(true, output.clone(), error.clone());
        let (hostile, shown) = (
            "a\x1b[2J\nb\u{9b}\u{202e}c",
            "a\\u{1b}[2J b\\u{9b}\\u{202e}c",
        );
        status.say(hostile);
        let below = format!("{NO_BREAKS}{BREAKS}");
        assert_eq!(error.take(), format!("{CLEAR}{shown}\n{below}"));
        status.tell(hostile);
        assert_eq!(output.take(), format!("{shown}\n"));
        error.take();
        status.show(hostile);
        assert_eq!(error.take(), format!("{CLEAR}{NO_BREAKS}{shown}{BREAKS}"));
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
