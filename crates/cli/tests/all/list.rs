//! `wigwag list` as a process.
#![cfg(feature = "list")]

use std::net::TcpListener;
use std::process::{Command, Output};

use crate::running::Running;

const PRODUCER: &str = "\"producer\"";

fn list(arguments: &[&str]) -> Output {
    let mut wigwag = Command::new(env!("CARGO_BIN_EXE_wigwag"));
    wigwag
        .arg("list")
        .args(arguments)
        .output()
        .expect("it runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

#[test]
fn producers_are_listed_for_people_and_for_programs() {
    let server = Running::start();
    let url = server.url();
    let nobody = list(&[&url]);
    assert!(nobody.status.success());
    assert!(nobody.stdout.is_empty());
    assert!(text(&nobody.stderr).starts_with("nobody sends at ws://"));

    let _yard = server.peer(PRODUCER, r#"{"name":"yard","floor":1}"#);
    let _gate = server.peer(PRODUCER, "null");
    let _screen = server.peer("\"consumer\"", r#"{"name":"screen"}"#);
    let listed = list(&["--server", &url]);
    assert!(listed.status.success(), "{}", text(&listed.stderr));
    let table = text(&listed.stdout);
    let lines: Vec<_> = table.lines().collect();
    assert_eq!(lines.len(), 3, "{table}");
    assert!(
        lines[0].starts_with("ID ") && lines[0].ends_with("NAME  META"),
        "{table}"
    );
    assert!(lines[1].ends_with("  yard  {\"floor\":1}"), "{table}");
    let (id, _) = lines[1].split_once(' ').expect("columns");
    assert_eq!(id.len(), 36);

    let json = text(&list(&[&url, "--json"]).stdout);
    let expected = format!(r#"{{"producers":[{{"id":"{id}","meta":{{"floor":1,"name":"yard"}}}},"#);
    assert!(json.starts_with(&expected), "{json}");
    let consumers = text(&list(&[&url, "--consumers"]).stdout);
    assert!(
        consumers.contains("screen") && !consumers.contains("yard"),
        "{consumers}"
    );
    let json = text(&list(&[&url, "--consumers", "--json"]).stdout);
    assert!(json.starts_with(r#"{"consumers":[{"id":""#), "{json}");
}

#[test]
fn what_peers_say_cannot_act_on_the_terminal() {
    let server = Running::start();
    let hostile = "{\"name\":\"\\u001b]0;owned\\u0007\u{9b}2J\u{202e}\\n\"}";
    let _peer = server.peer(PRODUCER, hostile);
    for arguments in [&[server.url()][..], &[server.url(), "--json".to_owned()]] {
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let shown = text(&list(&arguments).stdout);
        assert!(shown.contains("owned"), "{shown:?}");
        let acts = |letter: char| (letter.is_control() && letter != '\n') || letter == '\u{202e}';
        assert!(!shown.contains(acts), "{shown:?}");
        assert!(shown.lines().count() <= 2, "{shown:?}");
    }
}

#[test]
fn what_goes_wrong_is_one_line_and_an_exit_code() {
    let closed = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("ws://{}", closed.local_addr().expect("an address"));
    drop(closed);
    let refused = list(&[&url]);
    assert_eq!(refused.status.code(), Some(1));
    let line = text(&refused.stderr);
    assert!(
        line.starts_with("error: cannot connect to 127.0.0.1:"),
        "{line}"
    );
    assert_eq!(line.lines().count(), 1);
    assert_eq!(list(&["http://x"]).status.code(), Some(2));
    let missing = list(&["wss://127.0.0.1:1", "--cafile", "/nowhere.pem"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(text(&missing.stderr).contains("/nowhere.pem"));
}
