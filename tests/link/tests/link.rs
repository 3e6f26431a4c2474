//! What each condition does, in virtual time.

mod virtual_time;

use std::time::Duration;

use virtual_time::Run;
use wigwag_link::{
    Conditions, InvalidConditions, Link, Loss, MAX_DELAY, MAX_HELD_BYTES, MAX_HELD_PACKETS,
    QueueLimit,
};

const MILLISECOND: Duration = Duration::from_millis(1);

/// 1,250 bytes take 10 ms.
const RATE: u64 = 1_000_000;
const PACKET: usize = 1_250;

fn ample_queue() -> QueueLimit {
    QueueLimit::Time(Duration::from_secs(3_600))
}

#[test]
fn perfect_link_packet_arrives_at_once() {
    let mut run = Run::new(Conditions::default());
    run.send_many(3, 1_000);
    assert_eq!(run.numbers(), [0, 1, 2]);
    assert_eq!(run.times(), [Duration::ZERO; 3]);
    assert_eq!(run.link.poll_timeout(), None);
}

#[test]
fn delayed_link_packet_arrives_exactly_after_the_delay() {
    let delay = Duration::from_nanos(20_000_001);
    let mut run = Run::new(Conditions::delayed(delay));
    for _ in 0..100 {
        run.send(1_000);
        run.wait(Duration::from_micros(777));
    }
    run.wait_until_empty();
    assert_eq!(run.arrivals.len(), 100);
    for arrival in &run.arrivals {
        assert_eq!(arrival.at - arrival.sent_at, delay);
    }
}

#[test]
fn limited_link_packets_arrive_at_the_rate() {
    let mut run = Run::new(Conditions {
        delay: 5 * MILLISECOND,
        ..Conditions::limited(RATE, ample_queue())
    });
    run.send_many(4, PACKET);
    run.wait_until_empty();
    assert_eq!(run.times(), [15, 25, 35, 45].map(|n| n * MILLISECOND));
}

#[test]
fn idle_time_does_not_add_to_the_rate() {
    let mut run = Run::new(Conditions::limited(RATE, ample_queue()));
    run.wait(Duration::from_secs(10));
    run.send_many(2, PACKET);
    run.wait_until_empty();
    let times = run.times();
    assert_eq!(times[1] - times[0], 10 * MILLISECOND);
}

#[test]
fn long_run_at_an_uneven_rate_is_neither_faster_nor_noticeably_slower() {
    let rate = 777_777;
    let mut run = Run::new(Conditions::limited(rate, ample_queue()));
    run.send_many(10_000, 999);
    run.wait_until_empty();
    let last = run.arrivals.last().expect("arrivals").at;
    let exact = 10_000.0 * 999.0 * 8.0 / rate as f64;
    let error = last.as_secs_f64() - exact;
    // Each packet is rounded up to a nanosecond.
    assert!((0.0..=10_000.0 * 1e-9).contains(&error), "{error} s");
}

#[test]
fn falling_rate_delays_the_rest_of_the_packet_and_what_waits() {
    let mut run = Run::new(Conditions::limited(4 * RATE, ample_queue()));
    run.send_many(2, PACKET);
    run.wait(MILLISECOND);
    // 1.5 ms of 2.5 are left, and take five times as long.
    run.set(Conditions::limited(800_000, ample_queue()));
    run.wait_until_empty();
    let times = run.times();
    assert_eq!(times[0], Duration::from_micros(1_000 + 7_500));
    assert_eq!(times[1] - times[0], Duration::from_micros(12_500));
}

#[test]
fn limit_taken_away_lets_everything_go_at_once() {
    let mut run = Run::new(Conditions::limited(RATE, ample_queue()));
    run.send_many(5, PACKET);
    run.wait(MILLISECOND);
    run.set(Conditions::default());
    assert_eq!(run.times(), [MILLISECOND; 5]);
    assert_eq!(run.link.held().packets, 0);
}

#[test]
fn queue_full_in_time_drops_what_comes() {
    let mut run = Run::new(Conditions::limited(
        RATE,
        QueueLimit::Time(30 * MILLISECOND),
    ));
    // Waits of 0, 10, 20, 30 ms; the next would be longer.
    run.send_many(10, PACKET);
    assert_eq!(run.link.counters().dropped_at_queue.packets, 6);
    run.wait(10 * MILLISECOND);
    run.send_many(2, PACKET);
    run.wait_until_empty();
    assert_eq!(run.numbers(), [0, 1, 2, 3, 10]);
    assert_eq!(run.link.counters().dropped_at_queue.packets, 7);
}

