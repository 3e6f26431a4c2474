//! What runs at an end of a cable that a test pulls: `cable-end stay|watch ADDRESS`, a client of the signalling server
//! there. Each line that it prints is an event.

use std::env;
use std::net::SocketAddr;

use anyhow::{Context, Result, bail};
use serde_json::json;
use wigwag_end_to_end::Client;

fn main() -> Result<()> {
    let mut arguments = env::args().skip(1);
    let role = arguments.next().context("no role")?;
    let address = arguments.next().context("no address")?.parse()?;
    match role.as_str() {
        "stay" => stay(address),
        "watch" => watch(address),
        _ => bail!("there is no role {role}"),
    }
}

/// Is a producer, says its id, and listens until the connection breaks.
fn stay(address: SocketAddr) -> Result<()> {
    let mut client = Client::connect_once_listening(address)?;
    client.send(r#"{"type":"setPeerStatus","roles":["producer"]}"#)?;
    println!("{}", client.id);
    loop {
        client.socket.read()?;
    }
}

/// Says `listening` once it hears of others, then `there ID` and `gone ID`, and ends when one has gone.
fn watch(address: SocketAddr) -> Result<()> {
    let mut client = Client::connect_once_listening(address)?;
    client.send(r#"{"type":"setPeerStatus","roles":["listener"]}"#)?;
    client.sync()?;
    println!("listening");
    loop {
        let message = client.receive()?;
        let id = message["peerId"].as_str().unwrap_or_default();
        if message["type"] == "peerStatusChanged" && id != client.id {
            let gone = message["roles"] == json!([]);
            println!("{} {id}", if gone { "gone" } else { "there" });
            if gone {
                return Ok(());
            }
        }
    }
}
