//! How an input's publication goes, and what the user reads of it.

use std::time::Instant;

use super::status::{self, Status};
use super::viewer_lines::ViewerLines;

/// What has to come before anything goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Awaited {
    /// The signalling server was never reached.
    Signalling,
    /// The source went away.
    Source,
}

/// What is known of how it goes.
#[derive(Debug)]
pub(super) struct Progress {
    name: String,
    server: String,
    registration: Registration,
    viewers: usize,
    viewer_lines: ViewerLines,
    encoder: Option<String>,
    /// When it was asked last how many bytes were sent, and how many it were.
    sent: Option<(Instant, u64)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Registration {
    Never,
    Registered,
    Lost,
}

impl Progress {
    /// Of what is published under a name at a server.
    pub(super) fn new(name: &str, server: &str) -> Self {
        Self {
            name: name.to_owned(),
            server: shown(server),
            registration: Registration::Never,
            viewers: 0,
            viewer_lines: ViewerLines::default(),
            encoder: None,
            sent: None,
        }
    }

    /// Whether the signalling server has known it at any time.
    pub(super) fn was_registered(&self) -> bool {
        self.registration != Registration::Never
    }

    /// How many watch.
    pub(super) fn viewers(&self) -> usize {
        self.viewers
    }

    /// The signalling server knows it, or does not any more.
    pub(super) fn on_registered(&mut self, registered: bool, status: &Status) {
        let now = match (self.registration, registered) {
            (Registration::Never, true) => {
                let (name, server) = (&self.name, &self.server);
                status.tell(&format!("published as \"{name}\" at {server}"));
                Registration::Registered
            }
            (Registration::Lost, true) => {
                self.say(status, "the signalling server is back");
                Registration::Registered
            }
            (Registration::Registered, false) => {
                let text = "the signalling server is lost; viewers stay, connecting again";
                self.say(status, text);
                Registration::Lost
            }
            (as_before, _) => as_before,
        };
        self.registration = now;
    }

    pub(super) fn on_viewer_added(&mut self, status: &Status, now: Instant) {
        self.viewers += 1;
        if self.viewer_lines.handle_change(now) {
            self.say_viewers(status);
        }
    }

    pub(super) fn on_viewer_removed(&mut self, status: &Status, now: Instant) {
        self.viewers = self.viewers.saturating_sub(1);
        if self.viewer_lines.handle_change(now) {
            self.say_viewers(status);
        }
    }

    /// Says what was held back, if it is time.
    pub(super) fn on_time(&mut self, status: &Status, now: Instant) {
        if self.viewer_lines.handle_timeout(now) {
            self.say_viewers(status);
        }
    }

    /// When to call [`on_time`](Self::on_time).
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.viewer_lines.poll_timeout()
    }

    /// An encoder starts.
    pub(super) fn on_encoder(&mut self, name: String, status: &Status) {
        self.say_unless_shown(status, &format!("encoded by {name}"));
        // Sound is little work and of little interest.
        if name != "opusenc" || self.encoder.is_none() {
            self.encoder = Some(name);
        }
    }

    /// Says something of it, under its name.
    pub(super) fn say(&self, status: &Status, text: &str) {
        status.say(&format!("{}: {text}", self.name));
    }

