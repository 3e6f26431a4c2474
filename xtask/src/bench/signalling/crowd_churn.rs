//! Producers that come and leave, and listeners that count the notices.

use std::borrow::Cow;

use anyhow::{Context, Result, ensure};
use futures_util::StreamExt;
use futures_util::future::{try_join, try_join_all};
use serde::Deserialize;
use serde_json::json;
use tokio::time::timeout;

use super::crowd::SILENCE;
use super::dialer::Dialer;
use crate::bench::load::Peer;

/// So many producers come and leave; how many notices the listeners got until each had one of every leave. The arrival
/// may be missing, where a server passes on the newest status only.
pub(super) async fn churn(
    dialer: &Dialer,
    listeners: &mut [Peer],
    producers: usize,
) -> Result<usize> {
    let come = (0..producers).map(|number| come_and_leave(dialer, number));
    let count = listeners
        .iter_mut()
        .map(|listener| count_notices(listener, producers));
    let (_, counts) = try_join(try_join_all(come), try_join_all(count)).await?;
    Ok(counts.into_iter().sum())
}

/// How many notices came after the last leave.
pub(super) async fn count_late_notices(listeners: &mut [Peer]) -> Result<usize> {
    let mut late = 0;
    for listener in listeners {
        listener.send(r#"{"type":"listConsumers"}"#).await?;
        loop {
            let text = listener.next_text().await?;
            match Message::parse(&text)? {
                Message::Other { kind } if kind == "listConsumers" => break,
                Message::Other { .. } => {}
                Message::Came | Message::Left => late += 1,
            }
        }
    }
    Ok(late)
}

async fn come_and_leave(dialer: &Dialer, number: usize) -> Result<()> {
    let mut producer = dialer.connect_one().await?;
    let meta = json!({"name": "bench camera", "number": number});
    let status = json!({"type": "setPeerStatus", "roles": ["producer"], "meta": meta});
    producer.send(status.to_string()).await?;
    producer.socket.close(None).await?;
    // A socket that is closed with something unread is reset, which may overtake the status.
    let end = async { while let Some(Ok(_)) = producer.socket.next().await {} };
    timeout(SILENCE, end)
        .await
        .context("the server does not close")
}

async fn count_notices(listener: &mut Peer, producers: usize) -> Result<usize> {
    let (mut came, mut left) = (0usize, 0usize);
    while left < producers {
        let text = listener.next_text().await.with_context(|| {
            format!("a listener got {came} arrivals and {left} leaves of {producers}")
        })?;
        match Message::parse(&text)? {
            Message::Came => came += 1,
            Message::Left => left += 1,
            Message::Other { .. } => {}
        }
    }
    ensure!(
        came <= producers,
        "a listener got {came} arrivals of {producers}"
    );
    Ok(came + left)
}

/// What a listener gets.
#[derive(Debug, Eq, PartialEq)]
enum Message<'a> {
    /// A peer has roles now.
    Came,
    /// A peer has none any more.
    Left,
    Other {
        kind: Cow<'a, str>,
    },
}

impl<'a> Message<'a> {
    fn parse(text: &'a str) -> Result<Self> {
        #[derive(Deserialize)]
        struct Fields<'a> {
            #[serde(borrow, rename = "type")]
            kind: Cow<'a, str>,
            #[serde(borrow, default)]
            roles: Vec<Cow<'a, str>>,
        }
        let Fields { kind, roles } = serde_json::from_str(text)?;
        Ok(match (&*kind, roles.is_empty()) {
            ("peerStatusChanged", false) => Self::Came,
            ("peerStatusChanged", true) => Self::Left,
            _ => Self::Other { kind },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notice_with_roles_is_an_arrival() {
        let parse = |text| Message::parse(text).expect("valid");
        let came = r#"{"type":"peerStatusChanged","peerId":"a","roles":["producer"],"meta":null}"#;
        assert_eq!(parse(came), Message::Came);
        let left = r#"{"type":"peerStatusChanged","peerId":"a","roles":[],"meta":{"roles":["x"]}}"#;
        assert_eq!(parse(left), Message::Left);
        let kind = "listConsumers".into();
        let list = r#"{"type":"listConsumers","consumers":[]}"#;
        assert_eq!(parse(list), Message::Other { kind });
        assert!(Message::parse("{}").is_err());
    }
}
