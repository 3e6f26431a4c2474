//! One viewer, from its call to its record.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch::Receiver as Watch;
use wigwag_receiver::{
    Counting, ReceiverId, ReceiverReport, ReceiverSettings, Receivers, StreamKind, StreamReport,
};

use super::record::{StreamRecord, ViewerRecord, millis};

/// From the beginning of a call to the sender's description: a sender may have to start an encoder for each.
pub(super) const SETUP_TIMEOUT: Duration = Duration::from_secs(30);

/// The media of one viewer, which the signalling sets up.
pub(super) struct Call {
    receivers: Arc<Receivers>,
    address: IpAddr,
    settings: ReceiverSettings,
    begun: Instant,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    receiver: Option<(ReceiverId, Instant)>,
    is_described: bool,
    failure: Option<String>,
}

/// Tells viewers to stop.
#[derive(Clone)]
pub(super) struct Stop(pub(super) Watch<bool>);

impl Stop {
    /// Returns once it is time, or nobody is left to tell.
    pub(super) async fn told(&mut self) {
        let _ = self.0.wait_for(|stop| *stop).await;
    }
}

impl Call {
    pub(super) fn new(
        receivers: &Arc<Receivers>,
        address: IpAddr,
        settings: ReceiverSettings,
    ) -> Self {
        Self {
            receivers: Arc::clone(receivers),
            address,
            settings,
            begun: Instant::now(),
            state: Mutex::default(),
        }
    }

    /// Answers the sender's offer, or a further one. None to a further one if the viewer counts by headers: it goes on with what
    /// was agreed on first.
    pub(super) fn answer(&self, offer: &str) -> Result<Option<String>, String> {
        if let Some((id, _)) = self.receiver() {
            if self.settings.counting == Counting::Headers {
                return Ok(None);
            }
            let answered = self.receivers.answer_again(id, offer);
            return answered.map(Some).map_err(|error| error.to_string());
        }
        let begun = Instant::now();
        let answered = self
            .receivers
            .answer_with(&self.settings, &[self.address], offer);
        let (id, answer) = answered.map_err(|error| error.to_string())?;
        self.change(|state| {
            state.receiver = Some((id, begun));
            state.is_described = true;
        });
        Ok(Some(answer))
    }

    /// Offers to receive picture and sound.
    pub(super) fn offer(&self) -> Result<String, String> {
        let begun = Instant::now();
        let kinds = [StreamKind::Video, StreamKind::Audio];
        let offered = self
            .receivers
            .offer_with(&self.settings, &[self.address], &kinds);
        let (id, offer) = offered.map_err(|error| error.to_string())?;
        self.change(|state| state.receiver = Some((id, begun)));
        Ok(offer)
    }

    pub(super) fn accept_answer(&self, answer: &str) -> Result<(), String> {
        let Some((id, _)) = self.receiver() else {
            return Err("nothing was offered".to_owned());
        };
        let accepted = self.receivers.accept_answer(id, answer);
        accepted.map_err(|error| error.to_string())?;
        self.change(|state| state.is_described = true);
        Ok(())
    }

    pub(super) fn add_candidate(&self, candidate: &str) {
        if let Some((id, _)) = self.receiver() {
            // One that is gone has its reason already.
            let _ = self.receivers.add_candidate(id, candidate);
        }
    }

    pub(super) fn is_described(&self) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.is_described
    }

    /// It is over before its time.
    pub(super) fn fail(&self, reason: String) {
        let after = self.begun.elapsed().as_secs_f64();
        let watching = self
            .report()
            .is_some_and(|report| primary(&report).is_some_and(|stream| stream.frames > 0));
        let reason = if watching {
            format!("after {after:.1} s: {reason}")
        } else {
            reason
        };
        self.change(|state| {
            state.failure.get_or_insert(reason);
        });
    }

    /// What it got so far.
    pub(super) fn report(&self) -> Option<ReceiverReport> {
        let (id, _) = self.receiver()?;
        self.receivers.report(id).ok()
    }

    /// Whether it has a frame or failed.
    pub(super) fn is_settled(&self) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let failed = state.failure.is_some();
        drop(state);
        failed
            || self.report().is_some_and(|report| {
                report.failure.is_some() || primary(&report).is_some_and(|stream| stream.frames > 0)
            })
    }

    pub(super) fn has_failed(&self) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let failed = state.failure.is_some();
        drop(state);
        failed || self.report().is_some_and(|report| report.failure.is_some())
    }

    /// Ends it, and tells what it got.
    pub(super) fn end(&self, viewer: usize, process: usize) -> ViewerRecord {
        let mut record = ViewerRecord {
            viewer,
            process,
            decrypted: self.settings.counting == Counting::Decrypted,
            failure: self.change(|state| state.failure.take()),
            ..ViewerRecord::default()
        };
        let ended = Instant::now();
        if let Some((id, begun)) = self.receiver()
            && let Ok(report) = self.receivers.report(id)
        {
            let before = begun.saturating_duration_since(self.begun);
            fill(
                &mut record,
                &report,
                before,
                ended.saturating_duration_since(begun),
            );
            // What the sender makes of it is not waited for.
            let _ = self.receivers.close(id);
        } else {
            let reason = || "no offer before the end".to_owned();
            record.failure.get_or_insert_with(reason);
        }
        record
    }

    fn receiver(&self) -> Option<(ReceiverId, Instant)> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.receiver
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The stream that a viewer looks at.
fn primary(report: &ReceiverReport) -> Option<&StreamReport> {
    let mut streams = report.streams.iter();
    let video = streams.find(|stream| stream.kind == StreamKind::Video);
    video.or_else(|| report.streams.first())
}

