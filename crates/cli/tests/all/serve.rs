//! `wigwag serve` as a process: what it prints, how it ends, and what it survives.

use std::io::{BufRead, BufReader, Read};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use tungstenite::Message;

use crate::served::{DEADLINE, Served, wigwag};

fn serve(arguments: &[&str]) -> Output {
    let mut command = wigwag();
    command.arg("serve").args(arguments);
    command.output().expect("it runs")
}

fn one_line_error(output: &Output) -> String {
    let text = String::from_utf8(output.stderr.clone()).expect("text");
    assert_eq!(text.lines().count(), 1, "one line: {text}");
    assert!(text.starts_with("error: "), "{text}");
    assert!(output.stdout.is_empty());
    text
}

#[test]
fn a_port_in_use_is_one_line_and_exit_code_1() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port().to_string();
    let output = serve(&["--host", "127.0.0.1", "--port", &port]);
    assert_eq!(output.status.code(), Some(1));
    let line = one_line_error(&output);
    assert!(
        line.contains(&format!("127.0.0.1:{port}")) && line.contains("in use"),
        "{line}"
    );
}

#[test]
fn a_host_that_does_not_exist_is_one_line_and_exit_code_1() {
    let output = serve(&["--host", "256.1.1.1", "--port", "0"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(one_line_error(&output).contains("256.1.1.1"));
}

#[test]
fn a_bad_flag_is_one_line_and_exit_code_2() {
    for arguments in [
        &["--frobnicate"][..],
        &["--port", "99999"],
        &["--port"],
        &["--text-port", "x"],
        &["--keepalive-timeout", "0"],
    ] {
        let output = serve(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        one_line_error(&output);
    }
}

#[test]
fn a_certificate_without_its_key_is_refused() {
    for (given, missing) in [("--cert", "--key"), ("--key", "--cert")] {
        let output = serve(&[given, "file.pem"]);
        assert_eq!(output.status.code(), Some(2));
        let line = one_line_error(&output);
        assert!(
            line.contains("required") && line.contains(missing),
            "{line}"
        );
    }
    let output = serve(&["--cert", "/missing.pem", "--key", "/missing.pem"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(one_line_error(&output).contains("/missing.pem"));
}

#[test]
fn a_bad_log_filter_is_refused() {
    let mut command = wigwag();
    command
        .args(["serve", "--port", "0"])
        .env("WIGWAG_LOG", "a=b=c");
    let output = command.output().expect("it runs");
    assert_eq!(output.status.code(), Some(1));
    assert!(one_line_error(&output).contains("WIGWAG_LOG"));
}

#[test]
fn help_and_version_are_no_errors() {
    for arguments in [&["--help"][..], &["--version"], &["serve", "--help"]] {
        let output = wigwag().args(arguments).output().expect("it runs");
        assert!(output.status.success());
        assert!(!output.stdout.is_empty());
    }
}

#[test]
fn it_says_goodbye_when_it_is_told_to_end() {
    let mut command = wigwag();
    command.arg("serve");
    let mut served = Served::start(command);
    let mut peer = served.peer();
    let reader = std::thread::spawn(move || match peer.read() {
        Ok(Message::Close(Some(frame))) => u16::from(frame.code),
        other => panic!("no goodbye: {other:?}"),
    });
    assert!(served.terminate().success());
    assert_eq!(reader.join().expect("no panic"), 1001);
}

#[test]
fn it_answers_to_the_name_of_the_reference() {
    let served = Served::start(Command::new(env!(
        "CARGO_BIN_EXE_gst-webrtc-signalling-server"
    )));
    served.peer();
}

#[test]
fn it_listens_on_ipv6() {
    let mut command = wigwag();
    command.args(["serve", "--port", "0", "--host", "::1"]);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let mut line = String::new();
    let stdout = child.stdout.take().expect("piped");
    BufReader::new(stdout).read_line(&mut line).expect("a line");
    assert!(line.starts_with("signalling at ws://[::1]:"), "{line}");
    child.kill().expect("killed");
    child.wait().expect("ended");
}

#[test]
fn session_descriptions_stay_out_of_the_log_at_any_level() {
    for variable in ["WIGWAG_LOG", "WEBRTCSINK_SIGNALLING_SERVER_LOG"] {
        let mut command = wigwag();
        command.arg("serve").env_remove("WIGWAG_LOG").env(
            variable,
            "wigwag=trace,wigwag_server=trace,wigwag_hub=trace",
        );
        let served = Served::start(command);
        let mut camera = served.peer();
        let secrets = [
            r#"{"type":"setPeerStatus","roles":["producer","listener"],"meta":{"token":"a=ice-pwd:hush"}}"#,
            r#"{"type":"startSession","peerId":"a=ice-pwd:hush","offer":"a=ice-pwd:hush"}"#,
            r#"{"type":"peer","sessionId":"s","sdp":{"type":"offer","sdp":"a=ice-pwd:hush"}}"#,
            r#"{"type":"peer","sessionId":"s","sdp":"a=ice-pwd:hush"}"#,
            "a=ice-pwd:hush",
        ];
        for secret in secrets {
            camera.send(Message::text(secret)).expect("sent");
        }
        camera.close(None).expect("closed");
        while camera.read().is_ok() {}
        let log = served.log();
        assert!(log.contains("connected"), "it did log: {log}");
        assert!(!log.contains("hush"), "{log}");
    }
}

#[test]
fn what_peers_of_the_text_protocol_say_stays_out_of_the_log_at_any_level() {
    let mut command = wigwag();
    command.args(["serve", "--text-port", "0"]).env(
        "WIGWAG_LOG",
        "wigwag=trace,wigwag_server=trace,wigwag_hub=trace",
    );
    let served = Served::start(command);
    let connect = || {
        let stream = TcpStream::connect(served.address()).expect("accepted");
        let url = format!("{}text", served.url);
        tungstenite::client(url, stream).expect("an upgrade").0
    };
    let mut peers = [connect(), connect()];
    let [caller, member] = [0, 1];
    for (peer, said) in [
        (caller, "HELLO \u{1b}[31mcaller"),
        (caller, "a=ice-pwd:hush"),
        (caller, "SESSION a=ice-pwd:hush"),
        (caller, "SESSION \u{1b}[31mcaller"),
        (caller, r#"{"sdp":{"type":"offer","sdp":"a=ice-pwd:hush"}}"#),
        (member, "HELLO member"),
        (member, "ROOM r"),
        (member, "ROOM_PEER_MSG member a=ice-pwd:hush"),
        (member, "ROOM_PEER_MSG nobody a=ice-pwd:hush"),
        (member, "a=ice-pwd:hush"),
    ] {
        peers[peer].send(Message::text(said)).expect("sent");
    }
    for mut peer in peers {
        peer.close(None).expect("closed");
        while peer.read().is_ok() {}
    }
    let log = served.log();
    assert!(log.contains("registered"), "it did log: {log}");
    assert!(!log.contains("hush"), "{log}");
    // Ids are the clients' choice, and terminals obey such characters.
    assert!(!log.contains('\u{1b}'), "{log}");
}

#[test]
fn it_prints_where_the_text_protocol_is() {
    let mut command = wigwag();
    command.args(["serve", "--host", "127.0.0.1", "--port", "0"]);
    let mut child = command
        .args(["--text-port", "0", "--keepalive-timeout", "5"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let mut line = || lines.next().expect("a line").expect("text");
    assert!(line().starts_with("signalling at ws://127.0.0.1:"));
    let line = line();
    let url = line
        .strip_prefix("text protocol at ")
        .unwrap_or_else(|| panic!("not said: {line}"));
    let address = url.trim_start_matches("ws://").trim_end_matches('/');
    let stream = TcpStream::connect(address).expect("accepted");
    let (mut socket, _) = tungstenite::client(url, stream).expect("an upgrade");
    socket.send(Message::text("HELLO a")).expect("sent");
    assert_eq!(socket.read().expect("answered"), Message::text("HELLO"));
    child.kill().expect("killed");
    child.wait().expect("ended");
}

/// The reference's accept loop ends for good when descriptors run out.
#[test]
fn it_goes_on_after_descriptors_ran_out() {
    let mut command = Command::new("prlimit");
    command.args(["--nofile=40:40", env!("CARGO_BIN_EXE_wigwag"), "serve"]);
    let served = Served::start(command);
    let old = served.peer();
    // The system accepts on the server's behalf, so all of these connect.
    let crowd: Vec<_> = (0..60)
        .map(|_| TcpStream::connect(served.address()).expect("the backlog has room"))
        .collect();
    let mut waiting = TcpStream::connect(served.address()).expect("the backlog has room");
    waiting
        .set_read_timeout(Some(Duration::from_millis(500)))
        .expect("a socket option");
    std::io::Write::write_all(&mut waiting, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        .expect("sent");
    assert!(
        waiting.read(&mut [0; 1]).is_err(),
        "descriptors have run out"
    );
    drop(crowd);
    waiting
        .set_read_timeout(Some(DEADLINE))
        .expect("a socket option");
    assert!(waiting.read(&mut [0; 1]).is_ok(), "it goes on");
    served.peer();
    drop(old);
    let log = served.log();
    assert!(log.contains("cannot accept connections"), "{log}");
}
