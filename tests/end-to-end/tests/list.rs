//! `wigwag list` asks the reference's server, which has a producer and a passive consumer.
//!
//! The program is the one of `WIGWAG_SERVE`.

use std::env;
use std::net::ToSocketAddrs;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use wigwag_conversations::{Barrier, Peers, WebSocketPeers};
use wigwag_end_to_end::SignallingServer;

fn list(arguments: &[&str]) -> Result<Value> {
    let serve =
        env::var("WIGWAG_SERVE").context("run `cargo xtask test`, which sets WIGWAG_SERVE")?;
    let program = serve.split(' ').next().context("a program")?;
    let output = Command::new(program).arg("list").args(arguments).output()?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(serde_json::from_slice(&output.stdout)?)
}

#[test]
fn the_references_server_answers() -> Result<()> {
    let program = env::var("WIGWAG_REFERENCE_SERVER")
        .context("run `cargo xtask test`, which sets WIGWAG_REFERENCE_SERVER")?;
    let server = SignallingServer::start_program(&program)?;
    let uri = server.uri();
    let authority = uri.trim_start_matches("ws://").trim_end_matches('/');
    let address = authority.to_socket_addrs()?.next().context("an address")?;
    let mut peers = WebSocketPeers::new(address, Barrier::List);
    for (peer, role) in [("camera", "producer"), ("screen", "consumer")] {
        peers.connect(peer);
        let meta = format!(r#"{{"name":"{peer}"}}"#);
        peers.send(
            peer,
            &format!(r#"{{"type":"setPeerStatus","roles":["{role}"],"meta":{meta}}}"#),
        );
    }
    peers.receive_all();
    let producers = list(&[&uri, "--json"])?;
    ensure!(
        producers["producers"][0]["meta"]["name"] == "camera",
        "{producers}"
    );
    ensure!(producers["producers"][1] == Value::Null, "{producers}");
    let consumers = list(&[&uri, "--json", "--consumers"])?;
    ensure!(
        consumers["consumers"][0]["meta"]["name"] == "screen",
        "{consumers}"
    );
    Ok(())
}