fn stream_record(stream: &StreamReport) -> StreamRecord {
    let kind = match stream.kind {
        StreamKind::Video => "video",
        StreamKind::Audio => "audio",
    };
    StreamRecord {
        mid: stream.mid.clone(),
        kind: kind.to_owned(),
        packets: stream.packets,
        lost: stream.missing,
        bytes: stream.bytes,
        frames: stream.frames,
        key_frames: stream.key_frames,
    }
}

/// `before` is the time from the call to the receiver's start, `lasted` from there to the end.
fn fill(record: &mut ViewerRecord, report: &ReceiverReport, before: Duration, lasted: Duration) {
    record.connected_ms = report.connected_after.map(|after| millis(before + after));
    record.packets = report.streams.iter().map(|stream| stream.packets).sum();
    record.lost = report.streams.iter().map(|stream| stream.missing).sum();
    record.bytes = report.streams.iter().map(|stream| stream.bytes).sum();
    record.streams = report.streams.iter().map(stream_record).collect();
    if let Some(stream) = primary(report)
        && let (Some(first), Some(last)) = (stream.first_frame_after, stream.last_frame_after)
    {
        record.first_frame_ms = Some(millis(before + first));
        record.frames = stream.frames;
        record.key_frames = stream.key_frames;
        let watched = lasted.saturating_sub(first).as_secs_f64();
        if watched > 0.0 {
            record.frames_per_second = (stream.frames as f64 / watched * 100.0).round() / 100.0;
        }
        let silent = lasted.saturating_sub(last);
        record.worst_gap_ms = millis(stream.longest_gap.max(silent));
    }
    let reason = match (&report.failure, report.connected_after, record.frames) {
        (Some(failure), ..) => Some(failure.to_string()),
        (None, None, _) => Some("no connection for media (ICE and DTLS) before the end".to_owned()),
        (None, Some(_), 0) if record.packets > 0 => {
            Some("connected, but no whole frame came".to_owned())
        }
        (None, Some(_), 0) => Some("connected, but nothing came".to_owned()),
        (None, ..) if report.is_closed => Some("the sender closed the connection".to_owned()),
        _ => None,
    };
    record.failure = record.failure.take().or(reason);
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn stream(kind: StreamKind, frames: u64) -> StreamReport {
        StreamReport {
            mid: "0".to_owned(),
            kind,
            packets: 5,
            bytes: 500,
            missing: 1,
            frames,
            key_frames: 1,
            longest_gap: 40 * MS,
            first_frame_after: (frames > 0).then_some(100 * MS),
            last_frame_after: (frames > 0).then_some(1_000 * MS),
        }
    }

    fn record(report: &ReceiverReport, lasted: Duration) -> ViewerRecord {
        let mut record = ViewerRecord::default();
        fill(&mut record, report, 7 * MS, lasted);
        record
    }

    #[test]
    fn times_begin_with_the_call_and_silence_at_the_end_is_a_gap() {
        let report = ReceiverReport {
            connected_after: Some(50 * MS),
            streams: vec![stream(StreamKind::Audio, 99), stream(StreamKind::Video, 30)],
            ..ReceiverReport::default()
        };
        let full = record(&report, 1_020 * MS);
        assert_eq!(full.connected_ms, Some(57.0));
        assert_eq!(full.first_frame_ms, Some(107.0));
        assert_eq!((full.frames, full.frames_per_second), (30, 32.61));
        assert_eq!((full.packets, full.bytes, full.lost), (10, 1_000, 2));
        assert_eq!(full.worst_gap_ms, 40.0);
        assert_eq!(full.failure, None);
        assert_eq!(record(&report, 3_000 * MS).worst_gap_ms, 2_000.0);
    }

    #[test]
    fn viewer_without_an_offer_to_the_end_has_failed() {
        let receivers = Arc::new(Receivers::start().expect("a thread"));
        let address = std::net::Ipv4Addr::LOCALHOST.into();
        let call = Call::new(&receivers, address, ReceiverSettings::default());
        let failure = call.end(0, 0).failure;
        assert_eq!(failure.as_deref(), Some("no offer before the end"));
    }

    #[test]
    fn who_gets_nothing_has_a_reason() {
        let mut report = ReceiverReport::default();
        let reason = |report: &ReceiverReport| record(report, 3_000 * MS).failure;
        assert!(reason(&report).is_some_and(|reason| reason.contains("no connection")));
        report.connected_after = Some(MS);
        assert!(reason(&report).is_some_and(|reason| reason.contains("nothing came")));
        report.streams.push(stream(StreamKind::Video, 0));
        assert!(reason(&report).is_some_and(|reason| reason.contains("no whole frame")));
        report.streams[0] = stream(StreamKind::Video, 3);
        assert_eq!(reason(&report), None);
        report.is_closed = true;
        assert!(reason(&report).is_some_and(|reason| reason.contains("closed")));
    }
}
