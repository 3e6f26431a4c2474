//! Settings from the file, the environment and flags, as `wigwag serve --check` shows them.

use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::served::wigwag;

/// Files of settings, and what is said of them.
struct Desk(TempDir);

impl Desk {
    fn new() -> Self {
        Self(TempDir::new().expect("a folder"))
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, text).expect("written");
        path
    }

    /// Checks with a settings file.
    fn check(&self, settings: &str) -> Output {
        let file = self.write("wigwag.toml", settings);
        check().arg("--config").arg(file).output().expect("it runs")
    }
}

fn check() -> Command {
    let mut command = wigwag();
    command.args(["serve", "--check"]).env_remove("WIGWAG_LOG");
    command
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("text")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("text")
}

/// The value of a setting, and where it comes from.
fn shown(output: &Output, key: &str) -> (String, String) {
    assert_eq!(output.status.code(), Some(0), "{}", stderr(output));
    let text = stdout(output);
    let start = format!("{key} = ");
    let line = text.lines().find_map(|line| line.strip_prefix(&start));
    let line = line.unwrap_or_else(|| panic!("no {key} in {text}"));
    let (value, origin) = line.rsplit_once("  # ").expect("an origin");
    (value.trim_end().to_owned(), origin.to_owned())
}

/// The lines of an output that says what is wrong.
fn wrong(output: &Output, code: i32) -> Vec<String> {
    let text = stderr(output);
    assert_eq!(output.status.code(), Some(code), "{text}");
    let lines: Vec<String> = text.lines().map(ToOwned::to_owned).collect();
    for line in &lines {
        assert!(line.starts_with("error: "), "{text}");
    }
    lines
}

#[test]
fn a_flag_goes_before_the_environment_before_the_file_before_the_default() {
    let desk = Desk::new();
    let file = desk.write(
        "wigwag.toml",
        "port = 1\nhost = \"localhost\"\n\n[limits]\nmax_peers = 3\nmax_sessions = 4\nping_interval = \"1m\"\n",
    );
    let output = check()
        .args(["--port", "9001", "--keepalive-timeout", "5"])
        .env("WIGWAG_CONFIG", &file)
        .env("WIGWAG_PORT", "9000")
        .env("WIGWAG_LIMITS_MAX_PEERS", "7")
        .env("WIGWAG_LIMITS_PING_INTERVAL", "2s")
        .env("WIGWAG_LIMITS_MAX_MESSAGE_BYTES", "64KiB")
        .output()
        .expect("it runs");
    let line = |number| format!("{}, line {number}", file.display());
    for (key, value, origin) in [
        ("port", "9001", "--port"),
        ("limits.ping_interval", "\"5s\"", "--keepalive-timeout"),
        ("limits.max_peers", "7", "WIGWAG_LIMITS_MAX_PEERS"),
        (
            "limits.max_message_bytes",
            "\"64KiB\"",
            "WIGWAG_LIMITS_MAX_MESSAGE_BYTES",
        ),
        ("limits.max_sessions", "4", &line(6)),
        ("host", "\"localhost\"", &line(2)),
        ("limits.pong_timeout", "\"30s\"", "default"),
    ] {
        assert_eq!(
            shown(&output, key),
            (value.to_owned(), origin.to_owned()),
            "{key}"
        );
    }
    assert!(stdout(&output).contains("# text_port is not set"));
    // What is shown is a settings file that says the same.
    let again = desk.check(&stdout(&output));
    assert_eq!(shown(&again, "limits.max_peers").0, "7");
    assert_eq!(shown(&again, "limits.ping_interval").0, "\"5s\"");
}

#[test]
fn a_file_that_a_flag_names_goes_before_that_of_the_environment() {
    let desk = Desk::new();
    let other = desk.write("other.toml", "port = 2\n");
    let file = desk.write("wigwag.toml", "port = 1\n");
    let mut command = check();
    command
        .arg("--config")
        .arg(file)
        .env("WIGWAG_CONFIG", other);
    let output = command.output().expect("it runs");
    assert_eq!(shown(&output, "port").0, "1");
}

#[test]
fn all_mistakes_are_told_at_once_with_file_line_and_key() {
    let desk = Desk::new();
    let output = desk.check(
        "prot = 1\nport = \"8443\"\nmax_peers = 5\n[limits]\nmax_peer = 5\nping_interval = 'soon'\n[limit]\n",
    );
    let lines = wrong(&output, 1).join("\n");
    for said in [
        "wigwag.toml, line 1: there is no setting \"prot\"; did you mean \"port\"?",
        "wigwag.toml, line 2: port: a port from 0 to 65535 is expected, not \"8443\"",
        "wigwag.toml, line 3: there is no setting \"max_peers\"; did you mean \"limits.max_peers\"?",
        "wigwag.toml, line 5: there is no setting \"limits.max_peer\"; did you mean \"limits.max_peers\"?",
        "wigwag.toml, line 6: limits.ping_interval: a time up to a day",
        "wigwag.toml, line 7: there is no setting \"limit\"",
    ] {
        assert!(lines.contains(said), "no \"{said}\" in:\n{lines}");
    }
    assert_eq!(lines.lines().count(), 6, "{lines}");
    assert!(output.stdout.is_empty());
}

