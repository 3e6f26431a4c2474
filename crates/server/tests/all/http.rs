//! What the one port answers besides the protocol.

use std::io::{Read, Write};

use wigwag_server::{Config, page};

use crate::running::Running;

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
fn the_page_is_served_with_a_strict_policy() {
    let server = Running::start(Config::default());
    let page = get(&server, "/", "");
    assert!(page.starts_with("HTTP/1.1 200"), "{page}");
    assert!(page.contains("content-type: text/html; charset=utf-8\r\n"));
    assert!(page.contains(
        "content-security-policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
         media-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'; \
         connect-src 'self' ws://localhost:* wss://localhost:*\r\n"
    ));
    assert!(page.contains("x-content-type-options: nosniff\r\n"));
    assert!(page.contains("referrer-policy: no-referrer\r\n"));
    assert!(page.contains(
        "permissions-policy: camera=(self), display-capture=(self), geolocation=(), microphone=(self), usb=()\r\n"
    ));
    assert!(page.contains("<title>Wigwag</title>"));
}

#[test]
fn page_gets_the_hosts_that_links_may_name() {
    let server = Running::start(Config {
        signalling_hosts: vec!["*.home.example".parse().expect("a host")],
        ..Config::default()
    });
    let page = get(&server, "/?signalling=wss%3A%2F%2Felse.example", "");
    assert!(page.contains(r#"<meta name="wigwag-signalling-hosts" content="*.home.example" />"#));
    for source in ["wss://*.home.example:*", "wss://else.example:*"] {
        assert!(page.contains(&format!(" {source}")), "{source} {page}");
    }
    assert!(!page.contains("etag: "), "it is not as its file is");
    let script = get(&server, "/page.js", "");
    assert!(script.contains("etag: "));
}

#[test]
fn all_files_of_the_page_are_served() {
    let server = Running::start(Config::default());
    for file in page::files() {
        let answer = get(&server, &format!("/{}", file.path()), "");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        let kind = format!("content-type: {}\r\n", file.content_type());
        assert!(answer.contains(&kind), "{answer}");
        let content = std::str::from_utf8(file.content()).expect("text");
        assert!(answer.ends_with(content), "{}", file.path());
    }
}

#[test]
fn a_browser_that_has_the_page_is_not_sent_it_again() {
    let server = Running::start(Config::default());
    let tag = page::files()[0].etag();
    assert!(get(&server, "/", "").contains(&format!("etag: {tag}\r\n")));
    for tags in [tag, "*", &format!("\"other\", W/{tag}")] {
        let answer = get(&server, "/", &format!("If-None-Match: {tags}\r\n"));
        assert!(answer.starts_with("HTTP/1.1 304"), "{answer}");
        assert!(answer.ends_with("\r\n\r\n"), "{answer}");
        assert!(answer.contains(&format!("etag: {tag}\r\n")), "{answer}");
    }
    let answer = get(&server, "/", "If-None-Match: \"other\"\r\n");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[test]
fn the_health_check_answers() {
    let server = Running::start(Config::default());
    for (path, said) in [("/healthz", "\r\n\r\nok\n"), ("/health", "\r\n\r\nOK\n")] {
        let answer = get(&server, path, "");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(answer.ends_with(said), "{answer}");
    }
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
