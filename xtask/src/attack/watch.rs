//! Honest clients of short lives, beside the viewers: one asks for the server's health, another registers a camera and looks
//! whether it is listed. Both come again and again from the word `begin` on the standard input, until that ends.
//!
//! On the standard output stand first the ids of the cameras that were waited for, in the order of their names, and at the end what
//! was noticed, a line of JSON each.

use std::io::{BufRead, stdin};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::{Instant, interval, sleep, timeout};

use super::Watch;
use crate::bench::load::Peer;

/// For the server and the cameras to be there.
const START: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(50);
/// For one answer.
const PATIENCE: Duration = Duration::from_secs(10);
const HEALTH_PACE: Duration = Duration::from_millis(200);
const REGISTRATION_PACE: Duration = Duration::from_millis(500);

/// What honest clients noticed.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(super) struct Noticed {
    pub(super) health: Requests,
    pub(super) registrations: Requests,
    /// The cameras that are still listed under their ids.
    pub(super) cameras: usize,
}

/// Requests of a kind.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(super) struct Requests {
    /// How long each took that was answered, in milliseconds.
    pub(super) answered: Vec<f64>,
    /// Why the others were not.
    pub(super) failures: Vec<String>,
}

pub(crate) fn run(watch: &Watch) -> Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let server = watch.server;
        let cameras = timeout(START, cameras(server, watch.cameras));
        let cameras = cameras.await.context("the cameras are not listed")?;
        println!("{}", serde_json::to_string(&cameras)?);
        let (begin, end) = words();
        begin.await.context("it was not to begin")?;
        let (mut health, mut registrations) = (Requests::default(), Requests::default());
        tokio::select! {
            () = again(HEALTH_PACE, &mut health, || ask_for_health(server)) => {}
            () = again(REGISTRATION_PACE, &mut registrations, || register(server)) => {}
            _ = end => {}
        }
        let listed = list(server).await.unwrap_or_default();
        let noticed = Noticed {
            health,
            registrations,
            cameras: cameras.iter().filter(|id| listed.contains(id)).count(),
        };
        println!("{}", serde_json::to_string(&noticed)?);
        anyhow::Ok(())
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Ready when the first line comes, and when the input ends.
fn words() -> (oneshot::Receiver<()>, oneshot::Receiver<()>) {
    let (begun, begin) = oneshot::channel();
    let (ended, end) = oneshot::channel();
    std::thread::spawn(move || {
        let mut lines = stdin().lock().lines();
        if lines.next().is_some() {
            let _ = begun.send(());
            lines.for_each(drop);
        }
        let _ = ended.send(());
    });
    (begin, end)
}

async fn again<F>(pace: Duration, requests: &mut Requests, ask: impl Fn() -> F)
where
    F: Future<Output = Result<()>>,
{
    let mut ticks = interval(pace);
    loop {
        ticks.tick().await;
        let start = Instant::now();
        let answer = timeout(PATIENCE, ask()).await;
        match answer.unwrap_or_else(|_| bail!("not answered in {} s", PATIENCE.as_secs())) {
            Ok(()) => requests.answered.push(start.elapsed().as_secs_f64() * 1e3),
            Err(error) => requests.failures.push(format!("{error:#}")),
        }
    }
}

async fn ask_for_health(server: SocketAddr) -> Result<()> {
    let mut stream = TcpStream::connect(server).await?;
    let request = format!("GET /healthz HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let status = answer.lines().next().unwrap_or_default();
    ensure!(status.starts_with("HTTP/1.1 200"), "health: {status:?}");
    Ok(())
}

async fn register(server: SocketAddr) -> Result<()> {
    let mut peer = Peer::connect(server).await?;
    let meta = json!({"name": "another camera"});
    let status = json!({"type": "setPeerStatus", "roles": ["producer"], "meta": meta});
    peer.send(status.to_string()).await?;
    let listed = listed_by(&mut peer).await?;
    ensure!(listed.contains(&peer.id), "a new camera is not listed");
    Ok(())
}

async fn cameras(server: SocketAddr, wanted: usize) -> Vec<String> {
    loop {
        match list(server).await {
            Ok(cameras) if cameras.len() >= wanted => return cameras,
            _ => sleep(PAUSE).await,
        }
    }
}

async fn list(server: SocketAddr) -> Result<Vec<String>> {
    listed_by(&mut Peer::connect(server).await?).await
}

/// The ids of producers, in the order of their names.
async fn listed_by(peer: &mut Peer) -> Result<Vec<String>> {
    peer.send(r#"{"type":"list"}"#).await?;
    loop {
        let message: Value = serde_json::from_str(&peer.next_text().await?)?;
        match message["type"].as_str() {
            Some("list") => {
                let producers = message["producers"].as_array().context("a list")?;
                let name = |one: &&Value| one["meta"]["name"].as_str().map(ToOwned::to_owned);
                let mut producers: Vec<_> = producers.iter().collect();
                producers.sort_by_cached_key(name);
                let ids = producers.iter().filter_map(|one| one["id"].as_str());
                return Ok(ids.map(ToOwned::to_owned).collect());
            }
            Some("error") => bail!("refused: {message}"),
            _ => {}
        }
    }
}
