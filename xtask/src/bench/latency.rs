//! `cargo xtask bench latency`.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::{ExitCode, Stdio};

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use crate::commands::{cargo, command, must_run, say, shown};
use crate::install::Speed;
use crate::record::Record;
use crate::{install, peers, places};

/// The p50 of ours by that of the published sink.
const TARGET: f64 = 0.25;
/// The same for a camera that reports latency.
const CAMERA_TARGET: f64 = 0.15;
/// What the camera reports, in ms.
const CAMERA_LATENCY: u32 = 100;

/// Shown intervals of the default deviate by at most so much behind the narrow link, in ms.
const DEVIATION_TARGET: f64 = 12.0;
/// Sound and picture are at most so far apart, in ms.
const SKEW_TARGET: f64 = 80.0;
/// The longest time without a new picture behind the narrow link, in ms.
const FREEZE_TARGET: f64 = 200.0;

/// The sink: from the source to the screen of a browser, and how evenly pictures are shown
///
/// By a clock in the picture that the browser reads back, the published sink and ours in turns. With --link, ours
/// behind a narrow link with jitter, "low" and "smooth" in turns.
#[derive(Args, Clone)]
pub(crate) struct Latency {
    /// How often each is watched; without the playout delay Chromium is in one of two modes, of which a few rounds may
    /// see one only
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// For how long, each time
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
    /// Watched in this browser only
    #[arg(long)]
    browser: Option<Browser>,
    /// Behind a link of 3 Mbit/s with 30 ms of jitter (or as the other flags say)
    #[arg(long)]
    link: bool,
    /// What the link carries, in bit/s
    #[arg(long, requires = "link", default_value_t = 3_000_000)]
    rate: u32,
    /// Up to how much later packets come on the link, in ms
    #[arg(long, requires = "link", default_value_t = 30)]
    jitter: u32,
    /// For how long packets are late by the same, in ms, as on a radio link; 0: each by another time
    #[arg(long, requires = "link", default_value_t = 0)]
    burst: u32,
    /// The share of packets that the link loses
    #[arg(long, requires = "link", default_value_t = 0.0)]
    loss: f64,
}

#[derive(Clone, Copy, ValueEnum)]
enum Browser {
    Chromium,
    Firefox,
}

/// What one browser saw of one sink in one round; all in ms.
struct Seen {
    browser: String,
    source: String,
    sink: String,
    /// From the source to the screen, of each picture.
    delays: Vec<f64>,
    /// Between pictures.
    intervals: Vec<f64>,
    /// How much later each click sounded than its flash was shown.
    skews: Vec<f64>,
}

/// The same of all rounds.
struct Summary {
    p50: f64,
    p95: f64,
    deviation: f64,
    longest: f64,
    /// The middle and the largest, if there was sound.
    skew: Option<(f64, f64)>,
}

pub(crate) fn run(latency: &Latency) -> Result<ExitCode> {
    let mut record = Record::live();
    install::debian_packages(&mut record)?;
    let (serve, ours) = build()?;
    let published = peers::gst_plugin_webrtc(&mut record, Speed::Released)?;
    let folder = places::root().join("tests/browser");
    let node = install::node(&mut record)?;
    install::npm_packages(&mut record, &folder, &node)?;

    say("Watching a clock in the picture");
    let mut node = command(&node.join("node").to_string_lossy(), &["bench-latency.mjs"]);
    node.current_dir(&folder)
        .env("WIGWAG_SERVE", serve)
        .env("WIGWAG_CLOCK_PICTURE", ours)
        .env("WIGWAG_PEER_GST_WEBRTC", published)
        .env("WIGWAG_LATENCY_PLAN", plan(latency).to_string())
        .stdin(Stdio::null())
        .stderr(Stdio::inherit());
    let output = node.output().context("cannot run node")?;
    if !output.status.success() {
        bail!("`{}` failed ({})", shown(&node), output.status);
    }
    let seen: Value = serde_json::from_slice(&output.stdout).context("no results")?;
    let seen = seen.as_array().context("no results")?;
    let seen: Vec<_> = seen.iter().map(Seen::read).collect::<Result<_>>()?;
    print(&seen, latency.link)?;
    Ok(ExitCode::SUCCESS)
}

