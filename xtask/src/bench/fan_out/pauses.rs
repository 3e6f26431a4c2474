//! How long the machine itself stood still meanwhile: on shared machines that is the longest gap of all.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A thread that does nothing but sleep and look at the clock.
const SLEEP: Duration = Duration::from_millis(5);

pub(crate) struct Pauses {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Duration>>,
}

impl Pauses {
    pub(crate) fn watch() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let (mut last, mut worst) = (Instant::now(), Duration::ZERO);
            while !stopped.load(Ordering::Relaxed) {
                std::thread::sleep(SLEEP);
                let now = Instant::now();
                worst = worst.max(now - last);
                last = now;
            }
            worst
        });
        Self {
            stop,
            thread: Some(thread),
        }
    }

    /// The longest pause since, in milliseconds.
    pub(crate) fn worst(mut self) -> f64 {
        self.stop.store(true, Ordering::Relaxed);
        let worst = self.thread.take().and_then(|thread| thread.join().ok());
        worst.map_or(f64::NAN, |worst| worst.as_secs_f64() * 1e3)
    }
}

impl Drop for Pauses {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}