#[test]
fn queue_full_in_bytes_drops_what_comes() {
    let mut run = Run::new(Conditions::limited(RATE, QueueLimit::Bytes(2 * PACKET)));
    // One is being transmitted, two wait.
    run.send_many(5, PACKET);
    assert_eq!(run.link.waiting().bytes, 2 * PACKET as u64);
    assert_eq!(run.link.counters().dropped_at_queue.packets, 2);
    run.wait_until_empty();
    assert_eq!(run.numbers(), [0, 1, 2]);
}

#[test]
fn queue_of_nothing_passes_what_finds_the_link_idle() {
    for queue in [QueueLimit::Bytes(0), QueueLimit::Time(Duration::ZERO)] {
        let mut run = Run::new(Conditions::limited(RATE, queue));
        run.send_many(2, PACKET);
        run.wait(10 * MILLISECOND);
        run.send(PACKET);
        run.wait_until_empty();
        assert_eq!(run.numbers(), [0, 2], "{queue:?}");
    }
}

#[test]
fn independent_loss_is_near_its_probability() {
    for (seed, probability) in [(1, 0.01), (2, 0.05), (3, 0.3)] {
        let mut run = Run::new(Conditions {
            loss: Loss::Independent(probability),
            seed,
            ..Conditions::default()
        });
        let packets = 100_000;
        run.send_many(packets, 100);
        let lost = run.link.counters().lost.packets as f64 / packets as f64;
        // Five standard deviations; the seed makes it the same each time.
        let deviation = (probability * (1.0 - probability) / packets as f64).sqrt();
        assert!((lost - probability).abs() < 5.0 * deviation, "{lost}");
    }
}

#[test]
fn bursts_have_their_share_and_their_length() {
    let (share, mean_length) = (0.05, 4.0);
    let loss = Loss::bursts(share, mean_length).expect("possible");
    assert!((loss.share() - share).abs() < 1e-9);
    let mut run = Run::new(Conditions {
        loss,
        ..Conditions::default()
    });
    let packets = 200_000_u64;
    run.send_many(packets as usize, 100);
    let lost = run.link.counters().lost.packets as f64;
    assert!((lost / packets as f64 - share).abs() < 0.005, "{lost}");
    let numbers = run.numbers();
    let bursts = numbers.windows(2).filter(|pair| pair[1] > pair[0] + 1);
    let length = lost / bursts.count() as f64;
    assert!((length - mean_length).abs() < 0.2, "{length}");
}

#[test]
fn dead_link_passes_nothing_and_keeps_nothing() {
    let mut run = Run::new(Conditions {
        loss: Loss::Independent(1.0),
        ..Conditions::delayed(MILLISECOND)
    });
    run.send_many(1_000, 100);
    assert_eq!(run.link.counters().lost.packets, 1_000);
    assert_eq!(run.link.held().packets, 0);
    assert_eq!(run.link.poll_timeout(), None);
}

#[test]
fn lost_packet_has_used_the_rate() {
    let mut run = Run::new(Conditions {
        loss: Loss::GilbertElliott {
            good_to_bad: 1.0,
            bad_to_good: 1.0,
            loss_in_good: 0.0,
            loss_in_bad: 1.0,
        },
        ..Conditions::limited(RATE, ample_queue())
    });
    run.send_many(4, PACKET);
    run.wait_until_empty();
    assert_eq!(run.numbers(), [0, 2]);
    assert_eq!(run.times(), [10 * MILLISECOND, 30 * MILLISECOND]);
}

#[test]
fn same_seed_loses_the_same_packets_with_jitter_or_without() {
    let lossy = |seed, jitter| {
        let mut run = Run::new(Conditions {
            loss: Loss::Independent(0.2),
            seed,
            jitter,
            ..Conditions::default()
        });
        run.send_many(1_000, 100);
        run.wait_until_empty();
        run.numbers()
    };
    assert_eq!(lossy(7, Duration::ZERO), lossy(7, MILLISECOND));
    assert_ne!(lossy(7, Duration::ZERO), lossy(8, Duration::ZERO));
}

