//! What properties and action signals show of the control thread's books.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use gstreamer as gst;
use wigwag_media::engine::Publication;
use wigwag_media::ids::{Bitrate, RenditionId, StreamId, ViewerId};
use wigwag_media::session::SessionStatistics;

use super::statistics;

/// How long a reader of `stats` waits for the threads that send.
const STATISTICS_TIMEOUT: Duration = Duration::from_millis(200);

/// The threads that send are asked this often at most, however many read `stats`: what viewers report is as
/// old, and the published sink asks as often.
const STATISTICS_INTERVAL: Duration = Duration::from_millis(100);

/// Shared between the control thread, which writes, and whoever asks.
#[derive(Clone, Default)]
pub(super) struct Snapshot(Arc<Parts>);

#[derive(Default)]
struct Parts {
    contents: Mutex<Contents>,
    /// Held while the threads that send are asked: readers wait for each other, and nobody else for them.
    counted: Mutex<Option<Counted>>,
}

/// What was counted at one time.
#[derive(Clone)]
struct Counted {
    at: Instant,
    by_viewer: Arc<BTreeMap<ViewerId, SessionStatistics>>,
}

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
    /// The names of the pads that were offered.
    pub(super) pads: BTreeMap<StreamId, String>,
    /// What it is sent from.
    pub(super) encoders: BTreeMap<RenditionId, EncoderSnapshot>,
    /// The streams that it takes nothing of, though it takes others.
    pub(super) refused: Vec<RefusedSnapshot>,
    /// Its wishes for key frames that were not fulfilled, because it asks too often.
    pub(super) key_frames_refused: u64,
}

/// A stream that a viewer goes without.
#[derive(Clone, Debug)]
pub(super) struct RefusedSnapshot {
    /// The name of its pad.
    pub(super) pad: String,
    pub(super) audio: bool,
    /// What it was offered in.
    pub(super) codecs: String,
}

/// What makes a rendition.
#[derive(Clone, Debug)]
pub(super) struct EncoderSnapshot {
    /// The name of its factory; none if the stream comes encoded.
    pub(super) factory: Option<String>,
    /// What it was told to make.
    pub(super) rate: Bitrate,
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

    /// `application/x-webrtcsink-stats`: one field a session. Waits for the threads that send, but not for
    /// long, and takes none of their time if it was asked just now.
    pub(super) fn statistics(&self) -> gst::Structure {
        let counted = self.counted();
        let sessions = self.lock().sessions.clone();
        let mut all = gst::Structure::new_empty("application/x-webrtcsink-stats");
        let unknown = SessionStatistics::default();
        for (viewer, session) in sessions {
            let counted = counted.get(&viewer).unwrap_or(&unknown);
            all.set(
                session.session.as_str(),
                statistics::describe(&session, counted),
            );
        }
        all
    }

    /// `application/x-webrtc-stats` of one session; none once it ended.
    pub(super) fn session_statistics(&self, viewer: ViewerId) -> Option<gst::Structure> {
        let counted = self.counted();
        let session = self.lock().sessions.get(&viewer).cloned()?;
        let unknown = SessionStatistics::default();
        let counted = counted.get(&viewer).unwrap_or(&unknown);
        Some(statistics::describe(&session, counted))
    }

    fn counted(&self) -> Arc<BTreeMap<ViewerId, SessionStatistics>> {
        let mut counted = self
            .0
            .counted
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(counted) = &*counted
            && counted.at.elapsed() < STATISTICS_INTERVAL
        {
            return Arc::clone(&counted.by_viewer);
        }
        let publication = self.lock().publication.upgrade();
        let asked = publication.map(|publication| publication.statistics(STATISTICS_TIMEOUT));
        let by_viewer = Arc::new(asked.unwrap_or_default());
        *counted = Some(Counted {
            at: Instant::now(),
            by_viewer: Arc::clone(&by_viewer),
        });
        by_viewer
    }

    fn lock(&self) -> MutexGuard<'_, Contents> {
        let contents = self.0.contents.lock();
        contents.unwrap_or_else(PoisonError::into_inner)
    }
}
