//! What `wigwag monitor` is told.

use std::env::{self, VarError};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use wigwag_client::Trust;

use crate::bounded_file::{MAX_TOKEN_FILE_BYTES, read_at_most};
use crate::client::{Protocol, Target};

/// As in the examples; a server has an admin API only where it is told to.
const ADMIN: &str = "http://127.0.0.1:8445";

const TOKEN_VARIABLE: &str = "WIGWAG_ADMIN_TOKEN";

const EXPLANATION: &str = "\
Keys: tab, left, right or 1 2 3 for peers, sessions and rooms; up, down, page keys, home and end move the mark; s for
another order; k removes the peer or ends the session that is marked, once y was pressed; q or Esc ends.

The token is read from --token-file, else from the variable WIGWAG_ADMIN_TOKEN; a server on this machine may want none.

Exit codes: 0 the end, 1 an error, 2 a command line that makes no sense.";

/// What `wigwag monitor` is told.
#[derive(Args, Debug)]
#[command(after_help = EXPLANATION)]
pub struct MonitorArguments {
    /// The admin API of the server: http or https
    #[arg(long, value_name = "URL", default_value = ADMIN, value_parser = admin)]
    pub(super) admin: Target,

    /// The Unix socket of the admin API, in the place of its address
    #[arg(long, value_name = "PATH", conflicts_with_all = ["admin", "token_file", "cafile", "insecure_tls", "insecure_http"])]
    pub(super) admin_socket: Option<PathBuf>,

    /// A file that holds the token of the admin API
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,

    /// Seconds from one look to the next
    #[arg(long, value_name = "SECONDS", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=3600))]
    interval: u64,

    /// Prints one picture as plain text, and ends
    #[arg(long)]
    pub(super) once: bool,

    /// Authorities (PEM file) to trust with https, instead of the system's
    #[arg(long, value_name = "FILE", conflicts_with = "insecure_tls")]
    cafile: Option<PathBuf>,

    /// Takes whatever certificate the server shows
    #[arg(long)]
    insecure_tls: bool,

    /// Sends the token by http to another machine, where others on the way can read it
    #[arg(long)]
    insecure_http: bool,
}

impl MonitorArguments {
    /// Whether it is on the screen until it is ended.
    pub(crate) fn draws(&self) -> bool {
        !self.once
    }

    pub(super) fn interval(&self) -> Duration {
        Duration::from_secs(self.interval)
    }

    pub(super) fn trust(&self) -> Trust {
        Trust {
            cafile: self.cafile.clone(),
            insecure_tls: self.insecure_tls,
        }
    }

    /// The token, if there is one. What is wrong with it never shows it.
    ///
    /// # Errors
    ///
    /// It cannot be read or sent, or others could read it on the way.
    pub(super) fn token(&self) -> Result<Option<String>, String> {
        if self.admin_socket.is_some() {
            return Ok(None);
        }
        let token = self.given_token()?;
        let is_safe = self.admin.is_secure || self.admin.is_loopback() || self.insecure_http;
        if token.is_some() && !is_safe {
            return Err(format!(
                "others on the way to {} could read the token: ask by https, or say --insecure-http",
                self.admin.authority()
            ));
        }
        Ok(token)
    }

    fn given_token(&self) -> Result<Option<String>, String> {
        let told = match &self.token_file {
            Some(path) => {
                let read = read_at_most(path, MAX_TOKEN_FILE_BYTES);
                Some(read.map_err(|error| format!("cannot read {}: {error}", path.display()))?)
            }
            None => match env::var(TOKEN_VARIABLE) {
                // A variable that is empty is none.
                Ok(told) => Some(told).filter(|told| !told.is_empty()),
                Err(VarError::NotPresent) => None,
                Err(VarError::NotUnicode(_)) => return Err(format!("{TOKEN_VARIABLE} is no text")),
            },
        };
        told.as_deref().map(str::trim).map(token).transpose()
    }
}

fn token(text: &str) -> Result<String, String> {
    let may_be_sent = !text.is_empty()
        && text.len() as u64 <= MAX_TOKEN_FILE_BYTES
        && text.bytes().all(|byte| byte.is_ascii_graphic());
    let refusal = || "the token is empty, too long or more than one word".to_owned();
    may_be_sent.then(|| text.to_owned()).ok_or_else(refusal)
}

fn admin(text: &str) -> Result<Target, String> {
    let target: Target = text.parse()?;
    match target.protocol {
        Protocol::Whep if target.authorization().is_some() => {
            Err("it holds credentials; the admin API takes a token".to_owned())
        }
        Protocol::Whep => Ok(target),
        Protocol::Json => Err("it begins with http:// or https://".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct CommandLine {
        #[command(flatten)]
        monitor: MonitorArguments,
    }

    fn read(line: &str) -> Option<MonitorArguments> {
        let read = CommandLine::try_parse_from(line.split(' ')).ok()?;
        Some(read.monitor)
    }

    #[test]
    fn lines_that_make_no_sense_are_refused() {
        assert!(read("monitor --admin http://127.0.0.1:1 --once").is_some());
        for line in [
            "monitor --admin ws://a",
            "monitor --interval 0",
            "monitor --cafile x --insecure-tls",
            "monitor --admin-socket x --admin http://127.0.0.1:1",
            "monitor --admin-socket x --token-file x",
        ] {
            assert!(read(line).is_none(), "{line}");
        }
    }

    #[test]
    fn a_token_is_one_word_of_a_file() {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        let line = format!("monitor --token-file {}", file.path().display());
        let arguments = read(&line).expect("a good line");
        assert!(arguments.token().is_err(), "an empty file");
        writeln!(file, "correct-horse-battery").expect("written");
        let token = arguments.token().expect("one word");
        assert_eq!(token.as_deref(), Some("correct-horse-battery"));
        for (admin, is_sent) in [
            ("http://127.0.0.1:8445", true),
            ("http://[::1]:8445", true),
            ("http://localhost:8445", true),
            ("https://192.0.2.1:8445", true),
            ("http://192.0.2.1:8445", false),
            ("http://localhost.example:8445", false),
        ] {
            let line = format!("{line} --admin {admin}");
            let token = read(&line).expect("a good line").token();
            assert_eq!(token.is_ok(), is_sent, "{admin}");
            let line = format!("{line} --insecure-http");
            assert!(read(&line).expect("a good line").token().is_ok(), "{admin}");
        }
        writeln!(file, "staple").expect("written");
        let refusal = arguments.token().expect_err("two words");
        assert!(!refusal.contains("horse"), "{refusal}");
        let arguments = read("monitor --token-file /dev/zero").expect("a good line");
        let refusal = arguments.token().expect_err("it has no end");
        assert!(refusal.contains("/dev/zero"), "{refusal}");
    }
}