#[test]
fn change_of_the_rate_lets_the_random_sequence_go_on() {
    let lossy = |change: bool| {
        let conditions = Conditions {
            loss: Loss::bursts(0.2, 3.0).expect("possible"),
            ..Conditions::default()
        };
        let mut run = Run::new(conditions.clone());
        run.send_many(500, 100);
        if change {
            run.set(Conditions {
                rate_bits_per_second: Some(RATE),
                queue: ample_queue(),
                ..conditions
            });
        }
        run.send_many(500, 100);
        run.wait_until_empty();
        run.numbers()
    };
    assert_eq!(lossy(false), lossy(true));
}

#[test]
fn jitter_spreads_delays_evenly_up_to_its_most() {
    let mut run = Run::new(Conditions {
        jitter: 10 * MILLISECOND,
        ..Conditions::delayed(20 * MILLISECOND)
    });
    let packets = 10_000;
    for _ in 0..packets {
        run.send(100);
        // Too far apart for one to wait for another.
        run.wait(50 * MILLISECOND);
    }
    let mut tenths = [0; 10];
    for arrival in &run.arrivals {
        let jitter = arrival.at - arrival.sent_at - 20 * MILLISECOND;
        let tenth = (jitter.as_secs_f64() * 1_000.0) as usize;
        tenths[tenth.min(9)] += 1;
        assert!(jitter <= 10 * MILLISECOND, "{jitter:?}");
    }
    for count in tenths {
        assert!((900..1_100).contains(&count), "{tenths:?}");
    }
}

#[test]
fn jitter_keeps_the_order_unless_asked() {
    let jittery = |reorder| {
        let mut run = Run::new(Conditions {
            jitter: 10 * MILLISECOND,
            reorder,
            ..Conditions::default()
        });
        for _ in 0..1_000 {
            run.send(100);
            run.wait(MILLISECOND);
        }
        run.wait_until_empty();
        assert_eq!(run.arrivals.len(), 1_000);
        run.numbers()
    };
    assert!(jittery(false).is_sorted());
    assert!(!jittery(true).is_sorted());
}

#[test]
fn falling_delay_keeps_the_order() {
    let mut run = Run::new(Conditions::delayed(100 * MILLISECOND));
    run.send(100);
    run.set(Conditions::delayed(MILLISECOND));
    run.send(100);
    run.wait_until_empty();
    assert_eq!(run.numbers(), [0, 1]);
    assert_eq!(run.times(), [100 * MILLISECOND; 2]);
}

#[test]
fn packet_above_the_mtu_vanishes() {
    let mut run = Run::new(Conditions {
        mtu: 1_280,
        ..Conditions::default()
    });
    run.send(1_281);
    run.send(1_280);
    assert_eq!(run.numbers(), [1]);
    assert_eq!(run.link.counters().dropped_at_mtu.bytes, 1_281);
}

#[test]
fn long_delay_holds_packets_up_to_the_limit() {
    let mut run = Run::new(Conditions::delayed(MAX_DELAY));
    run.send_many(MAX_HELD_PACKETS + 10, 20);
    assert_eq!(run.link.held().packets, MAX_HELD_PACKETS as u64);
    assert_eq!(run.link.counters().dropped_at_limit.packets, 10);
    run.wait_until_empty();
    assert_eq!(run.arrivals.len(), MAX_HELD_PACKETS);
    assert_eq!(run.link.held().bytes, 0);
}

#[test]
fn large_packets_are_held_up_to_the_limit_in_bytes() {
    let mut run = Run::new(Conditions::limited(RATE, QueueLimit::Bytes(usize::MAX)));
    run.send_many(MAX_HELD_BYTES / 1_500 + 10, 1_500);
    assert!(run.link.held().bytes <= MAX_HELD_BYTES as u64);
    assert_eq!(run.link.counters().dropped_at_limit.packets, 10);
}

#[test]
fn refused_packet_does_not_count_as_passed() {
    let mut run = Run::new(Conditions::default());
    run.send_many(2, 100);
    run.link.handle_refused(100);
    let counters = run.link.counters();
    assert_eq!(counters.passed.packets, 1);
    assert_eq!(counters.refused.bytes, 100);
}