    /// How it goes, for the line on the terminal; asks how many bytes were sent only while somebody watches.
    pub(super) fn describe(
        &mut self,
        awaited: Option<Awaited>,
        passed_through: bool,
        bytes_sent: impl FnOnce() -> u64,
    ) -> String {
        let name = &self.name;
        match awaited {
            Some(Awaited::Signalling) => {
                return format!("{name}: no signalling server, trying again");
            }
            Some(Awaited::Source) => {
                let viewers = status::viewers(self.viewers);
                return format!("{name}: {viewers}, connecting to the source again");
            }
            None if !self.was_registered() => return format!("{name}: starting"),
            None => {}
        }
        let mut parts = vec![status::viewers(self.viewers)];
        if self.viewers > 0 {
            let (now, bytes) = (Instant::now(), bytes_sent());
            if let Some((since, before)) = self.sent.replace((now, bytes)) {
                let seconds = now.duration_since(since).as_secs_f64();
                #[allow(clippy::cast_precision_loss, reason = "it is shown with two digits")]
                let bits = bytes.saturating_sub(before) as f64 * 8.0;
                parts.push(status::rate(bits / seconds.max(0.001)));
            }
            parts.push(match &self.encoder {
                Some(encoder) if !passed_through => encoder.clone(),
                _ => "passed through".to_owned(),
            });
        } else {
            self.sent = None;
        }
        if self.registration == Registration::Lost {
            parts.push("signalling lost, connecting again".to_owned());
        }
        format!("{name}: {}", parts.join(", "))
    }

    fn say_viewers(&self, status: &Status) {
        self.say_unless_shown(status, &status::viewers(self.viewers));
    }

    /// Says what the line on a terminal shows anyway.
    fn say_unless_shown(&self, status: &Status, text: &str) {
        if !status.shows_line() {
            self.say(status, text);
        }
    }
}

/// The address of a server without credentials and what need not be typed.
fn shown(server: &str) -> String {
    let (scheme, rest) = server.split_once("://").unwrap_or(("ws", server));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let credentials = authority
        .rsplit_once('@')
        .map_or(0, |(before, _)| before.len() + 1);
    let rest = rest[credentials..]
        .split(['?', '#'])
        .next()
        .unwrap_or_default();
    format!("{scheme}://{}", rest.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(progress: &mut Progress, passed_through: bool) -> String {
        progress.describe(None, passed_through, || 0)
    }

    #[test]
    fn the_line_says_who_watches_and_who_encodes() {
        let status = Status::writing_to(false, std::io::sink(), std::io::sink());
        let mut progress = Progress::new("Gate", "ws://x/");
        assert_eq!(line(&mut progress, false), "Gate: starting");
        progress.on_registered(true, &status);
        assert_eq!(line(&mut progress, false), "Gate: no viewers");

        progress.on_viewer_added(&status, Instant::now());
        assert_eq!(line(&mut progress, true), "Gate: 1 viewer, passed through");
        progress.on_encoder("vp8enc".to_owned(), &status);
        progress.on_encoder("opusenc".to_owned(), &status);
        assert_eq!(
            line(&mut progress, false),
            "Gate: 1 viewer, 0 kbit/s, vp8enc"
        );
        assert_eq!(
            line(&mut progress, true),
            "Gate: 1 viewer, 0 kbit/s, passed through"
        );
        progress.on_viewer_removed(&status, Instant::now());
        progress.on_viewer_removed(&status, Instant::now());
        assert_eq!(line(&mut progress, false), "Gate: no viewers");
    }

    #[test]
    fn server_is_shown_without_credentials_and_tokens() {
        assert_eq!(shown("ws://127.0.0.1:8443/"), "ws://127.0.0.1:8443");
        assert_eq!(shown("wss://me:secret@host/cam/?token=x"), "wss://host/cam");
    }

    #[test]
    fn the_line_says_what_is_waited_for() {
        let status = Status::writing_to(false, std::io::sink(), std::io::sink());
        let mut progress = Progress::new("Gate", "ws://x/");
        // It never was there, so it cannot be lost.
        progress.on_registered(false, &status);
        assert!(!progress.was_registered());
        assert_eq!(
            progress.describe(Some(Awaited::Signalling), false, || 0),
            "Gate: no signalling server, trying again"
        );
        progress.on_registered(true, &status);
        progress.on_registered(false, &status);
        assert!(progress.was_registered());
        assert_eq!(
            line(&mut progress, false),
            "Gate: no viewers, signalling lost, connecting again"
        );
        progress.on_viewer_added(&status, Instant::now());
        assert_eq!(
            progress.describe(Some(Awaited::Source), false, || 0),
            "Gate: 1 viewer, connecting to the source again"
        );
    }
}