/// The command line of our server, and the program with our sink behind a picture with a clock.
fn build() -> Result<(String, PathBuf)> {
    say("Building our sink with a clock in the picture");
    let arguments = ["build", "--locked", "--profile", "load"];
    // The server passes on a few messages before anything is measured: one build does for both.
    let server = ["--package", "wigwag", "--bin", "wigwag"];
    let sink = [
        "--package",
        "gst-plugin-wigwag",
        "--example",
        "clock_picture",
    ];
    must_run(cargo(&arguments).args(server).args(sink))?;
    let built = places::target().join("load");
    let serve = format!("{} serve", built.join("wigwag").display());
    Ok((serve, built.join("examples/clock_picture")))
}

/// As `bench-latency.mjs` wants it.
fn plan(latency: &Latency) -> Value {
    let browsers = match latency.browser {
        Some(Browser::Chromium) => json!(["chromium"]),
        Some(Browser::Firefox) => json!(["firefox"]),
        None => json!(["chromium", "firefox"]),
    };
    let source = |name: &str, sound: bool, latency: Option<u32>| json!({"name": name, "sound": sound, "latencyMs": latency});
    let low = json!({"name": "low", "published": false, "properties": []});
    let (sources, sinks, link) = if latency.link {
        let smooth =
            json!({"name": "smooth", "published": false, "properties": ["playout-delay=none"]});
        let link = json!({
            "bitsPerSecond": latency.rate,
            "queueMs": 300,
            "delayMs": 10,
            "jitterMs": latency.jitter,
            "burstMs": latency.burst,
            "loss": latency.loss,
        });
        let sources = json!([source("with sound", true, None)]);
        (sources, json!([low, smooth]), link)
    } else {
        let published = json!({"name": "published", "published": true, "properties": []});
        let sources = json!([
            source("picture", false, None),
            source("with sound", true, None),
            source("camera", false, Some(CAMERA_LATENCY)),
        ]);
        (sources, json!([published, low]), json!(null))
    };
    json!({
        "browsers": browsers,
        "sources": sources,
        "sinks": sinks,
        "rounds": latency.rounds,
        "seconds": latency.seconds,
        "link": link,
    })
}

fn print(seen: &[Seen], link: bool) -> Result<()> {
    println!(
        "\n{:<22} {:<10} {:>7} {:>7} {:>6} {:>10} {:>8}  sound behind picture: middle, most",
        "", "", "p50", "p95", "ratio", "deviation", "longest"
    );
    let mut verdicts = Vec::new();
    let names: BTreeSet<_> = seen
        .iter()
        .map(|seen| (seen.browser.as_str(), seen.source.as_str()))
        .collect();
    for (browser, source) in names {
        let rounds = |sink: &str| {
            Summary::of(seen.iter().filter(|seen| {
                seen.browser == browser && seen.source == source && seen.sink == sink
            }))
        };
        let low = rounds("low")?;
        let (other, beside) = if link {
            ("smooth", rounds("smooth")?)
        } else {
            ("published", rounds("published")?)
        };
        let what = format!("{browser}, {source}");
        beside.print(&what, other, None);
        let ratio = low.p50 / beside.p50;
        low.print("", if link { "low" } else { "wigwag" }, Some(ratio));
        let mut check = |what: &str, value: f64, most: f64| {
            let verdict = if value <= most { "pass" } else { "MISSED" };
            verdicts.push(format!(
                "{browser}, {source}: {what} {value:.2}, at most {most}: {verdict}"
            ));
        };
        if link {
            check("deviation (ms)", low.deviation, DEVIATION_TARGET);
            check("longest interval (ms)", low.longest, FREEZE_TARGET);
        } else {
            let target = if source == "camera" {
                CAMERA_TARGET
            } else {
                TARGET
            };
            check("ratio of p50", ratio, target);
        }
        if let Some((middle, _)) = low.skew {
            check("sound and picture apart (ms)", middle.abs(), SKEW_TARGET);
        }
    }
    println!();
    for verdict in verdicts {
        println!("{verdict}");
    }
    Ok(())
}

