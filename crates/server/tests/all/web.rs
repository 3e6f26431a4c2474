//! The web server: the page, a directory, and what comes of neither.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::path::Path;

use wigwag_server::{StartError, WebConfig, WebContent};

use crate::web_stage::{Running, refusal, site};

#[test]
fn the_page_is_served_and_told_where_to_signal() {
    let server = Running::start(WebConfig {
        content: WebContent::Page {
            signalling: Some("ws://:8443".to_owned()),
        },
        ..WebConfig::default()
    });
    assert_eq!(server.url, format!("http://{}/", server.address));
    let page = server.get("/");
    assert_eq!(page.status, 200);
    assert_eq!(
        page.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    let policy = page.header("content-security-policy").expect("a policy");
    assert!(
        policy.ends_with("connect-src 'self' ws://localhost:* wss://localhost:*"),
        "{policy}"
    );
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    let meta = r#"<meta name="wigwag-signalling" content="ws://:8443" />"#;
    assert!(page.text().contains(meta), "{}", page.text());
    assert_eq!(page.header("etag"), None, "it is another with each address");
    for file in &wigwag_server::page::files()[1..] {
        let answer = server.get(&format!("/{}", file.path()));
        assert_eq!(answer.header("content-type"), Some(file.content_type()));
        assert_eq!(answer.header("etag"), Some(file.etag()));
        assert_eq!(answer.body, file.content());
    }
    assert_eq!(server.get("/nowhere").status, 404);
    assert_eq!(server.get("/%ff").status, 404);
    let head = server.ask("HEAD", "/", "");
    assert_eq!((head.status, head.body.len()), (200, 0));
    let length = page.body.len().to_string();
    assert_eq!(head.header("content-length"), Some(length.as_str()));
    let post = server.ask("POST", "/", "Content-Length: 0\r\n");
    assert_eq!(post.status, 405);
    assert_eq!(post.header("allow"), Some("GET, HEAD"));
}

#[test]
fn a_page_that_is_told_nothing_can_be_kept_by_browsers() {
    let server = Running::start(WebConfig::default());
    let tag = wigwag_server::page::files()[0].etag();
    let page = server.get("/");
    assert_eq!(page.header("etag"), Some(tag));
    let again = server.ask("GET", "/", &format!("If-None-Match: {tag}\r\n"));
    assert_eq!((again.status, again.body.len()), (304, 0));
}

#[test]
fn the_content_can_be_under_a_path() {
    let folder = site();
    for content in [
        WebContent::Page { signalling: None },
        WebContent::Directory(folder.path().join("site")),
    ] {
        let server = Running::start(WebConfig {
            path: "live view/".to_owned(),
            content,
            ..WebConfig::default()
        });
        assert!(server.url.ends_with("/live%20view/"), "{}", server.url);
        assert_eq!(server.get("/live%20view/").status, 200);
        assert_eq!(server.get("/live%20view/index.html").status, 200);
        // Both lead to where the page finds its files.
        for (path, location) in [
            ("/", "./live%20view/"),
            ("/?a=b", "./live%20view/?a=b"),
            ("/live%20view?a", "./live%20view/?a"),
        ] {
            let answer = server.get(path);
            assert_eq!(answer.status, 307, "{path}");
            assert_eq!(answer.header("location"), Some(location), "{path}");
        }
        for path in ["/index.html", "/page.js", "/live%20views/", "/live"] {
            assert_eq!(server.get(path).status, 404, "{path}");
        }
    }
    let error = refusal(WebConfig {
        path: "a/../b".to_owned(),
        ..WebConfig::default()
    });
    assert!(matches!(error, StartError::Path { .. }), "{error}");
}

#[test]
fn files_of_a_directory_have_the_types_that_their_names_say() {
    let folder = site();
    let server = Running::directory(&folder.path().join("site"));
    for (path, kind) in [
        ("/", "text/html"),
        ("/index.html", "text/html"),
        ("/deep/", "text/html"),
        ("/deep/app.js", "text/javascript"),
        ("/a%20name.css?version=1", "text/css"),
        ("/picture.svg", "image/svg+xml"),
        ("/module.wasm", "application/wasm"),
        ("/sound.ogg", "audio/ogg"),
        ("/unknown.abcxyz", "application/octet-stream"),
    ] {
        let answer = server.get(path);
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.header("content-type"), Some(kind), "{path}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        let head = server.ask("HEAD", path, "");
        assert_eq!((head.status, head.body.len()), (200, 0), "{path}");
        assert_eq!(head.header("content-type"), Some(kind), "{path}");
        let length = answer.body.len().to_string();
        assert_eq!(head.header("content-length"), Some(length.as_str()));
    }
    assert_eq!(server.get("/").text(), "<title>Mine</title>");
    assert_eq!(server.get("/deep/").text(), "<title>Deep</title>");
    let part = server.ask("GET", "/sound.ogg", "Range: bytes=2-4\r\n");
    assert_eq!((part.status, part.text()), (206, "234"));
    let since = server.get("/").header("last-modified").map(str::to_owned);
    let since = format!("If-Modified-Since: {}\r\n", since.expect("a time"));
    assert_eq!(server.ask("GET", "/", &since).status, 304);
    let deep = server.get("/deep?a");
    assert_eq!(deep.status, 307);
    assert_eq!(deep.header("location"), Some("./deep/?a"));
    for path in ["/nowhere", "/deep/er/", "/index.html/", "/index.html/x"] {
        assert_eq!(server.get(path).status, 404, "{path}");
    }
    assert_eq!(server.ask("DELETE", "/index.html", "").status, 405);
    // What comes later is found, too.
    fs::write(folder.path().join("site/new.txt"), "new").expect("written");
    assert_eq!(server.get("/new.txt").text(), "new");
}

#[test]
fn nothing_outside_of_the_directory_is_served() {
    let folder = site();
    let site = folder.path().join("site");
    let link = |to: &Path, name: &str| {
        std::os::unix::fs::symlink(to, site.join(name)).expect("a link");
    };
    link(Path::new("../secret.txt"), "link.txt");
    link(folder.path(), "up");
    link(Path::new("/etc/passwd"), "passwd");
    link(Path::new("deep/app.js"), "inner.js");
    link(Path::new("loop"), "loop");
    let server = Running::directory(&site);
    for path in [
        "/../secret.txt",
        "/deep/../../secret.txt",
        "/%2e%2e/secret.txt",
        "/%2E%2e%2fsecret.txt",
        "/..%2fsecret.txt",
        "/..%5csecret.txt",
        "/%252e%252e/secret.txt",
        "/deep/%2e%2e/%2e%2e/secret.txt",
        "//etc/passwd",
        "/%2fetc/passwd",
        "/index.html%00.txt",
        "/.env",
        "/deep/%2e%2e/.env",
        "/link.txt",
        "/up/secret.txt",
        "/up/",
        "/passwd",
        "/loop",
    ] {
        let answer = server.get(path);
        assert_eq!(answer.status, 404, "{path}");
        assert!(!answer.text().contains("secret"), "{path}");
        assert!(!answer.text().contains("root:"), "{path}");
    }
    let inner = server.get("/inner.js");
    assert_eq!((inner.status, inner.text()), (200, "let x;"));
}

#[test]
fn what_is_neither_file_nor_folder_keeps_nobody_waiting() {
    let folder = site();
    let site = folder.path().join("site");
    let _socket = std::os::unix::net::UnixListener::bind(site.join("socket")).expect("a socket");
    let server = Running::directory(&site);
    assert_eq!(server.get("/socket").status, 404);
}

#[test]
fn a_directory_that_is_none_is_a_refusal() {
    let folder = site();
    for (name, kind) in [
        ("missing", ErrorKind::NotFound),
        ("secret.txt", ErrorKind::NotADirectory),
    ] {
        let missing = folder.path().join(name);
        let error = refusal(WebConfig {
            port: 0,
            content: WebContent::Directory(missing.clone()),
            ..WebConfig::default()
        });
        let said = error.to_string();
        assert!(said.contains(&missing.display().to_string()), "{said}");
        let StartError::Directory { source, .. } = error else {
            panic!("refused for another reason: {said}");
        };
        assert_eq!(source.kind(), kind);
    }
}

#[test]
fn a_busy_port_is_a_refusal_that_names_it() {
    let server = Running::start(WebConfig::default());
    let error = refusal(WebConfig {
        port: server.address.port(),
        ..WebConfig::default()
    });
    let address = server.address.to_string();
    assert!(error.to_string().contains(&address), "{error}");
    assert!(matches!(error, StartError::Listen { .. }));
}

#[test]
fn the_address_can_be_opened_on_this_machine() {
    for (host, shown) in [
        ("0.0.0.0", "127.0.0.1"),
        ("127.0.0.2", "127.0.0.2"),
        ("localhost", "localhost"),
    ] {
        let server = Running::start(WebConfig {
            host: host.to_owned(),
            ..WebConfig::default()
        });
        let port = server.address.port();
        assert_eq!(server.url, format!("http://{shown}:{port}/"));
    }
}

#[test]
fn page_under_an_unknown_name_refused() {
    let server = Running::start(WebConfig {
        host: "localhost".to_owned(),
        allowed_hosts: vec!["cam.test".parse().expect("a name")],
        ..WebConfig::default()
    });
    let ask = |host: &str| {
        let mut stream = server.connect();
        let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("answered");
        answer
    };
    for host in ["localhost:8080", "127.0.0.1:8080", "cam.test:8080"] {
        let answer = ask(host);
        assert!(answer.starts_with("HTTP/1.1 200"), "{host} {answer}");
    }
    let answer = ask("rebound.test:8080");
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    assert!(answer.contains("WIGWAG_ALLOWED_HOSTS"), "{answer}");
}
