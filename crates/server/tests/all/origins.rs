//! From which pages browsers may connect, and by which names they may ask for the server.

use wigwag_server::{Config, axum};

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

/// The answer to a GET for this host.
fn ask(server: &Running, path: &str, host: &str) -> String {
    let mut stream = server.connect();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    std::io::Write::write_all(&mut stream, request.as_bytes()).expect("sent");
    let mut answer = String::new();
    std::io::Read::read_to_string(&mut stream, &mut answer).expect("answered");
    answer
}

fn allowing(origins: &[&str]) -> Running {
    let origins = origins.iter().map(|origin| origin.parse().expect("one"));
    Running::start(Config {
        allowed_origins: origins.collect(),
        ..Config::default()
    })
}

#[test]
fn page_of_the_same_host_or_the_browsers_machine_connects_by_default() {
    let server = Running::start(Config::default());
    for head in [
        // The page and the socket on one port, and on different ones.
        "Host: 192.0.2.1:8443\r\nOrigin: http://192.0.2.1:8443\r\n",
        "Host: 192.0.2.1:8443\r\nOrigin: http://192.0.2.1:8080\r\n",
        "Host: [2001:db8::1]:8443\r\nOrigin: https://[2001:db8::1]\r\n",
        "Host: localhost:8443\r\nOrigin: http://localhost:8080\r\n",
        "Host: 127.0.0.1:8443\r\nOrigin: http://127.0.0.1:8080\r\n",
        // A page that is developed here, for a server anywhere.
        "Host: 192.0.2.1:8443\r\nOrigin: https://localhost:9090\r\n",
        "Host: 127.0.0.1:8443\r\nOrigin: https://localhost:9090\r\n",
        // What is no browser, by whatever name.
        "Host: rebound.test\r\n",
    ] {
        for path in ["/", "/text"] {
            assert_eq!(knock(&server, path, head), "101", "{path} {head}");
        }
    }
    for head in [
        "Host: 192.0.2.1:8443\r\nOrigin: https://anywhere.test\r\n",
        "Host: 192.0.2.1:8443\r\nOrigin: http://192.0.2.2:8443\r\n",
        "Host: localhost:8443\r\nOrigin: null\r\n",
        "Host: localhost:8443\r\nOrigin: file://\r\n",
    ] {
        assert_eq!(knock(&server, "/", head), "403", "{head}");
    }
    server.wait_for_metric("wigwag_refused_total{reason=\"allowed_origins\"}", 4);
    let refused = server.get(
        "/",
        "Origin: https://a.test\r\nUpgrade: websocket\r\nConnection: upgrade\r\n",
    );
    assert!(refused.contains("--allowed-origin"), "{refused}");
}

/// A name that leads here for a moment: the page is of the same origin as the server for its browser.
#[test]
fn page_under_a_rebound_name_refused() {
    let server = Running::start_with(Config::default(), |server| {
        let picture = axum::routing::get(async || "picture");
        server.with_routes(axum::Router::new().route("/snapshot/a.jpg", picture))
    });
    for origin in ["http://rebound.test", "http://rebound.test:8443"] {
        let head = format!("Host: rebound.test:8443\r\nOrigin: {origin}\r\n");
        assert_eq!(knock(&server, "/", &head), "403", "{origin}");
    }
    for path in ["/", "/page.js", "/snapshot/a.jpg"] {
        let answer = ask(&server, path, "rebound.test:8443");
        assert!(answer.starts_with("HTTP/1.1 403"), "{path} {answer}");
        assert!(answer.contains("--allowed-host"), "{path} {answer}");
        for known in ["localhost:8443", "127.0.0.1:8443", "[2001:db8::1]"] {
            let answer = ask(&server, path, known);
            assert!(answer.starts_with("HTTP/1.1 200"), "{path} {answer}");
        }
        let two = ask(&server, path, "localhost\r\nHost: rebound.test");
        assert!(!two.starts_with("HTTP/1.1 200"), "{path} {two}");
    }
    server.wait_for_metric("wigwag_refused_total{reason=\"allowed_hosts\"}", 8);
    // Programs ask by any name.
    let health = ask(&server, "/healthz", "any.test");
    assert!(health.starts_with("HTTP/1.1 200"), "{health}");
    assert_eq!(knock(&server, "/", "Host: rebound.test\r\n"), "101");
}

#[test]
fn name_of_the_machine_and_listed_names_are_known() {
    let machine = rustix::system::uname();
    let machine = machine.nodename().to_str().expect("text").to_owned();
    let short = machine.split('.').next().unwrap_or_default().to_owned();
    let server = Running::start(Config {
        allowed_hosts: vec!["*.home.test".parse().expect("one")],
        allowed_origins: vec!["https://app.test".parse().expect("one")],
        ..Config::default()
    });
    let local = format!("{short}.local");
    for name in [&machine, &short, &local, "cam.home.test", "app.test"] {
        let answer = ask(&server, "/", &format!("{name}:8443"));
        assert!(answer.starts_with("HTTP/1.1 200"), "{name} {answer}");
        let head = format!("Host: {name}:8443\r\nOrigin: http://{name}:8080\r\n");
        assert_eq!(knock(&server, "/", &head), "101", "{name}");
    }
    let mut config = server.config.clone();
    config.allowed_hosts = vec!["*".parse().expect("any")];
    server.handle.reload(config).expect("in order");
    let answer = ask(&server, "/", "anything.test");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[test]
fn any_page_connects_by_any_name_on_request() {
    let server = allowing(&["*"]);
    let head = "Host: a.test\r\nOrigin: https://anywhere.test\r\n";
    assert_eq!(knock(&server, "/", head), "101");
    let answer = ask(&server, "/", "a.test");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
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
        ("Host: a\r\n", "101"),
    ] {
        for path in ["/", "/text"] {
            assert_eq!(knock(&server, path, head), status, "{path} {head}");
        }
    }
    server.wait_for_metric("wigwag_refused_total{reason=\"allowed_origins\"}", 6);
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
