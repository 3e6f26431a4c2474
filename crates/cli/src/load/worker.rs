//! One process: its viewers join, watch, and tell what they got.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{interval, sleep_until, timeout};
use wigwag_receiver::{Receivers, StreamReport};

use super::arguments::LoadArguments;
use super::processor::ProcessorTime;
use super::record::{ProcessRecord, Progress, Record, Steady};
use super::viewer::{Call, Stop};
use super::{json_protocol, whep};
use crate::client::{Protocol, Way};

/// How often progress is told.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(250);
/// For all goodbyes together.
const GOODBYE_TIMEOUT: Duration = Duration::from_secs(3);
/// After this share of the time all watch, figures are taken even if some viewer has neither a frame nor a reason.
const LATEST_START: f64 = 0.5;

/// A viewer that was told to join.
struct Joined {
    viewer: usize,
    call: Arc<Call>,
    signalling: JoinHandle<()>,
}

/// Processor time and what had arrived at some time.
struct Mark {
    at: Instant,
    processor: ProcessorTime,
    packets: u64,
    bytes: u64,
}

/// Runs the viewers of one process. `tell` fails once nobody listens; `ended` returns when it shall end early.
pub(super) async fn run(
    arguments: &LoadArguments,
    process: usize,
    ended: impl Future<Output = ()>,
    mut tell: impl FnMut(Record) -> io::Result<()>,
) -> Result<(), String> {
    let way = Way::new(&arguments.target, &arguments.trust())?.with_headers(&arguments.headers());
    let receivers = Receivers::start().map_err(|error| format!("no thread: {error}"))?;
    let receivers = Arc::new(receivers);
    let (stop, told) = watch::channel(false);
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|error| error.to_string())?;
    let mut terminate = signal(SignalKind::terminate()).map_err(|error| error.to_string())?;
    let viewers: Vec<_> = (process..arguments.viewers)
        .step_by(arguments.processes)
        .collect();
    let mut waiting = viewers.iter().copied().peekable();
    let mut joined: Vec<Joined> = Vec::new();
    let started = Instant::now();
    let join_at = |viewer: usize| {
        let viewer = u32::try_from(viewer).unwrap_or(u32::MAX);
        started + arguments.stagger.saturating_mul(viewer)
    };
    let all_joined = join_at(arguments.viewers - 1);
    let end = all_joined + arguments.seconds;
    let latest_start = all_joined + arguments.seconds.mul_f64(LATEST_START);
    let mut steady_since = None;
    let mut ticks = interval(PROGRESS_INTERVAL);
    let mut ended = std::pin::pin!(ended);
    loop {
        let next = waiting
            .peek()
            .map_or(end, |viewer| join_at(*viewer))
            .min(end);
        tokio::select! {
            () = sleep_until(next.into()) => {
                let Some(viewer) = waiting.next() else { break };
                let settings = arguments.settings(viewer);
                let call = Arc::new(Call::new(&receivers, arguments.bind, settings));
                let stop = Stop(told.clone());
                let signalling = join(arguments, viewer, &way, &call, stop);
                joined.push(Joined { viewer, call, signalling });
            }
            _ = ticks.tick() => {
                let now = Instant::now();
                let settled = || joined.iter().all(|joined| joined.call.is_settled());
                if steady_since.is_none() && now >= all_joined && (settled() || now >= latest_start) {
                    steady_since = Mark::now(&joined);
                }
                let progress = Record::Progress(progress(&joined, started.elapsed()));
                let all_failed = || joined.iter().all(|joined| joined.call.has_failed());
                if tell(progress).is_err() || waiting.peek().is_none() && all_failed() {
                    break;
                }
            }
            _ = interrupt.recv() => break,
            _ = terminate.recv() => break,
            () = &mut ended => break,
        }
    }
    let steady_until = Mark::now(&joined);
    let mut record = ProcessRecord {
        process,
        cpu_seconds: ProcessorTime::now().map(|time| time.process),
        steady: steady_since
            .zip(steady_until)
            .map(|(since, until)| since.until(&until)),
        dropped_datagrams: receivers.dropped_datagrams(),
    };
    let nobody = |_: io::Error| "nobody reads the results".to_owned();
    for Joined { viewer, call, .. } in &joined {
        let got = Record::Viewer(call.end(*viewer, process));
        tell(got).map_err(nobody)?;
    }
    // Their goodbyes, all at once; what takes longer is cut off.
    let _ = stop.send(true);
    let goodbyes = async {
        for Joined { signalling, .. } in &mut joined {
            let _ = signalling.await;
        }
    };
    let _ = timeout(GOODBYE_TIMEOUT, goodbyes).await;
    record.process = process;
    tell(Record::Process(record)).map_err(nobody)
}

fn join(
    arguments: &LoadArguments,
    viewer: usize,
    way: &Way,
    call: &Arc<Call>,
    mut stop: Stop,
) -> JoinHandle<()> {
    let target = arguments.target.clone();
    let producer = arguments.producer(viewer).unwrap_or_default().to_owned();
    let (way, call) = (way.clone(), Arc::clone(call));
    tokio::spawn(async move {
        let watched = match target.protocol {
            Protocol::Json => {
                let address = target.to_string();
                json_protocol::watch(&way, &address, &producer, &call, &mut stop).await
            }
            Protocol::Whep => whep::watch(&way, &target, &call, &mut stop).await,
        };
        if let Err(reason) = watched {
            call.fail(reason);
        }
    })
}

fn progress(joined: &[Joined], elapsed: Duration) -> Progress {
    let failed = joined
        .iter()
        .filter(|joined| joined.call.has_failed())
        .count();
    let settled = joined
        .iter()
        .filter(|joined| joined.call.is_settled())
        .count();
    Progress {
        elapsed: elapsed.as_secs_f64(),
        joined: joined.len(),
        watching: settled.saturating_sub(failed),
        failed,
    }
}

impl Mark {
    /// None where the system does not tell the processor time.
    fn now(joined: &[Joined]) -> Option<Self> {
        let reports = joined.iter().filter_map(|joined| joined.call.report());
        let streams: Vec<StreamReport> = reports.flat_map(|report| report.streams).collect();
        Some(Self {
            at: Instant::now(),
            processor: ProcessorTime::now()?,
            packets: streams.iter().map(|stream| stream.packets).sum(),
            bytes: streams.iter().map(|stream| stream.bytes).sum(),
        })
    }

    fn until(&self, end: &Self) -> Steady {
        let seconds = end.at.saturating_duration_since(self.at).as_secs_f64();
        let busiest = end.processor.busiest_thread_since(&self.processor);
        Steady {
            seconds,
            cpu_seconds: end.processor.process - self.processor.process,
            busiest_thread: busiest / seconds.max(1e-3),
            packets: end.packets.saturating_sub(self.packets),
            bytes: end.bytes.saturating_sub(self.bytes),
        }
    }
}