#[test]
fn late_poll_shows_as_lateness() {
    let mut run = Run::new(Conditions::delayed(MILLISECOND));
    run.send(100);
    run.skip(4 * MILLISECOND);
    run.poll();
    assert_eq!(run.link.counters().max_lateness, 3 * MILLISECOND);
}

#[test]
fn time_that_goes_back_counts_as_the_latest() {
    let mut run = Run::new(Conditions::limited(RATE, ample_queue()));
    let early = run.instant();
    run.wait(Duration::from_secs(1));
    run.send(PACKET);
    assert_eq!(run.link.poll_transmit(early), None);
    run.link.handle_packet(early, vec![0; PACKET]);
    run.wait_until_empty();
    assert_eq!(run.arrivals[0].at, Duration::from_millis(1_010));
}

#[test]
fn impossible_conditions_are_refused_and_change_nothing() {
    let loss = |loss| Conditions {
        loss,
        ..Conditions::default()
    };
    let impossible = [
        Conditions::limited(999, ample_queue()),
        Conditions::delayed(MAX_DELAY + MILLISECOND),
        Conditions {
            jitter: Duration::MAX,
            ..Conditions::default()
        },
        Conditions {
            mtu: 0,
            ..Conditions::default()
        },
        loss(Loss::Independent(1.5)),
        loss(Loss::Independent(-0.1)),
        loss(Loss::Independent(f64::NAN)),
        loss(Loss::GilbertElliott {
            good_to_bad: 0.1,
            bad_to_good: 2.0,
            loss_in_good: 0.0,
            loss_in_bad: 1.0,
        }),
    ];
    for conditions in impossible {
        assert!(Link::new(conditions.clone()).is_err(), "{conditions:?}");
        let mut run = Run::new(Conditions::delayed(MILLISECOND));
        let now = run.instant();
        assert!(run.link.set_conditions(now, conditions).is_err());
        assert_eq!(run.link.conditions(), &Conditions::delayed(MILLISECOND));
    }
}

#[test]
fn impossible_bursts_are_refused() {
    for (share, mean_length) in [
        (1.0, 4.0),
        (-0.1, 4.0),
        (0.1, 0.5),
        (0.1, f64::INFINITY),
        (0.9, 2.0),
        (f64::NAN, 2.0),
        (0.1, f64::NAN),
    ] {
        let refused = Loss::bursts(share, mean_length);
        assert!(
            matches!(refused, Err(InvalidConditions::Bursts { .. })),
            "{share} {mean_length}"
        );
    }
}

#[test]
fn conditions_in_json_are_those_of_the_documentation() {
    let conditions: Conditions = serde_json::from_str(
        r#"{
            "rate_bits_per_second": 800000, "queue": {"ms": 200}, "delay_ms": 20, "jitter_ms": 0.5,
            "reorder": true, "mtu": 1280, "seed": 7, "loss": {"independent": 0.05}
        }"#,
    )
    .expect("conditions");
    let expected = Conditions {
        rate_bits_per_second: Some(800_000),
        queue: QueueLimit::Time(200 * MILLISECOND),
        delay: 20 * MILLISECOND,
        jitter: MILLISECOND / 2,
        reorder: true,
        mtu: 1_280,
        seed: 7,
        loss: Loss::Independent(0.05),
    };
    assert_eq!(conditions, expected);
    let text = serde_json::to_string(&expected).expect("JSON");
    assert_eq!(
        serde_json::from_str::<Conditions>(&text).expect("conditions"),
        expected
    );

    let bursts: Conditions = serde_json::from_str(
        r#"{"queue": {"bytes": 30000}, "loss": {"gilbert_elliott": {"good_to_bad": 0.01,
            "bad_to_good": 0.25, "loss_in_good": 0.0, "loss_in_bad": 1.0}}}"#,
    )
    .expect("conditions");
    assert_eq!(bursts.queue, QueueLimit::Bytes(30_000));
    assert!(matches!(bursts.loss, Loss::GilbertElliott { .. }));

    for wrong in [
        r#"{"delay": 20}"#,
        r#"{"delay_ms": -1}"#,
        r#"{"loss": {"independant": 1}}"#,
    ] {
        assert!(
            serde_json::from_str::<Conditions>(wrong).is_err(),
            "{wrong}"
        );
    }
}