#[test]
fn a_file_that_is_none_is_refused() {
    let desk = Desk::new();
    let lines = wrong(&desk.check("port = 1\nhost = \n"), 1);
    assert!(
        lines[0].contains("wigwag.toml, line 2: this is not TOML"),
        "{lines:?}"
    );
    let output = check().args(["--config", "/missing.toml"]).output();
    let lines = wrong(&output.expect("it runs"), 1);
    assert!(lines[0].contains("/missing.toml"), "{lines:?}");
    let output = check().args(["--config", "/dev/zero"]).output();
    let lines = wrong(&output.expect("it runs"), 1);
    assert!(lines[0].contains("/dev/zero"), "{lines:?}");
}

#[test]
fn a_variable_with_a_wrong_value_is_refused() {
    let output = check().env("WIGWAG_LIMITS_MAX_PEERS", "0").output();
    let lines = wrong(&output.expect("it runs"), 1);
    assert!(
        lines[0].starts_with("error: WIGWAG_LIMITS_MAX_PEERS: a number from 1"),
        "{lines:?}"
    );
}

#[test]
fn a_variable_that_looks_misspelt_is_warned_of_and_those_of_others_are_not() {
    let output = check()
        .env("WIGWAG_LIMITS_MAX_PEER", "1")
        .env("WIGWAG_HSOT", "1")
        .env("WIGWAG_LIMITS_FROBNICATIONS_PER_CALLER", "1")
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(0));
    let said = stderr(&output);
    assert!(said.contains("WIGWAG_LIMITS_MAX_PEER is no setting and is ignored; did you mean WIGWAG_LIMITS_MAX_PEERS?"), "{said}");
    assert!(said.contains("did you mean WIGWAG_HOST?"), "{said}");
    assert!(
        said.contains("WIGWAG_LIMITS_FROBNICATIONS_PER_CALLER is no setting"),
        "{said}"
    );
    assert_eq!(said.lines().count(), 3, "{said}");

    let output = check()
        .env("WIGWAG_LOG", "debug")
        .env("WIGWAG_ADDRESSES", "127.0.0.1")
        .env("WIGWAG_MAX_VIEWERS", "3")
        .env("WIGWAG_PEER_OF_SOMEBODY", "x")
        .env("WIGWAG_TEXT_PORT", "")
        .output()
        .expect("it runs");
    assert_eq!(stderr(&output), "");
    assert_eq!(
        shown(&output, "log"),
        ("\"debug\"".to_owned(), "WIGWAG_LOG".to_owned())
    );
}

