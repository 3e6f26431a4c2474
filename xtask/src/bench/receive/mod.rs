//! `cargo xtask bench receive`: what a received packet costs a subscription of ours and the published `webrtcsrc` that
//! passes RTP on. Both receive from the same program of ours, one
//! after the other.

mod program;
mod session;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;

use super::table::{Row, Target, print};
use crate::commands::{cargo, must_run, say};
use crate::install::Speed;
use crate::record::Record;
use crate::{install, peers, places};

/// Streams of 2 Mbit/s each.
const STREAMS: [u32; 2] = [1, 20];
/// Of both receivers, one after the other; the median of the ratios counts.
const ROUNDS: usize = 3;
/// How much of the published receiver's processor time is enough.
const RATIO: f64 = 0.5;

/// What takes part.
struct Programs {
    /// Ours: sends, and receives.
    streams: PathBuf,
    /// The published elements.
    published: PathBuf,
    /// A signalling server, which the published receiver needs.
    server: PathBuf,
}

pub(crate) fn run() -> Result<ExitCode> {
    let mut record = Record::live();
    install::debian_packages(&mut record)?;
    say("Building the sender and the receivers");
    // As users get it.
    let build = ["build", "--quiet", "--locked", "--release"];
    let what = ["--package", "wigwag-media", "--example", "streams"];
    must_run(&mut cargo(&[&build[..], &what[..]].concat()))?;
    let programs = Programs {
        streams: places::target().join("release/examples/streams"),
        published: peers::gst_plugin_webrtc(&mut record, Speed::Released)?,
        server: peers::reference_server(&mut record, Speed::QuickToBuild)?,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let mut rows = Vec::new();
    for streams in STREAMS {
        let mut rounds = Vec::new();
        for _ in 0..ROUNDS {
            rounds.push(runtime.block_on(measure(&programs, streams))?);
        }
        rows.push(row(streams, &rounds));
    }
    print(&rows);
    Ok(ExitCode::SUCCESS)
}

/// Microseconds of processor time for each packet.
struct Round {
    published: f64,
    ours: f64,
}

async fn measure(programs: &Programs, streams: u32) -> Result<Round> {
    say(&format!("Receiving, streams: {streams}"));
    let published = session::with_published(programs, streams).await?;
    println!("published: {published:.2} us a packet");
    let ours = session::with_ours(&programs.streams, streams).await?;
    println!("wigwag: {ours:.2} us a packet");
    Ok(Round { published, ours })
}

fn row(streams: u32, rounds: &[Round]) -> Row {
    Row {
        what: format!("a packet received, streams of 2 Mbit/s: {streams}"),
        unit: "us",
        reference: Some(median(rounds.iter().map(|round| round.published))),
        ours: median(rounds.iter().map(|round| round.ours)),
        median_ratio: Some(median(
            rounds.iter().map(|round| round.ours / round.published),
        )),
        target: Some(Target::Ratio(RATIO)),
    }
}

fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut figures: Vec<_> = figures.collect();
    figures.sort_unstable_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_of_rounds_has_the_median_of_their_ratios() {
        let round = |published, ours| Round { published, ours };
        let row = row(20, &[round(10.0, 4.0), round(40.0, 8.0), round(20.0, 6.0)]);
        assert_eq!((row.reference, row.ours), (Some(20.0), 6.0));
        assert_eq!(row.median_ratio, Some(0.3));
    }
}
