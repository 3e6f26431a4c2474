//! The web server inside a sink: what people see of it, and what they are told when it cannot be.

mod stage;

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::Duration;

use gst::prelude::*;
use gstreamer as gst;
use stage::{Sender, VIDEO, certificate, free_port, wait};

/// On a port that the system chooses.
const ANY: &str = "run-web-server=true web-server-host-addr=http://127.0.0.1:0";

/// Long enough for anything to answer.
const DEADLINE: Duration = Duration::from_secs(20);

/// The address that the sink has posted.
fn address(sender: &Sender) -> String {
    let addresses = || {
        let infos = sender.infos().into_iter();
        let about = infos.filter_map(|info| info.strip_prefix("Watch at ").map(str::to_owned));
        about.collect::<Vec<_>>()
    };
    wait("it says where the page is", || !addresses().is_empty());
    let addresses = addresses();
    assert_eq!(addresses.len(), 1, "{addresses:?}");
    let address = &addresses[0];
    address.split(' ').next().expect("an address").to_owned()
}

/// `host:port` and path of an address.
fn parts(url: &str) -> (&str, &str) {
    let (_, rest) = url.split_once("://").expect("an address");
    rest.split_at(rest.find('/').expect("a path"))
}

/// Answer of a server at an address, head and all.
fn get(url: &str) -> String {
    let (host, path) = parts(url);
    let mut stream = TcpStream::connect(host).expect("the server accepts");
    stream
        .set_read_timeout(Some(DEADLINE))
        .expect("a socket option");
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    )
    .expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answered");
    answer
}

/// What the page at an address is told of the signalling server.
fn told(url: &str) -> String {
    let page = get(url);
    assert!(page.starts_with("HTTP/1.1 200"), "{page}");
    let place = r#"<meta name="wigwag-signalling" content=""#;
    let (_, rest) = page.split_once(place).expect("it is our page");
    rest.split_once('"').expect("an end").0.to_owned()
}

#[test]
fn the_page_is_served_and_told_of_the_own_server() {
    let port = free_port();
    let properties = format!("{ANY} run-signalling-server=true signalling-server-port={port}");
    let url = format!("ws://127.0.0.1:{port}/");
    let sender = Sender::without_server(&properties, VIDEO, url);
    sender.play();
    let page = address(&sender);
    // That server listens everywhere: it is where the page is.
    assert_eq!(told(&page), format!("ws://:{port}/"));
    assert!(get(&format!("{page}page.js")).contains("content-type: text/javascript"));
    sender.viewer().wait_frames(5);
    sender.assert_quiet();
    let took = sender.stop();
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert!(TcpStream::connect(parts(&page).0).is_err(), "it is gone");
}

#[test]
fn the_page_is_told_of_another_server() {
    let sender = Sender::playing_with(ANY, VIDEO);
    assert_eq!(told(&address(&sender)), sender.url);
    sender.assert_quiet();
}

#[test]
fn it_can_be_under_a_path_and_is_there_again_after_a_stop() {
    let port = free_port();
    let properties = format!(
        "run-web-server=true web-server-path=view web-server-host-addr=http://0.0.0.0:{port}"
    );
    let sender = Sender::new(&properties, VIDEO);
    let page = format!("http://127.0.0.1:{port}/view/");
    for run in 1..=3 {
        sender.play();
        wait("it says where the page is", || sender.infos().len() == run);
        let text = format!("Watch at {page} or, from elsewhere, at any address of this machine");
        assert_eq!(sender.infos()[run - 1], text);
        let own_port = sender.url.rsplit_once(':').expect("a port").1;
        assert_eq!(told(&page), format!("ws://:{own_port}"));
        let root = get(&format!("http://127.0.0.1:{port}/"));
        assert!(root.contains("location: ./view/\r\n"), "{root}");
        // A browser that keeps its connection must not keep the port.
        let _kept = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("it accepts");
        let took = sender.stop();
        assert!(took < Duration::from_secs(2), "{took:?}");
    }
    sender.assert_quiet();
}

#[test]
fn a_directory_takes_the_place_of_the_page() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("index.html"), "<title>Mine</title>").expect("written");
    let sender = Sender::new(ANY, VIDEO);
    let directory = folder.path().to_str().expect("text");
    sender.sink.set_property("web-server-directory", directory);
    sender.play();
    let page = address(&sender);
    let answer = get(&page);
    assert!(answer.contains("content-type: text/html\r\n"), "{answer}");
    assert!(answer.ends_with("<title>Mine</title>"), "{answer}");
    assert!(get(&format!("{page}page.js")).starts_with("HTTP/1.1 404"));
    let outside = get(&format!("{page}../../etc/passwd"));
    assert!(outside.starts_with("HTTP/1.1 404"), "{outside}");
    sender.assert_quiet();
    sender.stop();
    sender
        .sink
        .set_property("web-server-directory", "/nonexistent/site");
    sender.assert_refuses("/nonexistent/site");
}

#[test]
fn a_busy_port_is_an_error_that_names_it() {
    let busy = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let address = busy.local_addr().expect("an address");
    let properties = format!("run-web-server=true web-server-host-addr=http://{address}");
    let sender = Sender::new(&properties, VIDEO);
    sender.assert_refuses(&address.to_string());
    assert!(sender.infos().is_empty(), "nothing is to be watched");
    // Once it is free, the same element starts.
    drop(busy);
    sender.play();
    assert_eq!(told(&self::address(&sender)), sender.url);
}

#[test]
fn with_a_certificate_it_is_https_and_a_bad_one_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let files = certificate(folder.path());
    let bad = folder.path().join("bad.pem");
    fs::write(&bad, "no certificate").expect("a file");
    let (cert, key) = (files.certificate.display(), files.key.display());
    let port = free_port();
    let address = format!("web-server-host-addr=http://127.0.0.1:{port}");
    for (properties, part) in [
        (
            format!("web-server-cert={} web-server-key={key}", bad.display()),
            "bad.pem",
        ),
        (format!("web-server-cert={cert}"), "web-server-key"),
        (format!("web-server-key={key}"), "web-server-cert"),
        (
            format!("web-server-host-addr=https://127.0.0.1:{port}"),
            "https needs web-server-cert",
        ),
    ] {
        let sender = Sender::new(
            &format!("run-web-server=true {address} {properties}"),
            VIDEO,
        );
        sender.assert_refuses(part);
        let served = TcpStream::connect((Ipv4Addr::LOCALHOST, port));
        assert!(served.is_err(), "somebody listens in spite of {properties}");
    }
    let properties =
        format!("run-web-server=true {address} web-server-cert={cert} web-server-key={key}");
    let sender = Sender::playing_with(&properties, VIDEO);
    assert_eq!(self::address(&sender), format!("https://127.0.0.1:{port}/"));
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("it accepts");
    stream
        .set_read_timeout(Some(DEADLINE))
        .expect("a socket option");
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").expect("sent");
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP"), "never plain text");
    assert!(sender.errors().is_empty());
    // A page by https may not go to a signalling server without.
    let warnings = sender.warnings();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("signalling-server-cert"));
}
