//! One session: our sender and a receiver.

use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tokio::process::Command;

use super::Programs;
use super::program::{Input, Program};
use crate::bench::load::Peer;
use crate::bench::server_process::ServerProcess;

/// What a packet costs a subscription of ours, in microseconds.
pub(super) async fn with_ours(streams: &Path, number: u32) -> Result<f64> {
    let (mut sender, mut to_sender) = start_sender(streams, number)?;
    let (mut receiver, mut to_receiver) = Program::start(Command::new(streams).arg("receive"))?;
    let offer = sender.description().await?;
    to_receiver.write_description(&offer).await?;
    let answer = receiver.description().await?;
    to_sender.write_description(&answer).await?;
    receiver.cost().await
}

/// What a packet costs the published `webrtcsrc`, in microseconds.
pub(super) async fn with_published(programs: &Programs, number: u32) -> Result<f64> {
    let server = ServerProcess::start(&programs.server, &[])?;
    let mut signalling = Peer::connect(server.address).await?;
    signalling.set_roles(r#""producer""#).await?;
    let mut receiver = Command::new(&programs.published);
    receiver
        .arg("receive")
        .arg(format!("--uri=ws://{}", server.address))
        .arg(format!("--producer={}", signalling.id));
    let (mut receiver, _to_receiver) = Program::start(&mut receiver)?;
    let start = signalling.receive("startSession").await?;
    let session = start["sessionId"].as_str().context("no session")?;
    let (mut sender, mut to_sender) = start_sender(&programs.streams, number)?;
    let offer = sender.description().await?;
    let message = json!({
        "type": "peer",
        "sessionId": session,
        "sdp": {"type": "offer", "sdp": offer},
    });
    signalling.send(message.to_string()).await?;
    tokio::select! {
        cost = receiver.cost() => cost,
        failed = pass_on(&mut signalling, &mut to_sender) => failed,
    }
}

fn start_sender(streams: &Path, number: u32) -> Result<(Program, Input)> {
    Program::start(Command::new(streams).arg("send").arg(number.to_string()))
}

/// Hands the sender what comes from the receiver, until the session ends.
async fn pass_on(signalling: &mut Peer, sender: &mut Input) -> Result<f64> {
    loop {
        let message: Value = serde_json::from_str(&signalling.next_text().await?)?;
        if message["type"] == "endSession" {
            bail!("the receiver ended the session");
        }
        if let Some(answer) = message["sdp"]["sdp"].as_str() {
            sender.write_description(answer).await?;
        }
        if let Some(candidate) = message["ice"]["candidate"].as_str() {
            sender.write_line(candidate).await?;
        }
    }
}
