//! New settings while it serves, health, and the log for programs.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Output;

use tempfile::TempDir;
use tungstenite::Message;

use crate::served::{Served, connect, wigwag};

/// A server with a settings file that can change.
struct Reloadable {
    served: Served,
    folder: TempDir,
}

impl Reloadable {
    fn start(settings: &str) -> Self {
        let folder = TempDir::new().expect("a folder");
        fs::write(file(&folder), settings).expect("written");
        let mut command = wigwag();
        command.args(["serve", "--host", "127.0.0.1"]);
        command.arg("--config").arg(file(&folder));
        command.env_remove("WIGWAG_LOG");
        Self {
            served: Served::start_as_told(command),
            folder,
        }
    }

    /// Changes the file, and waits until it was read to the end.
    fn change(&self, settings: &str, told: &str) {
        fs::write(file(&self.folder), settings).expect("written");
        self.served.signal("-HUP");
        self.served.wait_for_log(told);
    }

    /// Whether one more peer is welcomed.
    fn welcomes(&self) -> bool {
        let mut peer = connect(self.served.address());
        match peer.read() {
            Ok(Message::Text(_)) => true,
            Ok(Message::Close(Some(frame))) => {
                assert_eq!(u16::from(frame.code), 1013);
                false
            }
            other => panic!("neither: {other:?}"),
        }
    }
}

fn file(folder: &TempDir) -> PathBuf {
    folder.path().join("wigwag.toml")
}

#[test]
fn a_hangup_takes_new_limits_and_disturbs_nobody() {
    let server = Reloadable::start("port = 0\n[limits]\nmax_peers = 1\n");
    let mut first = server.served.peer();
    assert!(!server.welcomes());
    server.change(
        "port = 0\n[limits]\nmax_peers = 5\n",
        "changed: limits.max_peers",
    );
    assert!(server.welcomes());
    let list = r#"{"type":"list"}"#;
    first.send(Message::text(list)).expect("still there");
    let answer = first.read().expect("answered").into_text().expect("text");
    assert!(answer.contains("\"list\""), "{answer}");
}

#[test]
fn a_bad_file_changes_nothing() {
    let server = Reloadable::start("port = 0\n[limits]\nmax_peers = 2\n");
    server.change(
        "port = 0\n[limits]\nmax_peers = 1\nmax_rooms = 1\n",
        "the settings stay as they are",
    );
    let log = server.served.log_so_far();
    assert!(
        log.contains("line 4: there is no setting \"limits.max_rooms\""),
        "{log}"
    );
    let _first = server.served.peer();
    assert!(server.welcomes(), "two are allowed");
    // It was not the last word.
    server.change(
        "port = 0\n[limits]\nmax_peers = 1\n",
        "changed: limits.max_peers",
    );
    assert!(!server.welcomes());
}

#[test]
fn what_counts_from_the_next_start_only_is_named() {
    let server = Reloadable::start("port = 0\n");
    server.change(
        "port = 0\ntext_port = 0\nlog_format = \"json\"\n",
        "from the next start only setting=\"log_format\"",
    );
    let log = server.served.log_so_far();
    assert!(
        log.contains("from the next start only setting=\"text_port\""),
        "{log}"
    );
    assert!(!log.contains("setting=\"port\""), "{log}");
    let named = |log: &str| {
        log.matches("from the next start only setting=\"log_format\"")
            .count()
    };
    assert_eq!(named(&log), 1, "{log}");
    // As it was at the start, so nothing is left for the next one.
    server.change(
        "port = 0\n[limits]\nmax_sessions = 1\n",
        "changed: limits.max_sessions",
    );
    server.change(
        "port = 0\n[limits]\nmax_peers = 2\nmax_meta_bytes = 1\n",
        "changed: limits.max_meta_bytes",
    );
    let log = server.served.log_so_far();
    assert_eq!(named(&log), 1, "{log}");
}

#[test]
fn what_the_next_start_would_refuse_is_refused_now() {
    let server = Reloadable::start("port = 0\n[limits]\nmax_peers = 2\n");
    server.change(
        "port = 0\n[limits]\nmax_peers = 1\n[tls]\ncertificate = \"missing.pem\"\nkey = \"missing.pem\"\n",
        "the settings stay as they are",
    );
    let log = server.served.log_so_far();
    assert!(log.contains("missing.pem"), "{log}");
    assert!(!log.contains("changed:"), "{log}");
    let _first = server.served.peer();
    assert!(server.welcomes(), "two are allowed");
}