#[test]
fn a_token_that_is_for_the_monitor_is_warned_of() {
    let warned = |arguments: &[&str]| {
        let mut command = check();
        command.env("WIGWAG_ADMIN_TOKEN", "correct-horse-battery");
        let output = command.args(arguments).output().expect("it runs");
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        stderr(&output)
    };
    let said = warned(&["--admin-port", "8445"]);
    assert!(
        said.starts_with("warning: WIGWAG_ADMIN_TOKEN is for `wigwag monitor` and is ignored"),
        "{said}"
    );
    assert!(said.contains("WIGWAG_ADMIN_TOKEN_FILE"), "{said}");
    assert!(!said.contains("horse"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    // Nobody is let in without a token here.
    assert_eq!(warned(&[]), "");
    let desk = Desk::new();
    let token = desk.write("token", "correct-horse-battery\n");
    let settings = format!("[admin]\ntoken_file = \"{}\"\n", token.display());
    let file = desk.write("wigwag.toml", &settings);
    let file = file.to_str().expect("text");
    let set_mode = |mode| {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
        fs::set_permissions(&token, mode).expect("changed");
    };
    set_mode(0o600);
    assert_eq!(warned(&["--admin-port", "8445", "--config", file]), "");
    set_mode(0o644);
    let said = warned(&["--admin-port", "8445", "--config", file]);
    assert!(
        said.contains("can read the token of the admin API"),
        "{said}"
    );
}

#[test]
fn what_kubernetes_says_of_a_service_called_wigwag_is_no_port() {
    let output = check()
        .env("WIGWAG_PORT", "tcp://10.0.0.11:8443")
        .env("WIGWAG_PORT_8443_TCP_ADDR", "10.0.0.11")
        .env("WIGWAG_SERVICE_HOST", "10.0.0.11")
        .output()
        .expect("it runs");
    assert_eq!(
        shown(&output, "port"),
        ("8443".to_owned(), "default".to_owned())
    );
    let said = stderr(&output);
    assert!(said.contains("enableServiceLinks"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
}

#[test]
fn the_certificate_is_looked_for_beside_the_file_and_read() {
    let desk = Desk::new();
    let settings = "[tls]\ncertificate = \"cert.pem\"\nkey = \"key.pem\"\n";
    let lines = wrong(&desk.check(settings), 1);
    let beside = desk.0.path().join("cert.pem");
    assert!(
        lines[0].contains(&beside.display().to_string()),
        "{lines:?}"
    );
    let names = vec!["localhost".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).expect("a certificate");
    desk.write("cert.pem", &made.cert.pem());
    desk.write("key.pem", &made.signing_key.serialize_pem());
    let output = desk.check(settings);
    assert_eq!(
        shown(&output, "tls.certificate").0,
        format!("\"{}\"", beside.display())
    );
}

#[test]
fn what_is_missing_is_named_as_the_other_was_given() {
    let desk = Desk::new();
    let lines = wrong(&desk.check("[tls]\nkey = \"key.pem\"\n"), 1);
    let file = desk.0.path().join("wigwag.toml");
    let place = format!("{}, line 2", file.display());
    assert_eq!(
        lines,
        [format!(
            "error: {place}: tls.key is given, so tls.certificate is required"
        )]
    );
    let output = check().env("WIGWAG_TLS_CERTIFICATE", "c").output();
    let lines = wrong(&output.expect("it runs"), 1);
    assert_eq!(
        lines,
        ["error: WIGWAG_TLS_CERTIFICATE is given, so WIGWAG_TLS_KEY is required"]
    );
}

#[test]
fn an_order_of_a_certificate_that_names_nobody_is_not_served_in_plain_text() {
    for none in ["", ",", " "] {
        let output = check().args(["--acme-domain", none]).output();
        wrong(&output.expect("it runs"), 2);
    }
    let output = check().env("WIGWAG_TLS_ACME_DOMAINS", ",").output();
    let lines = wrong(&output.expect("it runs"), 1);
    assert!(
        lines[0].starts_with("error: WIGWAG_TLS_ACME_DOMAINS: a list"),
        "{lines:?}"
    );
    let desk = Desk::new();
    let settings = "[tls.acme]\ncontact = [\"you@example.org\"]\n";
    let lines = wrong(&desk.check(settings), 1);
    assert!(
        lines[0].ends_with(
            "wigwag.toml, line 2: tls.acme.contact is given, so tls.acme.domains is required"
        ),
        "{lines:?}"
    );
}

#[test]
fn what_follows_from_a_mistake_is_none() {
    let desk = Desk::new();
    let file = desk.write("wigwag.toml", "[tls]\nkey = \n");
    let mut command = check();
    command.arg("--config").arg(&file);
    let output = command.args(["--cert", "cert.pem"]).output();
    let lines = wrong(&output.expect("it runs"), 1);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("this is not TOML"), "{lines:?}");
    let settings = "[tls]\nkey = \"key.pem\"\n[admin]\ntoken_file = \"token\"\n";
    assert_eq!(wrong(&desk.check(settings), 1).len(), 2);
}

#[test]
fn a_check_looks_the_host_up_and_does_not_listen() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port().to_string();
    let output = check()
        .args(["--host", "127.0.0.1", "--port", &port])
        .output();
    assert_eq!(output.expect("it runs").status.code(), Some(0));
    let output = check().args(["--host", "256.1.1.1"]).output();
    let lines = wrong(&output.expect("it runs"), 1);
    assert!(lines[0].contains("256.1.1.1"), "{lines:?}");
}

#[test]
fn there_is_one_thing_to_do_at_a_time() {
    let output = check().arg("--print-config").output().expect("it runs");
    wrong(&output, 2);
}

#[test]
fn the_file_that_it_prints_is_the_packaged_one() {
    let output = wigwag().args(["serve", "--print-config"]).output();
    let packaged = include_str!("../../../../packaging/wigwag.toml");
    assert_eq!(stdout(&output.expect("it runs")), packaged);
}

#[test]
fn lists_come_from_all_three() {
    let desk = Desk::new();
    let file = desk.write(
        "wigwag.toml",
        "metrics_from = [\"192.0.2.0/24\", \"::1\"]\n",
    );
    let output = check()
        .args(["--allowed-origin", "https://a.example"])
        .args(["--allowed-origin", "null"])
        .env("WIGWAG_CONFIG", file)
        .env("WIGWAG_TRUSTED_PROXIES", "10.0.0.0/8, 192.0.2.1")
        .output()
        .expect("it runs");
    for (key, items) in [
        ("metrics_from", ["192.0.2.0/24", "::1"]),
        ("allowed_origins", ["https://a.example", "null"]),
        ("trusted_proxies", ["10.0.0.0/8", "192.0.2.1"]),
    ] {
        let (value, _) = shown(&output, key);
        for item in items {
            assert!(value.contains(item), "{key} = {value}");
        }
    }
    let lines = wrong(&desk.check("trusted_proxies = [\"10.0.0.0/33\"]\n"), 1);
    assert!(
        lines[0].contains("line 1: trusted_proxies: \"10.0.0.0/33\" is neither"),
        "{lines:?}"
    );
}
