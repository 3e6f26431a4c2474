//! What happens when descriptors run out. Alone in its process, which is left without any.

use std::fs::File;
use std::io::{Read, Write};

use rlimit::Resource;
use running::Running;
use wigwag_server::Config;

#[path = "all/running/mod.rs"]
mod running;

#[test]
fn it_waits_for_descriptors_and_counts() {
    let (_, hard) = Resource::NOFILE.get().expect("a limit");
    Resource::NOFILE.set(200, hard).expect("less is allowed");
    let server = Running::start(Config::default());
    let mut before = server.peer();
    let mut taken = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        taken.push(file);
    }
    // One for the client, and none for the server.
    taken.pop();
    let mut waiting = server.connect();
    waiting
        .write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .expect("sent");
    let begin = std::time::Instant::now();
    while server
        .handle
        .metrics()
        .contains("wigwag_accept_errors_total{reason=\"descriptors\"} 0\n")
    {
        assert!(begin.elapsed() < running::DEADLINE, "it is counted");
    }
    // Who is connected notices nothing.
    before.sync();
    drop(taken);
    let mut answer = String::new();
    waiting.read_to_string(&mut answer).expect("answered");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    server.wait_for_metric("wigwag_accept_errors_total{reason=\"other\"}", 0);
}
