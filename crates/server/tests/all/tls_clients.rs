//! Who is served over TLS: clients with certificates of their own, and versions.

use std::io::{Read, Write};
use std::time::Duration;

use wigwag_server::{
    AcmeConfig, ClientCertificates, Config, Limits, Server, StartError, TlsConfig, TlsError,
    TlsVersion,
};

use crate::running::Running;
use crate::tls_stage::{Authority, BOTH_VERSIONS, put, serve, wait_for, wait_for_log};

/// A server that asks for certificates of `clients`.
fn asking(authority: &Authority, clients: &Authority, required: bool) -> Running {
    authority.write(&authority.issue());
    serve(TlsConfig {
        client_certificates: Some(ClientCertificates {
            authority: clients.file(),
            required,
        }),
        ..authority.tls()
    })
}

fn failed(server: &Running) -> u64 {
    server.handle.tls().expect("it has TLS").handshakes_failed()
}

#[test]
fn only_clients_with_the_right_certificate_are_served_where_one_is_required() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let server = asking(&authority, &clients, true);
    let mut count = 0;
    for version in BOTH_VERSIONS {
        let mut client = authority.client();
        client.versions = std::slice::from_ref(version);
        client.try_connect(&server).err().expect("it has none");
        wait_for_log(&["INFO", "127.0.0.1", "the client has no certificate"]);
        client.identity = Some(Authority::new().issue());
        client.try_connect(&server).err().expect("of a stranger");
        let line = wait_for_log(&["INFO", "none of the authorities that are trusted"]);
        assert!(!line.contains("BEGIN"), "{line}");
        client.identity = Some(clients.issue_with(|params| {
            params.not_before = rcgen::date_time_ymd(2000, 1, 1);
            params.not_after = rcgen::date_time_ymd(2001, 1, 1);
        }));
        client.try_connect(&server).err().expect("expired");
        wait_for_log(&[
            "INFO",
            "the client's certificate is refused: it has expired",
        ]);
        count += 3;
        wait_for(|| (failed(&server) == count).then_some(())).expect("they are counted");
        client.identity = Some(clients.issue());
        client.connect(&server).converse();
    }
    assert_eq!(failed(&server), count);
}

#[test]
fn a_certificate_may_be_left_out_where_it_is_optional_but_not_be_wrong() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let server = asking(&authority, &clients, false);
    let mut client = authority.client();
    client.connect(&server).converse();
    client.identity = Some(clients.issue());
    client.connect(&server).converse();
    client.identity = Some(Authority::new().issue());
    client.try_connect(&server).err().expect("of a stranger");
}

#[test]
fn the_authority_of_clients_can_be_replaced() {
    let (authority, before, after) = (Authority::new(), Authority::new(), Authority::new());
    let server = asking(&authority, &before, true);
    let (mut old, mut new) = (authority.client(), authority.client());
    old.identity = Some(before.issue());
    new.identity = Some(after.issue());
    let mut staying = old.connect(&server);
    new.try_connect(&server).err().expect("not yet");
    put(&before.file(), &after.pem());
    wait_for(|| new.try_connect(&server).ok()).expect("it is read again");
    old.try_connect(&server).err().expect("no longer");
    staying.converse();
}

#[test]
fn authorities_that_cannot_be_used_are_a_refusal() {
    let authority = Authority::new();
    authority.write(&authority.issue());
    put(&authority.path("empty.pem"), "");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    for (name, is_expected) in [
        (
            "missing.pem",
            (|error| matches!(error, TlsError::Read { .. })) as fn(&TlsError) -> bool,
        ),
        ("empty.pem", |error| {
            matches!(error, TlsError::NoCertificate { .. })
        }),
        ("key.pem", |error| {
            matches!(error, TlsError::NoCertificate { .. })
        }),
    ] {
        let tls = TlsConfig {
            client_certificates: Some(ClientCertificates {
                authority: authority.path(name),
                required: false,
            }),
            ..authority.tls()
        };
        let error = tls.check().expect_err(name);
        assert!(is_expected(&error), "{error}");
        let config = Config {
            host: "127.0.0.1".to_owned(),
            port: 0,
            tls: Some(tls),
            ..Config::default()
        };
        match runtime.block_on(Server::bind(config)) {
            Err(StartError::Tls(error)) => assert!(is_expected(&error), "{error}"),
            Err(other) => panic!("refused for another reason: {other}"),
            Ok(_) => panic!("the server started"),
        }
    }
    authority.tls().check().expect("good without");
}

