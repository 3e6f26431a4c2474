//! The admin API at a Unix socket, and its token where others could read it.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;

use wigwag_server::{AdminConfig, AdminSocket, Config, Secret, Server, StartError};

use crate::running::{DEADLINE, Running};
use crate::tls_stage::{Authority, start_log, wait_for_log};

const TOKEN: &str = "correct-horse-battery";
const OTHER_TOKEN: &str = "another-horse-battery";

/// The answer to a request by the socket, which any name of a host is good for.
fn ask(path: &Path, request: &str) -> String {
    let mut stream = UnixStream::connect(path).expect("accepted");
    stream.set_read_timeout(Some(DEADLINE)).expect("an option");
    let head = format!("{request} HTTP/1.1\r\nhost: any\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).expect("taken");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answered");
    answer
}

fn admin(host: &str, token: Option<&str>) -> AdminConfig {
    AdminConfig {
        host: host.to_owned(),
        port: 0,
        token: token.map(|token| Secret::new(token).expect("a good one")),
        ..AdminConfig::default()
    }
}

#[test]
fn socket_serves_the_admin_api_to_its_owner_without_a_token() {
    start_log();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("admin.sock");
    let mut server = Running::start(Config {
        admin_socket: Some(AdminSocket::new(path.clone())),
        // The port has one.
        admin: Some(admin("127.0.0.1", Some(TOKEN))),
        ..Config::default()
    });
    let mode = fs::symlink_metadata(&path)
        .expect("there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let mut peer = server.peer();
    let answer = ask(&path, "GET /api/v1/peers");
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.contains(&peer.id),
        "{answer}"
    );
    let answer = ask(&path, &format!("DELETE /api/v1/peers/{}", peer.id));
    assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
    assert_eq!(peer.closed().0, 1008);
    let user = rustix::process::geteuid().as_raw();
    wait_for_log(&[
        &peer.id,
        &format!("by=user {user} by the socket"),
        "removed a peer",
    ]);
    server.join();
    assert!(!path.exists());
}

#[test]
fn operator_of_the_port_named_in_the_log() {
    start_log();
    let server = Running::start(Config {
        admin: Some(admin("127.0.0.1", None)),
        ..Config::default()
    });
    let mut peer = server.peer();
    let address = server.admin_address.expect("a port");
    let mut stream = std::net::TcpStream::connect(address).expect("accepted");
    let request = format!(
        "DELETE /api/v1/peers/{} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n",
        peer.id
    );
    stream.write_all(request.as_bytes()).expect("taken");
    assert_eq!(peer.closed().0, 1008);
    wait_for_log(&[&peer.id, "by=127.0.0.1", "removed a peer"]);
    wait_for_log(&["every user of this machine may use the admin API"]);
}

#[test]
fn token_beyond_loopback_needs_tls_or_consent() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let authority = Authority::new();
    authority.write(&authority.issue());
    let config = |admin| Config {
        host: "127.0.0.1".to_owned(),
        port: 0,
        admin: Some(admin),
        ..Config::default()
    };
    let both = |config: Config| {
        let checked = runtime.block_on(Server::check(&config));
        let bound = runtime.block_on(Server::bind(config));
        [checked, bound.map(drop)]
    };
    for said in both(config(admin("0.0.0.0", Some(TOKEN)))) {
        let error = said.expect_err("others could read it");
        assert!(
            matches!(error, StartError::AdminPlaintext { .. }),
            "{error}"
        );
        assert!(error.to_string().contains("admin.socket"), "{error}");
    }
    let consented = AdminConfig {
        allow_plaintext: true,
        ..admin("0.0.0.0", Some(TOKEN))
    };
    let secure = Config {
        tls: Some(authority.tls()),
        ..config(admin("0.0.0.0", Some(TOKEN)))
    };
    for config in [
        config(consented),
        secure,
        config(admin("127.0.0.1", Some(TOKEN))),
    ] {
        for said in both(config) {
            said.expect("it starts");
        }
    }
    // Consent is about the token; without one it stays refused.
    let open = AdminConfig {
        allow_plaintext: true,
        ..admin("0.0.0.0", None)
    };
    for said in both(config(open)) {
        let error = said.expect_err("all could use it");
        assert!(
            matches!(error, StartError::AdminWithoutToken { .. }),
            "{error}"
        );
    }
}

#[test]
fn token_replaced_while_serving() {
    let server = Running::start(Config {
        admin: Some(admin("127.0.0.1", Some(TOKEN))),
        ..Config::default()
    });
    let status = |token: &str| {
        let address = server.admin_address.expect("a port");
        let mut stream = std::net::TcpStream::connect(address).expect("accepted");
        let request = format!(
            "GET /api/v1/status HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).expect("taken");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("answered");
        answer[9..12].to_owned()
    };
    assert_eq!(status(TOKEN), "200");
    let mut config = server.config.clone();
    config.admin = Some(admin("127.0.0.1", Some(OTHER_TOKEN)));
    let reloaded = server.handle.reload(config.clone()).expect("in order");
    assert!(reloaded.needs_restart.is_empty(), "{reloaded:?}");
    assert_eq!(
        (status(TOKEN), status(OTHER_TOKEN)),
        ("401".to_owned(), "200".to_owned())
    );
    // That there is one is decided at the start.
    config.admin = Some(admin("127.0.0.1", None));
    let reloaded = server.handle.reload(config).expect("in order");
    assert_eq!(reloaded.needs_restart, ["admin"]);
    assert_eq!(status(OTHER_TOKEN), "200");
}
