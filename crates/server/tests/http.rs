//! What the one port answers besides the protocol.

use std::io::{Read, Write};

use running::Running;
use wigwag_server::Config;

mod running;

fn get(server: &Running, path: &str, extra: &str) -> String {
    let mut stream = server.connect();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{extra}\r\n"
    )
    .expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answered");
    answer
}

#[test]
fn the_page_says_what_runs_here() {
    let server = Running::start(Config::default());
    let mut camera = server.peer();
    camera.send(r#"{"type":"setPeerStatus","roles":["producer"]}"#);
    camera.sync();
    let page = get(&server, "/", "");
    assert!(page.starts_with("HTTP/1.1 200"), "{page}");
    assert!(page.contains("text/html"));
    assert!(page.contains("content-security-policy: default-src 'none'"));
    assert!(page.contains("Wigwag signalling server"));
    assert!(page.contains("<dt>Producers</dt><dd>1</dd>"), "{page}");
}

#[test]
fn the_health_check_answers() {
    let server = Running::start(Config::default());
    let answer = get(&server, "/healthz", "");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.ends_with("ok\n"));
}

#[test]
fn other_paths_are_not_found() {
    let server = Running::start(Config::default());
    assert!(get(&server, "/nowhere", "").starts_with("HTTP/1.1 404"));
}

#[test]
fn clients_may_connect_at_any_path() {
    let server = Running::start(Config::default());
    for path in ["/", "/ws", "/any/path?peer-id=x&y=%20"] {
        let mut socket = server.websocket(path);
        let welcome = socket.read().expect("welcomed");
        assert!(
            welcome.to_text().expect("text").contains("welcome"),
            "{path}"
        );
    }
}

#[test]
fn the_path_of_the_text_protocol_is_not_this_one() {
    let server = Running::start(Config::default());
    let url = format!("ws://{}/text", server.address);
    assert!(tungstenite::client(url, server.connect()).is_err());
}

#[test]
fn no_sub_protocol_is_chosen() {
    use tungstenite::client::IntoClientRequest;
    let server = Running::start(Config::default());
    let mut request = format!("ws://{}/", server.address)
        .into_client_request()
        .expect("a request");
    let offered = "chat".parse().expect("a header");
    request
        .headers_mut()
        .insert("sec-websocket-protocol", offered);
    let refused = tungstenite::client(request, server.connect());
    let error = refused
        .expect_err("the client wanted a sub-protocol")
        .to_string();
    assert!(
        error.contains("SubProtocol") || error.contains("sub-protocol"),
        "{error}"
    );
}

#[test]
fn a_bad_handshake_is_refused() {
    let server = Running::start(Config::default());
    let answer = get(&server, "/", "Upgrade: websocket\r\n");
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
}