#[test]
fn both_versions_are_spoken_unless_the_older_is_not_wanted() {
    let authority = Authority::new();
    authority.write(&authority.issue());
    let both = serve(authority.tls());
    let new_only = serve(TlsConfig {
        minimum_version: TlsVersion::Tls13,
        ..authority.tls()
    });
    let mut client = authority.client();
    client.versions = &BOTH_VERSIONS[..1];
    client.connect(&both).converse();
    client.connect(&new_only).converse();
    client.versions = &BOTH_VERSIONS[1..];
    client.connect(&both).converse();
    client.try_connect(&new_only).err().expect("too old");
    wait_for_log(&["INFO", "older versions of TLS only"]);
    assert_eq!(failed(&new_only), 1);
}

/// A greeting in TLS 1.1 (RFC 4346, 7.4.1.2), with the cipher suites of its time.
fn greeting_of_2006() -> Vec<u8> {
    let mut body = vec![3, 2];
    body.extend([7; 32]);
    // No session; two cipher suites; no compression.
    body.extend([0, 0, 4, 0, 0x2f, 0, 0x35, 1, 0]);
    let length = u8::try_from(body.len()).expect("short");
    let mut record = vec![22, 3, 1, 0, length + 4, 1, 0, 0, length];
    record.extend(body);
    record
}

#[test]
fn older_versions_are_not_spoken() {
    let authority = Authority::new();
    let server = authority.serve(&authority.issue());
    let mut stream = server.connect();
    stream.write_all(&greeting_of_2006()).expect("sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("answered");
    // A fatal alert (RFC 8446, 6), and nothing else.
    assert_eq!(answer.len(), 7, "{answer:?}");
    assert_eq!((answer[0], &answer[3..6]), (21, &[0, 2, 2][..]));
    wait_for_log(&["INFO", "older versions of TLS only"]);
    wait_for(|| (failed(&server) == 1).then_some(())).expect("it is counted");
}

#[test]
fn a_handshake_that_takes_too_long_is_counted_and_one_that_never_began_is_not() {
    let authority = Authority::new();
    authority.write(&authority.issue());
    let server = Running::start(Config {
        tls: Some(authority.tls()),
        limits: Limits {
            handshake_timeout: Duration::from_secs(2),
            ..Limits::default()
        },
        ..Config::default()
    });
    drop(server.connect());
    let mut slow = server.connect();
    slow.write_all(&greeting_of_2006()[..20]).expect("sent");
    let mut answer = Vec::new();
    let _ = slow.read_to_end(&mut answer);
    assert!(answer.is_empty(), "{answer:?}");
    wait_for(|| (failed(&server) == 1).then_some(())).expect("it is counted");
    authority.client().connect(&server).converse();
    assert_eq!(failed(&server), 1);
}

#[test]
fn without_a_certificate_yet_handshakes_fail_and_nothing_is_plain() {
    let authority = Authority::new();
    // A port that nobody listens on.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let directory = closed.local_addr().expect("an address");
    drop(closed);
    let server = serve(
        AcmeConfig {
            directory_url: format!("https://{directory}/dir"),
            authority: Some(authority.file()),
            ..AcmeConfig::new(vec!["localhost".to_owned()], authority.path("acme"))
        }
        .into(),
    );
    wait_for_log(&[
        "WARN",
        &directory.to_string(),
        "there is no TLS certificate yet",
    ]);
    wait_for_log(&["WARN", "cannot get a TLS certificate", "next_attempt"]);
    let error = authority.client().try_connect(&server).err();
    error.expect("there is no certificate");
    wait_for_log(&["INFO", "the server has no certificate yet"]);
    let tls = server.handle.tls().expect("it has TLS");
    assert_eq!(tls.certificate_expires(), None);
    let mut plain = server.connect();
    plain
        .write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        .expect("sent");
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP"));
}
