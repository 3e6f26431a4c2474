//! `cargo xtask bench fan-out`.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use tokio::time::sleep;
use wigwag_media::viewer::Receivers;

use super::server_process::ServerProcess;
use super::sink_process::{Picture, SinkProcess};
use super::table::{Row, print, print_at_least};
use super::viewer::Viewer;
use crate::commands::say;
use crate::peers;

const PICTURE: Picture = Picture {
    width: 640,
    height: 360,
    bitrate: 1_000_000,
};
const VIEWERS: usize = 10;
/// What two processors can do with an encoder for each viewer.
const VIEWERS_OF_REFERENCE: [usize; 2] = [2, 4];
/// How long a window is in which processor time is counted.
const MEASURED: Duration = Duration::from_secs(10);
/// The middle one of so many counts: an encoder's work differs more than ten viewers cost.
const WINDOWS: usize = 3;
/// From the last join to the first figure: joins are not what is measured.
const SETTLE: Duration = Duration::from_secs(2);
/// What the names of the threads begin with that encrypt and send.
const SENDING_THREADS: &str = "wigwag-shard";
const MOST: f64 = 1.3;
const LEAST_FRAMES: f64 = 28.0;

/// What so many viewers cost, and got, in a second.
struct Measured {
    viewers: usize,
    /// Seconds of processor time.
    processor: f64,
    /// Of that, the time of the threads that send. The published sink has none for that alone.
    sending: f64,
    /// To all viewers.
    packets: f64,
    /// To the viewer that got the fewest, in the worst window.
    frames: f64,
    /// To all viewers, in kbit of payload.
    kilobits: f64,
}

pub(crate) fn run() -> Result<ExitCode> {
    let plugin = peers::our_plugin()?;
    let server = peers::our_server()?;
    let program = peers::gst_plugin_webrtc()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let Picture {
            width,
            height,
            bitrate,
        } = PICTURE;
        let kilobits = bitrate / 1_000;
        println!(
            "\nVP8, {width} by {height} pixels, 30 a second, encoders fixed at {kilobits} kbit/s"
        );

        say("Measuring the published sink");
        let signalling = ServerProcess::start(&server, &["serve"])?;
        let sink = SinkProcess::published(&program, &signalling, &PICTURE).await?;
        let [two, four] = VIEWERS_OF_REFERENCE;
        let theirs = measure(&sink, &signalling, &[1, two, four]).await?;
        drop((sink, signalling));

        say("Measuring wigwag");
        let signalling = ServerProcess::start(&server, &["serve"])?;
        let sink = SinkProcess::ours(&plugin, &signalling, &PICTURE).await?;
        let ours = measure(&sink, &signalling, &[1, VIEWERS]).await?;
        report(&theirs, &ours, sink.encoders());
        Ok(ExitCode::SUCCESS)
    })
}

/// Measures with so many viewers, then with more.
async fn measure(
    sink: &SinkProcess,
    server: &ServerProcess,
    counts: &[usize],
) -> Result<Vec<Measured>> {
    let receivers = Arc::new(Receivers::start()?);
    let mut viewers = Vec::new();
    let mut measured = Vec::new();
    for count in counts {
        while viewers.len() < *count {
            viewers.push(Viewer::join(server.address, &sink.producer, &receivers).await?);
        }
        sleep(SETTLE).await;
        let mut windows = Vec::new();
        for _ in 0..WINDOWS {
            windows.push(window(sink, &viewers).await?);
        }
        let fewest = fewest_frames(&windows);
        windows.sort_unstable_by(|one, other| one.processor.total_cmp(&other.processor));
        let mut middle = windows.swap_remove(WINDOWS / 2);
        middle.frames = fewest;
        measured.push(middle);
    }
    Ok(measured)
}

async fn window(sink: &SinkProcess, viewers: &[Viewer]) -> Result<Measured> {
    let (start, before) = (Instant::now(), counted(viewers)?);
    let spent = sink.processor_time()?;
    sleep(MEASURED).await;
    let now = sink.processor_time()?;
    let (seconds, after) = (start.elapsed().as_secs_f64(), counted(viewers)?);
    let gained = |counter: fn(&Counted) -> u64| {
        let gained = before.iter().zip(&after);
        gained.map(move |(before, after)| (counter(after) - counter(before)) as f64 / seconds)
    };
    Ok(Measured {
        viewers: viewers.len(),
        processor: now.since(&spent).as_secs_f64() / seconds,
        sending: now.of_threads_since(&spent, SENDING_THREADS).as_secs_f64() / seconds,
        packets: gained(|counted| counted.packets).sum(),
        frames: gained(|counted| counted.frames).fold(f64::INFINITY, f64::min),
        kilobits: gained(|counted| counted.bytes).sum::<f64>() * 8.0 / 1_000.0,
    })
}

fn fewest_frames(measured: &[Measured]) -> f64 {
    let frames = measured.iter().map(|measured| measured.frames);
    frames.fold(f64::INFINITY, f64::min)
}

/// What one viewer has got so far.
#[derive(Default)]
struct Counted {
    frames: u64,
    packets: u64,
    bytes: u64,
}

fn counted(viewers: &[Viewer]) -> Result<Vec<Counted>> {
    let count = |viewer: &Viewer| {
        let video = viewer.video()?;
        Ok(video.map_or_else(Counted::default, |video| Counted {
            frames: video.frames,
            packets: video.packets,
            bytes: video.bytes,
        }))
    };
    viewers.iter().map(count).collect()
}

fn report(theirs: &[Measured], ours: &[Measured], encoders: usize) {
    println!(
        "\n{:<10} {:>8} {:>16} {:>12} {:>14} {:>14}",
        "", "viewers", "processor (%)", "of one", "frames/s, min", "kbit/s each"
    );
    for (name, all) in [("reference", theirs), ("wigwag", ours)] {
        for measured in all {
            println!(
                "{name:<10} {:>8} {:>16.1} {:>12.2} {:>14.1} {:>14.0}",
                measured.viewers,
                measured.processor * 100.0,
                measured.processor / all[0].processor,
                measured.frames,
                measured.kilobits / measured.viewers as f64,
            );
        }
    }
    let ratio = |all: &[Measured]| {
        let last = all.last().map_or(f64::NAN, |last| last.processor);
        last / all[0].processor
    };
    let per_packet = ours
        .last()
        .map_or(f64::NAN, |m| m.sending / m.packets * 1e6);
    let [.., most_of_reference] = VIEWERS_OF_REFERENCE;
    println!("\nThe reference with {most_of_reference} viewers, wigwag with {VIEWERS}:");
    print(&[
        Row {
            what: "processor time, many viewers to one",
            unit: "ratio",
            reference: Some(ratio(theirs)),
            ours: ratio(ours),
            target: Some(MOST),
        },
        Row {
            what: "processor time of sending, per packet",
            unit: "us",
            reference: None,
            ours: per_packet,
            target: None,
        },
        Row {
            what: "encoders started",
            unit: "count",
            reference: None,
            ours: encoders as f64,
            target: Some(1.0),
        },
    ]);
    print_at_least(
        "frames a second, the viewer with the fewest",
        fewest_frames(theirs),
        fewest_frames(ours),
        LEAST_FRAMES,
    );
}
