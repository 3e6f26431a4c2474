//! `wigwag load` as a process: what others say of themselves, on the terminal.
#![cfg(feature = "load")]

use std::net::TcpListener;
use std::process::{Command, Output};
use std::thread::{self, JoinHandle};

use tungstenite::Message;

use crate::running::Running;

const HOSTILE: &str = "\\u001b]0;owned\\u0007\\u009b2J\\u202e\\nerror: you";

fn load(arguments: &[&str]) -> Output {
    let mut wigwag = Command::new(env!("CARGO_BIN_EXE_wigwag"));
    wigwag
        .arg("load")
        .args(arguments)
        .output()
        .expect("it runs")
}

/// What was said, if none of it acts on a terminal.
fn harmless(bytes: &[u8]) -> String {
    let text = String::from_utf8(bytes.to_vec()).expect("text");
    let acts = |letter: char| (letter.is_control() && letter != '\n') || letter == '\u{202e}';
    assert!(!text.contains(acts), "{text:?}");
    text
}

/// A server that has a sender and refuses everybody in these words, for so many connections.
fn refusing(connections: usize) -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("ws://{}", listener.local_addr().expect("an address"));
    let served = thread::spawn(move || {
        for _ in 0..connections {
            let (stream, _) = listener.accept().expect("a client");
            let mut socket = tungstenite::accept(stream).expect("an upgrade");
            let welcome = r#"{"type":"welcome","peerId":"me"}"#;
            socket.send(Message::text(welcome)).expect("taken");
            while let Ok(Message::Text(text)) = socket.read() {
                let answer = if text.contains("\"list\"") {
                    r#"{"type":"list","producers":[{"id":"camera","meta":null}]}"#.to_owned()
                } else {
                    format!(r#"{{"type":"error","details":"{HOSTILE}"}}"#)
                };
                // It may have heard enough.
                let _ = socket.send(Message::text(answer));
            }
        }
    });
    (url, served)
}

#[test]
fn names_of_senders_cannot_act_on_the_terminal() {
    let server = Running::start();
    let _peer = server.peer("\"producer\"", &format!("{{\"name\":\"{HOSTILE}\"}}"));
    let output = load(&[&server.url(), "--producer", "nobody"]);
    assert_eq!(output.status.code(), Some(1));
    let error = harmless(&output.stderr);
    assert!(
        error.starts_with("error: nobody called \"nobody\" sends at this server"),
        "{error}"
    );
    assert!(error.contains("\\u{1b}]0;owned"), "{error}");
    assert_eq!(error.lines().count(), 1, "{error}");
}

#[test]
fn reasons_of_servers_cannot_act_on_the_terminal() {
    for json in [false, true] {
        // One to look for the sender, and the viewer.
        let (url, served) = refusing(2);
        let arguments = [url.as_str(), "--seconds", "5", "--json"];
        let output = load(&arguments[..if json { 4 } else { 3 }]);
        assert_eq!(output.status.code(), Some(1));
        served.join().expect("no panic");
        let told = harmless(&output.stdout);
        if json {
            let told: serde_json::Value = serde_json::from_str(&told).expect("JSON");
            let reason = told["viewers"][0]["failure"].as_str().expect("a reason");
            assert!(reason.contains("\u{9b}2J\u{202e}"), "it says the same");
        } else {
            let last = told.lines().last().expect("a line");
            assert!(last.starts_with("1 failed: the server refused: \\u{1b}]0;owned"));
        }
        harmless(&output.stderr);
    }
}
