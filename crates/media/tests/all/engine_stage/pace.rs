//! How evenly frames were sent, and for how long the machine let no thread run: what viewers see as a gap without anybody's fault.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often the thread that watches wants to run.
const INTERVAL: Duration = Duration::from_millis(5);

/// Watches from the first frame on.
#[derive(Default)]
pub struct Pace {
    last: Option<Instant>,
    longest: Duration,
    watched: Arc<Watched>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Watched {
    longest_us: AtomicU64,
    stop: AtomicBool,
}

impl Pace {
    /// A frame was sent.
    pub fn sent(&mut self) {
        self.thread.get_or_insert_with(|| {
            let watched = Arc::clone(&self.watched);
            std::thread::spawn(move || watched.run())
        });
        let now = Instant::now();
        if let Some(last) = self.last.replace(now) {
            self.longest = self.longest.max(now - last);
        }
    }

    /// The longest time between two frames.
    pub fn longest_gap(&self) -> Duration {
        self.longest
    }

    /// By how much a thread that wanted to run was late, at most.
    pub fn longest_stall(&self) -> Duration {
        Duration::from_micros(self.watched.longest_us.load(Ordering::Relaxed))
    }
}

impl Watched {
    fn run(&self) {
        while !self.stop.load(Ordering::Relaxed) {
            let begin = Instant::now();
            std::thread::sleep(INTERVAL);
            let late = begin.elapsed().saturating_sub(INTERVAL).as_micros();
            let late = u64::try_from(late).unwrap_or(u64::MAX);
            self.longest_us.fetch_max(late, Ordering::Relaxed);
        }
    }
}

impl Drop for Pace {
    fn drop(&mut self) {
        self.watched.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
