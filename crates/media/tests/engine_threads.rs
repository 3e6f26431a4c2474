//! When the threads of engines end. Alone in its process, because it counts them.

#![cfg(target_os = "linux")]

use std::time::{Duration, Instant};

use wigwag_media::engine::{Engine, EngineConfig, PublicationConfig};

fn shards() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").expect("Linux tells");
    let names =
        tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names
        .filter(|name| name.starts_with("wigwag-shard-"))
        .count()
}

fn wait_for_shards(number: usize) {
    let end = Instant::now() + Duration::from_secs(20);
    while shards() != number {
        assert!(Instant::now() < end, "{} shards, not {number}", shards());
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn threads_end_with_the_last_handle_and_publication() {
    let config = EngineConfig {
        shards: 3.try_into().expect("some"),
        ..EngineConfig::default()
    };
    let engine = Engine::start(config).expect("an engine");
    wait_for_shards(3);
    let publication = engine.publish(PublicationConfig::default(), |_| Ok(()));
    let other = engine.clone();
    drop(engine);
    drop(other);
    wait_for_shards(3);
    publication.close(Duration::from_secs(20));
    drop(publication);
    wait_for_shards(0);

    let engine = Engine::start(EngineConfig::default()).expect("an engine");
    let weak = engine.downgrade();
    let again = weak.upgrade().expect("it is there");
    let number = EngineConfig::default().shards.get();
    wait_for_shards(number);
    drop(engine);
    wait_for_shards(number);
    drop(again);
    wait_for_shards(0);
    assert!(weak.upgrade().is_none());
}
