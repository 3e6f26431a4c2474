//! Starting with something that is wrong: the user is told what, and nothing runs in a lesser way.

mod stage;

use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::Duration;

use gst::prelude::*;
use gstreamer as gst;
use stage::{Sender, SignallingServer, VIDEO, certificate, free_port, wait};

fn with_own_server(port: u16, more: &str) -> Sender {
    let properties = format!(
        "run-signalling-server=true signalling-server-host=127.0.0.1 \
         signalling-server-port={port} {more}"
    );
    let url = format!("ws://127.0.0.1:{port}/");
    Sender::without_server(&properties, VIDEO, url)
}

fn client_id(sender: &Sender) -> Option<String> {
    let signaller = sender.sink.property::<gst::glib::Object>("signaller");
    signaller.property("client-id")
}

fn wait_registered(sender: &Sender) {
    wait("it is registered", || {
        assert!(sender.errors().is_empty(), "{:?}", sender.errors());
        client_id(sender).is_some()
    });
}

#[test]
fn no_server_to_connect_to_is_an_error_that_names_the_address() {
    let port = free_port();
    let url = format!("ws://127.0.0.1:{port}/");
    let properties = format!("signaller::uri={url}");
    let sender = Sender::without_server(&properties, VIDEO, url);
    sender.play();
    let error = sender.wait_error(&format!("127.0.0.1:{port}"));
    assert!(
        error.contains("check that a signalling server runs"),
        "{error}"
    );
    assert!(sender.stop() < Duration::from_secs(2));
}

#[test]
fn an_address_that_is_none_is_an_error_that_says_how_to_write_it() {
    for uri in ["nonsense", "http://127.0.0.1:1/", "ws://"] {
        let properties = format!("signaller::uri=\"{uri}\"");
        let sender = Sender::without_server(&properties, VIDEO, String::new());
        // It may be told at once or when the caps are known.
        let _ = sender.pipeline.set_state(gst::State::Playing);
        sender.wait_error("ws://127.0.0.1:8443");
    }
}

#[test]
fn a_busy_port_is_an_error_that_names_it() {
    let port = free_port();
    let busy = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).expect("it is free");
    let sender = with_own_server(port, "");
    sender.assert_refuses(&format!("127.0.0.1:{port}"));
    // Once it is free, the same element starts.
    drop(busy);
    sender.play();
    wait_registered_after_error(&sender);
}

fn wait_registered_after_error(sender: &Sender) {
    wait("it is registered", || client_id(sender).is_some());
    sender.viewer().wait_frames(5);
}

#[test]
fn a_bad_certificate_is_refused_and_nothing_is_served() {
    let folder = tempfile::tempdir().expect("a folder");
    let good = certificate(folder.path());
    let bad = folder.path().join("bad.pem");
    fs::write(&bad, "no certificate").expect("a file");
    let (bad, missing) = (bad.display(), folder.path().join("missing.pem"));
    let (cert, key) = (good.certificate.display(), good.key.display());
    let missing = missing.display();
    for (files, part) in [
        (
            format!("signalling-server-cert={bad} signalling-server-key={key}"),
            "bad.pem",
        ),
        (
            format!("signalling-server-cert={cert} signalling-server-key={bad}"),
            "bad.pem",
        ),
        (
            format!("signalling-server-cert={missing} signalling-server-key={key}"),
            "missing.pem",
        ),
        (
            format!("signalling-server-cert={cert}"),
            "signalling-server-key",
        ),
        (
            format!("signalling-server-key={key}"),
            "signalling-server-cert",
        ),
    ] {
        let port = free_port();
        let sender = with_own_server(port, &files);
        let changed = sender.pipeline.set_state(gst::State::Playing);
        assert!(changed.is_err(), "it started with {files}");
        sender.wait_error(part);
        let served = TcpStream::connect((Ipv4Addr::LOCALHOST, port));
        assert!(served.is_err(), "somebody listens in spite of {files}");
    }
}

#[test]
fn with_a_good_certificate_the_sink_trusts_its_own_server() {
    let folder = tempfile::tempdir().expect("a folder");
    let files = certificate(folder.path());
    let (cert, key) = (files.certificate.display(), files.key.display());
    let files = format!("signalling-server-cert={cert} signalling-server-key={key}");
    let sender = with_own_server(free_port(), &files);
    sender.play();
    wait_registered(&sender);
    let signaller = sender.sink.property::<gst::glib::Object>("signaller");
    let uri = signaller.property::<String>("uri");
    assert!(uri.starts_with("wss://127.0.0.1:"), "{uri}");
    sender.assert_quiet();
}

#[test]
fn a_server_that_nobody_vouches_for_is_refused_unless_told_otherwise() {
    let folder = tempfile::tempdir().expect("a folder");
    let files = certificate(folder.path());
    let authority = files.certificate.display().to_string();
    let server = SignallingServer::with_tls(Some(files));
    let sender = |more: &str| {
        let properties = format!("signaller::uri={} {more}", server.url);
        let sender = Sender::without_server(&properties, VIDEO, server.url.clone());
        sender.play();
        sender
    };
    let error = sender("").wait_error("certificate");
    assert!(error.contains("127.0.0.1"), "{error}");
    wait_registered(&sender(&format!("signaller::cafile={authority}")));
    wait_registered(&sender("signaller::insecure-tls=true"));
    sender("signaller::cafile=/nonexistent/ca.pem").wait_error("/nonexistent/ca.pem");
}

#[test]
fn a_bad_stun_server_is_an_error_that_quotes_it() {
    for server in [
        "turn://127.0.0.1",
        "nonsense",
        "stun://",
        "stun://host:99999",
        "stun://a b",
    ] {
        let sender = Sender::new("", VIDEO);
        sender.sink.set_property("stun-server", server);
        sender.assert_refuses(&format!("\"{server}\""));
    }
    for server in [Some("stun://127.0.0.1:3478"), Some(""), None] {
        let sender = Sender::new("", VIDEO);
        sender.sink.set_property("stun-server", server);
        sender.play();
        sender.viewer().wait_frames(5);
        sender.assert_quiet();
    }
}
