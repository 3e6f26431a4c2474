//! `cargo xtask bench fan-out`: what viewers cost the sender, and what they notice of each other.
//!
//! Everything runs on one machine, viewers included, so figures with many viewers are of a machine that is busy. Of two
//! processors the viewers take up to one.

pub(crate) mod audience;
mod film;
pub(crate) mod flood;
#[cfg(feature = "fan-out")]
mod floor;
mod joins;
mod misbehaviour;
pub(crate) mod pauses;
pub(crate) mod plot;
mod report;
pub(crate) mod sender;
mod viewers;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use crate::commands::say;
use crate::install::Speed;
use crate::record::Record;
use crate::{install, peers, places};
use report::Report;
use sender::{Implementation, Source};

/// What a packet to so many viewers costs at the least.
#[cfg(feature = "fan-out")]
const FLOOR_RECEIVERS: usize = 100;

/// The sink: what viewers cost, and what they notice of each other
#[derive(Args, Clone, Copy)]
pub(crate) struct FanOut {
    /// Writes the results to docs/benchmarks.md, with a plot
    #[arg(long)]
    write: bool,
}

/// The programs that take part.
struct Programs<'a> {
    /// Ours: server, sender and viewers.
    wigwag: &'a Path,
    ours: Implementation<'a>,
    published: Implementation<'a>,
}

pub(crate) fn run(arguments: FanOut) -> Result<ExitCode> {
    let mut record = Record::live();
    install::debian_packages(&mut record)?;
    let built = peers::Programs::released(&mut record)?;
    let (wigwag, plugin) = (built.wigwag, built.plugin);
    let published = peers::gst_plugin_webrtc(&mut record, Speed::Released)?;
    let film = Source::Film(film::film()?);
    let programs = Programs {
        wigwag: &wigwag,
        ours: Implementation::Wigwag {
            plugin: &plugin,
            program: &wigwag,
        },
        published: Implementation::Published {
            program: &published,
        },
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let report = runtime.block_on(async {
        say("A film that is encoded already, by both");
        let costs = viewers::measure_film(&programs, &film).await?;
        say("What a packet costs at the least");
        #[cfg(feature = "fan-out")]
        let floor = floor::measure(FLOOR_RECEIVERS, viewers::MEASURED)?;
        // Only to be built: what measures is built with all features.
        #[cfg(not(feature = "fan-out"))]
        let floor = f64::NAN;
        say("An encoder that runs");
        let live = viewers::measure_live(&programs).await?;
        say("Joins");
        let joins = joins::measure(&programs).await?;
        say("Viewers that vanish, freeze and flood");
        let misbehaviour = misbehaviour::measure(&programs, &film).await?;
        anyhow::Ok(Report {
            film: costs,
            floor,
            live,
            joins,
            misbehaviour,
        })
    })?;
    report.print();
    if arguments.write {
        report.write(&places::root().join("docs"))?;
    }
    Ok(ExitCode::SUCCESS)
}
