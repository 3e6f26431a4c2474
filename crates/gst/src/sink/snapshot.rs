//! What properties and action signals show of the control thread's books.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use gst::prelude::*;
use gstreamer as gst;
use wigwag_media::demand::{Bitrate, ViewerId};
use wigwag_media::engine::Publication;
use wigwag_media::session::SessionStatistics;

/// How long a reader of `stats` waits for the threads that send.
const STATISTICS_TIMEOUT: Duration = Duration::from_millis(200);

/// Shared between the control thread, which writes, and whoever asks.
#[derive(Clone, Default)]
pub(super) struct Snapshot(Arc<Mutex<Contents>>);

#[derive(Default)]
struct Contents {
    publication: Weak<Publication>,
    sessions: BTreeMap<ViewerId, SessionSnapshot>,
}

/// A session as it is.
#[derive(Clone, Debug, Default)]
pub(super) struct SessionSnapshot {
    /// Its id at the signaller.
    pub(super) session: String,
    /// Codec and rate of each video encoder that it is sent from.
    pub(super) encoders: Vec<(&'static str, Bitrate)>,
}

impl Snapshot {
    pub(super) fn set_publication(&self, publication: &Arc<Publication>) {
        self.lock().publication = Arc::downgrade(publication);
    }

    pub(super) fn set_session(&self, viewer: ViewerId, session: SessionSnapshot) {
        self.lock().sessions.insert(viewer, session);
    }

    pub(super) fn update_session(
        &self,
        viewer: ViewerId,
        update: impl FnOnce(&mut SessionSnapshot),
    ) {
        if let Some(session) = self.lock().sessions.get_mut(&viewer) {
            update(session);
        }
    }

    pub(super) fn remove_session(&self, viewer: ViewerId) {
        self.lock().sessions.remove(&viewer);
    }

    /// Ids of the sessions.
    pub(super) fn sessions(&self) -> Vec<String> {
        let contents = self.lock();
        contents
            .sessions
            .values()
            .map(|session| session.session.clone())
            .collect()
    }

    /// `application/x-webrtcsink-stats`: one field a session.
    pub(super) fn statistics(&self) -> gst::Structure {
        let (publication, sessions) = {
            let contents = self.lock();
            (contents.publication.upgrade(), contents.sessions.clone())
        };
        let counted = publication.map(|publication| publication.statistics(STATISTICS_TIMEOUT));
        let counted = counted.unwrap_or_default();
        let mut all = gst::Structure::new_empty("application/x-webrtcsink-stats");
        for (viewer, session) in sessions {
            let counted = counted.get(&viewer).cloned().unwrap_or_default();
            all.set(session.session.as_str(), describe(&session, &counted));
        }
        all
    }

    fn lock(&self) -> MutexGuard<'_, Contents> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// In the shape and with the names of the published sink, where it has them.
fn describe(session: &SessionSnapshot, counted: &SessionStatistics) -> gst::Structure {
    let encoders = session.encoders.iter().map(|(codec, rate)| {
        gst::Structure::builder("application/x-webrtcsink-video-encoder-stats")
            .field("codec-name", *codec)
            .field("bitrate", i32::try_from(*rate).unwrap_or(i32::MAX))
            .field("fec-percentage", 0u32)
            .build()
            .to_send_value()
    });
    let consumer = gst::Structure::builder("application/x-webrtcsink-consumer-stats")
        .field("video-encoders", gst::Array::from_values(encoders))
        .build();
    let outbound = gst::Structure::builder("outbound-rtp")
        .field("packets-sent", counted.packets_sent)
        .field("bytes-sent", counted.bytes_sent)
        .field("retransmitted-packets-sent", counted.packets_resent)
        .field("retransmitted-bytes-sent", counted.bytes_resent)
        .field("frames-sent", counted.frames_sent)
        .field("frames-dropped", counted.frames_dropped)
        .field("key-frames-sent", counted.key_frames_sent)
        .field("key-frames-requested", counted.key_frames_asked)
        .field("nack-count", counted.nacks)
        .build();
    let mut remote = gst::Structure::new_empty("remote-inbound-rtp");
    if let Some(round_trip) = counted.round_trip {
        remote.set("round-trip-time", round_trip.as_secs_f64());
    }
    if let Some(lost) = counted.fraction_lost {
        remote.set("fraction-lost", f64::from(lost));
    }
    let mut transport = gst::Structure::new_empty("transport");
    transport.set("datagrams-received", counted.datagrams_received);
    if let Some(estimate) = counted.estimate {
        transport.set("available-outgoing-bitrate", estimate);
    }
    gst::Structure::builder("application/x-webrtc-stats")
        .field("outbound-rtp", outbound)
        .field("remote-inbound-rtp", remote)
        .field("transport", transport)
        .field("consumer-stats", consumer)
        .build()
}