impl Seen {
    fn read(result: &Value) -> Result<Self> {
        let text = |name: &str| {
            let text = result[name].as_str().map(str::to_owned);
            text.with_context(|| format!("no {name} in the results"))
        };
        let numbers = |name: &str| {
            let numbers = result[name].as_array();
            let numbers = numbers.with_context(|| format!("no {name} in the results"))?;
            Ok::<_, anyhow::Error>(numbers.iter().filter_map(Value::as_f64).collect())
        };
        Ok(Self {
            browser: text("browser")?,
            source: text("source")?,
            sink: text("sink")?,
            delays: numbers("delays")?,
            intervals: numbers("intervals")?,
            skews: numbers("skews")?,
        })
    }
}

impl Summary {
    fn of<'a>(rounds: impl Iterator<Item = &'a Seen>) -> Result<Self> {
        let (mut delays, mut intervals, mut skews) = (Vec::new(), Vec::new(), Vec::new());
        for seen in rounds {
            delays.extend(&seen.delays);
            intervals.extend(&seen.intervals);
            skews.extend(&seen.skews);
        }
        ensure!(
            !delays.is_empty() && !intervals.is_empty(),
            "nothing was seen"
        );
        delays.sort_unstable_by(f64::total_cmp);
        skews.sort_unstable_by(f64::total_cmp);
        let at = |sorted: &[f64], share: f64| sorted[(sorted.len() as f64 * share) as usize];
        let mean = intervals.iter().sum::<f64>() / intervals.len() as f64;
        let squares: f64 = intervals.iter().map(|one| (one - mean).powi(2)).sum();
        let most = skews
            .iter()
            .copied()
            .max_by(|a: &f64, b: &f64| a.abs().total_cmp(&b.abs()));
        Ok(Self {
            p50: at(&delays, 0.5),
            p95: at(&delays, 0.95),
            deviation: (squares / intervals.len() as f64).sqrt(),
            longest: intervals.iter().copied().fold(0.0, f64::max),
            skew: most.map(|most| (at(&skews, 0.5), most)),
        })
    }

    fn print(&self, what: &str, sink: &str, ratio: Option<f64>) {
        let Self {
            p50,
            p95,
            deviation,
            longest,
            skew,
        } = self;
        let ratio = ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}"));
        let skew = skew.map_or_else(String::new, |(middle, most)| {
            format!("{middle:.0}, {most:.0}")
        });
        println!(
            "{what:<22} {sink:<10} {p50:>7.1} {p95:>7.1} {ratio:>6} {deviation:>10.1} {longest:>8.0}  {skew}"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_are_put_together() {
        let round = |delays: &[f64], skews: &[f64]| Seen {
            browser: "chromium".to_owned(),
            source: "picture".to_owned(),
            sink: "low".to_owned(),
            delays: delays.to_vec(),
            intervals: vec![30.0, 36.0],
            skews: skews.to_vec(),
        };
        let rounds = [round(&[1.0, 9.0], &[-5.0]), round(&[2.0, 3.0], &[3.0])];
        let summary = Summary::of(rounds.iter()).expect("something was seen");
        assert_eq!((summary.p50, summary.p95), (3.0, 9.0));
        assert_eq!((summary.deviation, summary.longest), (3.0, 36.0));
        assert_eq!(summary.skew, Some((3.0, -5.0)));
        assert!(Summary::of([].iter()).is_err());
    }
}
