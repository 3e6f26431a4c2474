//! A sink that is started and stopped again and again leaves nothing behind. A program of its own: threads, descriptors and memory are
//! those of the process.

mod stage;

use std::fs;

use stage::{AUDIO, Sender, VIDEO};

const CYCLES: usize = 20;
/// What is made once, as pools of threads and the first of each element, is there after so many.
const FIRST: usize = 5;
/// The encoders and their frames of a cycle are several times that.
const MAX_GROWTH: u64 = 24 << 20;

#[derive(Debug)]
struct Used {
    threads: usize,
    descriptors: usize,
    memory: u64,
}

fn entries(folder: &str) -> usize {
    fs::read_dir(folder).expect("of this process").count()
}

fn used() -> Used {
    let status = fs::read_to_string("/proc/self/status").expect("of this process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().next());
    let kibibytes: u64 = kibibytes.and_then(|text| text.parse().ok()).expect("KiB");
    Used {
        threads: entries("/proc/self/task"),
        descriptors: entries("/proc/self/fd"),
        memory: kibibytes << 10,
    }
}

#[test]
fn sink_that_is_started_and_stopped_twenty_times_leaves_nothing_behind() {
    let sender = Sender::new("", &format!("{VIDEO} {AUDIO}"));
    let cycle = || {
        sender.play();
        let viewer = sender.persistent_viewer();
        sender.stop();
        drop(viewer);
    };
    (0..FIRST).for_each(|_| cycle());
    let first = used();
    (FIRST..CYCLES).for_each(|_| cycle());
    // Encoders end on a thread of their own, and threads that idle end after a while.
    stage::wait("threads and descriptors are as before", || {
        let now = used();
        now.threads <= first.threads && now.descriptors <= first.descriptors
    });
    let last = used();
    assert!(
        last.memory < first.memory + MAX_GROWTH,
        "{first:?} {last:?}"
    );
    sender.assert_quiet();
}
