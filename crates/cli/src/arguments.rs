//! Reading the command line.

use std::process::ExitCode;

use clap::Parser;
use clap::error::{ContextKind, ContextValue};

/// The exit code for a command line that makes no sense, by custom.
pub(crate) const USAGE: u8 = 2;

/// Reads the command line. `Err` is the exit code after help, version or a mistake were printed; a
/// mistake takes one line, so that it is whole wherever it is logged.
pub fn parse<A: Parser>() -> Result<A, ExitCode> {
    A::try_parse().map_err(|mut error| {
        if !error.use_stderr() {
            // Nobody is left to hear of a closed standard output.
            let _ = error.print();
            return ExitCode::SUCCESS;
        }
        hide_secrets(&mut error);
        let text = error.render().to_string();
        let mistake: Vec<_> = text
            .lines()
            .take_while(|line| !line.is_empty())
            .map(str::trim)
            .collect();
        eprintln!("{} (--help lists all arguments)", mistake.join(" "));
        ExitCode::from(USAGE)
    })
}

/// Takes a value out of a mistake that may be secret: of a header, and what holds credentials.
fn hide_secrets(error: &mut clap::Error) {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.clone(),
        _ => String::new(),
    };
    let (argument, value) = (
        text(ContextKind::InvalidArg),
        text(ContextKind::InvalidValue),
    );
    if !value.is_empty() && (argument.contains("--header") || value.contains('@')) {
        let hidden = ContextValue::String("...".to_owned());
        error.insert(ContextKind::InvalidValue, hidden);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[arg(long, value_parser = |_: &str| Err::<String, _>("no"))]
        header: Option<String>,
        #[arg(long, value_parser = |_: &str| Err::<String, _>("no"))]
        server: Option<String>,
    }

    #[test]
    fn mistake_shows_no_value_that_may_be_secret() {
        for (option, value, is_shown) in [
            ("--header", "Bearer zebra", false),
            ("--server", "wss://u:zebra@h", false),
            ("--server", "wss:/zebra", true),
        ] {
            let mut error = Line::try_parse_from(["x", option, value]).expect_err("refused");
            hide_secrets(&mut error);
            let text = error.to_string();
            assert_eq!(text.contains("zebra"), is_shown, "{text}");
            assert!(text.contains(option), "{text}");
        }
    }
}
