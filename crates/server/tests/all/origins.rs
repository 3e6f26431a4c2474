//! From which pages browsers may connect.

use wigwag_server::Config;

use crate::running::Running;

/// The status of the answer to a WebSocket handshake.
fn knock(server: &Running, path: &str, head: &str) -> String {
    let handshake = "Upgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Version: 13\r\n\
                     Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";
    let mut stream = server.connect();
    let request = format!("GET {path} HTTP/1.1\r\n{handshake}{head}\r\n");
    std::io::Write::write_all(&mut stream, request.as_bytes()).expect("sent");
    let mut status = [0; 12];
    std::io::Read::read_exact(&mut stream, &mut status).expect("answered");
    String::from_utf8_lossy(&status[9..]).into_owned()
}

fn allowing(origins: &[&str]) -> Running {
    let origins = origins.iter().map(|origin| origin.parse().expect("one"));
    Running::start(Config {
        allowed_origins: origins.collect(),
        ..Config::default()
    })
}

#[test]
fn any_page_may_connect_unless_told_otherwise() {
    let server = Running::start(Config::default());
    let head = "Host: a\r\nOrigin: https://anywhere.test\r\n";
    assert_eq!(knock(&server, "/", head), "101");
}

#[test]
fn only_pages_that_are_named_may_connect() {
    let server = allowing(&["https://app.example.org", "null"]);
    for (head, status) in [
        ("Host: a\r\nOrigin: https://app.example.org\r\n", "101"),
        ("Host: a\r\nOrigin: HTTPS://APP.example.org:443\r\n", "101"),
        ("Host: a\r\nOrigin: null\r\n", "101"),
        ("Host: a\r\nOrigin: https://example.org\r\n", "403"),
        ("Host: a\r\nOrigin: http://app.example.org\r\n", "403"),
        ("Host: a\r\nOrigin: nonsense\r\n", "403"),
        // The server's own page, and what is no browser.
        (
            "Host: here.test:8443\r\nOrigin: http://here.test:8443\r\n",
            "101",
        ),
        ("Host: here.test\r\nOrigin: https://here.test\r\n", "101"),
        (
            "Host: here.test\r\nOrigin: http://here.test:8443\r\n",
            "403",
        ),
        ("Host: a\r\n", "101"),
    ] {
        for path in ["/", "/text"] {
            assert_eq!(knock(&server, path, head), status, "{path} {head}");
        }
    }
    server.wait_for_metric("wigwag_refused_total{reason=\"allowed_origins\"}", 8);
    // What is no WebSocket is for everyone to see: browsers keep pages apart themselves.
    let page = server.get("/", "Origin: https://example.org\r\n");
    assert!(page.starts_with("HTTP/1.1 200"), "{page}");
}

#[test]
fn the_list_can_change() {
    let server = allowing(&["https://a.test"]);
    let head = "Host: a\r\nOrigin: https://b.test\r\n";
    assert_eq!(knock(&server, "/", head), "403");
    let mut config = server.config.clone();
    config.allowed_origins = vec!["https://b.test".parse().expect("an origin")];
    server.handle.reload(config).expect("in order");
    assert_eq!(knock(&server, "/", head), "101");
}
