//! `GET /snapshot/NAME.jpg` at the command's own server: what a camera sees now, as JPEG.
//!
//! A picture is made when it is asked for, at most one a second of each camera and one at a time of all; requests in
//! between get the one before.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};
use wigwag_server::axum::Router;
use wigwag_server::axum::body::Bytes;
use wigwag_server::axum::extract::{Path, State};
use wigwag_server::axum::http::StatusCode;
use wigwag_server::axum::http::header::{
    CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS,
};
use wigwag_server::axum::response::{IntoResponse, Response};
use wigwag_server::axum::routing::get;

use super::event::Event;
use super::jpeg;
use super::latest::{Frames, Latest};

/// How old a picture may be to be sent again.
const MAX_AGE: Duration = Duration::from_secs(1);

/// How long it is not tried again what could not be encoded.
const MAX_FAILURE_AGE: Duration = Duration::from_secs(10);

/// How long a camera may take to deliver what a picture is made of.
const FRAME_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a request waits for its turn.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(20);

/// How many pictures are made at a time, of all cameras.
const MAX_AT_ONCE: usize = 1;

/// Pictures of all that is published, by name.
#[derive(Clone, Debug)]
pub(super) struct Snapshots {
    cameras: Arc<Mutex<Cameras>>,
    permits: Arc<Semaphore>,
    events: Sender<Event>,
}

/// By channel.
type Cameras = BTreeMap<usize, Arc<Camera>>;

/// What a channel has of it, until it is dropped: where its frames go.
pub(super) struct SnapshotRegistration {
    snapshots: Snapshots,
    channel: usize,
    latest: Arc<Latest>,
}

#[derive(Debug)]
struct Camera {
    channel: usize,
    name: String,
    latest: Arc<Latest>,
    /// Locked while a picture is made.
    made: Arc<tokio::sync::Mutex<Option<Made>>>,
}

/// A picture, or why there is none.
#[derive(Clone, Debug)]
struct Made {
    at: Instant,
    picture: Result<Bytes, SnapshotError>,
}

/// Why there is no picture.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum SnapshotError {
    #[error("nothing is published under this name")]
    UnknownName,
    #[error("no picture came from it for {} s", FRAME_TIMEOUT.as_secs())]
    NoFrame,
    #[error("too many pictures are asked for at once; try again later")]
    Busy,
    #[error("no JPEG picture could be made: {0}")]
    Encoding(String),
}

impl Snapshots {
    /// Of nothing yet. The events report which cameras are asked for.
    pub(super) fn new(events: Sender<Event>) -> Self {
        Self {
            cameras: Arc::default(),
            permits: Arc::new(Semaphore::new(MAX_AT_ONCE)),
            events,
        }
    }

    /// Adds what a channel publishes.
    pub(super) fn register(&self, channel: usize, name: &str) -> SnapshotRegistration {
        let latest = Arc::new(Latest::default());
        let camera = Camera {
            channel,
            name: name.to_owned(),
            latest: Arc::clone(&latest),
            made: Arc::default(),
        };
        self.lock().insert(channel, Arc::new(camera));
        SnapshotRegistration {
            snapshots: self.clone(),
            channel,
            latest,
        }
    }

    /// The routes that answer requests.
    pub(super) fn routes(self) -> Router {
        Router::new()
            .route("/snapshot/{*name}", get(answer))
            .with_state(self)
    }

    async fn picture(&self, name: &str) -> Result<Bytes, SnapshotError> {
        let camera = self.find(name).ok_or(SnapshotError::UnknownName)?;
        let made = Arc::clone(&camera.made).lock_owned();
        let mut made = in_time(made).await?;
        if let Some(made) = made.as_ref().filter(|made| made.is_fresh()) {
            return made.picture.clone();
        }
        let snapshots = self.clone();
        // It goes on when nobody waits any more: the next request finds it.
        let making = tokio::spawn(async move {
            let picture = snapshots.make(&camera).await;
            *made = Some(Made {
                at: Instant::now(),
                picture: picture.clone(),
            });
            picture
        });
        let failed = |_| SnapshotError::Encoding("internal error".to_owned());
        making.await.map_err(failed)?
    }

    async fn make(&self, camera: &Camera) -> Result<Bytes, SnapshotError> {
        // One that is called on demand has to be called.
        let _ = self.events.send(Event::SnapshotAsked {
            channel: camera.channel,
        });
        let frames = || async {
            let frames = timeout(FRAME_TIMEOUT, camera.latest.frames()).await;
            frames.map_err(|_| SnapshotError::NoFrame)
        };
        // There have to be some before others are kept waiting for them.
        drop(frames().await?);
        let permit = Arc::clone(&self.permits).acquire_owned();
        let permit = in_time(permit).await?;
        let frames = frames().await?;
        let encoding = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            encode(frames)
        });
        let failed = |_| SnapshotError::Encoding("internal error".to_owned());
        encoding.await.map_err(failed)?
    }

    /// The first of this name.
    fn find(&self, name: &str) -> Option<Arc<Camera>> {
        let cameras = self.lock();
        let mut cameras = cameras.values();
        cameras.find(|camera| camera.name == name).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, Cameras> {
        self.cameras.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SnapshotRegistration {
    /// Where frames go.
    pub(super) fn latest(&self) -> Arc<Latest> {
        Arc::clone(&self.latest)
    }
}

impl Drop for SnapshotRegistration {
    fn drop(&mut self) {
        self.snapshots.lock().remove(&self.channel);
    }
}

impl Made {
    fn is_fresh(&self) -> bool {
        let most = match self.picture {
            Err(SnapshotError::Encoding(_)) => MAX_FAILURE_AGE,
            _ => MAX_AGE,
        };
        self.at.elapsed() < most
    }
}

/// What comes before the time is over. Nothing here is ever closed.
async fn in_time<T>(waiting: impl Future<Output = T>) -> Result<T, SnapshotError> {
    let waited = timeout(QUEUE_TIMEOUT, waiting).await;
    waited.map_err(|_| SnapshotError::Busy)
}

fn encode(frames: Frames) -> Result<Bytes, SnapshotError> {
    jpeg::encode(frames)
        .map(Bytes::from)
        .map_err(SnapshotError::Encoding)
}

async fn answer(State(snapshots): State<Snapshots>, Path(file): Path<String>) -> Response {
    let picture = match file.strip_suffix(".jpg") {
        Some(name) => snapshots.picture(name).await,
        None => Err(SnapshotError::UnknownName),
    };
    let head = [
        (CACHE_CONTROL, "no-store"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    match picture {
        // Shared by all who are sent it.
        Ok(picture) => (head, [(CONTENT_TYPE, "image/jpeg")], picture).into_response(),
        Err(error) => {
            let text = format!("{error}\n");
            let mut response = (error.status(), head, text).into_response();
            if error == SnapshotError::Busy {
                response.headers_mut().insert(RETRY_AFTER, 1.into());
            }
            response
        }
    }
}

impl SnapshotError {
    fn status(&self) -> StatusCode {
        match self {
            Self::UnknownName => StatusCode::NOT_FOUND,
            Self::NoFrame => StatusCode::GATEWAY_TIMEOUT,
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Self::Encoding(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}