#[test]
fn the_log_is_as_talkative_as_it_is_told_to_be() {
    let server = Reloadable::start("port = 0\nlog = \"warn\"\n");
    let _quiet = server.served.peer();
    server.change("port = 0\nlog = \"debug\"\n", "changed: log");
    let before = server.served.log_so_far();
    assert!(!before.contains("connected"), "{before}");
    server.served.peer();
    server.served.wait_for_log("connected");
}

#[test]
fn lines_for_programs_are_json() {
    let mut command = wigwag();
    command
        .args(["serve", "--log-format", "json"])
        .env_remove("WIGWAG_LOG");
    let served = Served::start(command);
    served.wait_for_log("serving");
    let log = served.log();
    let mut messages = log.lines().map(|line| {
        let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
        assert!(
            line["timestamp"].is_string() && line["level"].is_string(),
            "{line}"
        );
        line["message"].as_str().map(str::to_owned)
    });
    assert!(
        messages.any(|message| message.as_deref() == Some("serving")),
        "{log}"
    );
}

fn check_health(address: &str, settings: &Path) -> Output {
    let (_, port) = address.rsplit_once(':').expect("a port");
    let mut command = wigwag();
    command.args(["serve", "--check-health", "--port", port]);
    command.arg("--config").arg(settings);
    command.output().expect("it runs")
}

#[test]
fn health_is_asked_of_the_server_that_runs() {
    let server = Reloadable::start("port = 0\n");
    let settings = file(&server.folder);
    let output = check_health(server.served.address(), &settings);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let nobody = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = nobody.local_addr().expect("an address").to_string();
    drop(nobody);
    let output = check_health(&address, &settings);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).expect("text");
    assert!(
        said.contains(&format!("error: no answer from {address}")),
        "{said}"
    );
}

/// A server with a certificate, and with these settings besides.
fn with_certificate(settings: &str) -> (Served, TempDir) {
    let folder = TempDir::new().expect("a folder");
    let names = vec!["signalling.example".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).expect("a certificate");
    let write = |name: &str, text: &str| {
        fs::write(folder.path().join(name), text).expect("written");
    };
    write("cert.pem", &made.cert.pem());
    write("key.pem", &made.signing_key.serialize_pem());
    let tls = "[tls]\ncertificate = \"cert.pem\"\nkey = \"key.pem\"\n";
    write("wigwag.toml", &format!("{tls}{settings}"));
    let mut command = wigwag();
    command.arg("serve").arg("--config").arg(file(&folder));
    let served = Served::start(command);
    assert!(served.url.starts_with("wss://"));
    (served, folder)
}

#[test]
fn health_is_asked_by_tls_of_a_server_with_a_certificate() {
    let (served, folder) = with_certificate("");
    let output = check_health(served.address(), &file(&folder));
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

#[test]
fn a_server_that_demands_certificates_is_well() {
    let clients = "[tls.client_certificates]\nauthority = \"cert.pem\"\nrequired = true\n";
    let (served, folder) = with_certificate(clients);
    let output = check_health(served.address(), &file(&folder));
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

#[test]
fn proxy_that_is_not_declared_warned_of_once() {
    let server = Reloadable::start("port = 0\n");
    for _ in 0..3 {
        let mut stream = TcpStream::connect(server.served.address()).expect("it serves");
        let request = "GET / HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 192.0.2.1\r\nConnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("answered");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    server.served.wait_for_log("trusted_proxies");
    let log = server.served.log();
    assert_eq!(log.matches("--trusted-proxy").count(), 1, "{log}");
}

#[test]
fn refusals_flood_no_log() {
    let server = Reloadable::start("port = 0\n");
    let address = server.served.address();
    for number in 0..100 {
        let mut stream = TcpStream::connect(address).expect("it serves");
        let request = format!(
            "GET / HTTP/1.1\r\nHost: localhost\r\nOrigin: https://a{number}.example\r\nUpgrade: websocket\r\n\
             Connection: upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).expect("sent");
        let mut status = [0; 12];
        stream.read_exact(&mut status).expect("answered");
        assert_eq!(&status[9..], b"403");
    }
    server.served.wait_for_log("https://a0.example");
    let log = server.served.log();
    let lines = log
        .lines()
        .filter(|line| line.contains("--allowed-origin"))
        .count();
    // Ten at once, and one a second.
    assert!((1..=30).contains(&lines), "{lines} lines\n{log}");
}
