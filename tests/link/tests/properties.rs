//! What holds for a link whatever its conditions are and whatever comes, in virtual time.

mod virtual_time;

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use virtual_time::{Run, Step};
use wigwag_link::{Conditions, Counters, Loss, QueueLimit};

fn queue_limit() -> impl Strategy<Value = QueueLimit> {
    prop_oneof![
        (0_u64..100_000).prop_map(|micros| QueueLimit::Time(Duration::from_micros(micros))),
        (0_usize..50_000).prop_map(QueueLimit::Bytes),
    ]
}

fn loss() -> impl Strategy<Value = Loss> {
    let gilbert_elliott = (0.0..=1.0, 0.0..=1.0, 0.0..=1.0, 0.0..=1.0).prop_map(
        |(good_to_bad, bad_to_good, loss_in_good, loss_in_bad)| Loss::GilbertElliott {
            good_to_bad,
            bad_to_good,
            loss_in_good,
            loss_in_bad,
        },
    );
    prop_oneof![
        Just(Loss::None),
        (0.0..=1.0).prop_map(Loss::Independent),
        gilbert_elliott,
    ]
}

fn conditions() -> impl Strategy<Value = Conditions> {
    (
        prop::option::of(1_000_u64..1_000_000_000),
        queue_limit(),
        0_u64..200_000,
        prop_oneof![Just(0_u64), 0_u64..50_000],
        any::<bool>(),
        loss(),
        500_usize..2_000,
        any::<u64>(),
    )
        .prop_map(
            |(rate, queue, delay, jitter, reorder, loss, mtu, seed)| Conditions {
                rate_bits_per_second: rate,
                queue,
                delay: Duration::from_micros(delay),
                jitter: Duration::from_micros(jitter),
                reorder,
                loss,
                mtu,
                seed,
            },
        )
}

fn packets() -> impl Strategy<Value = Vec<Step>> {
    vec(
        prop_oneof![
            3 => (8_usize..1_600).prop_map(Step::Packet),
            1 => (0_u64..20_000).prop_map(|micros| Step::Wait(Duration::from_micros(micros))),
        ],
        0..120,
    )
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    vec(
        prop_oneof![
            12 => (8_usize..1_600).prop_map(Step::Packet),
            4 => (0_u64..20_000).prop_map(|micros| Step::Wait(Duration::from_micros(micros))),
            1 => conditions().prop_map(Step::Set),
        ],
        0..120,
    )
}

fn in_order(mut conditions: Conditions) -> Conditions {
    conditions.reorder = false;
    conditions
}

/// The packets, and the bytes, of everything that has left the link.
fn left(counters: &Counters) -> (u64, u64) {
    let ways = [
        counters.passed,
        counters.lost,
        counters.dropped_at_queue,
        counters.dropped_at_mtu,
        counters.dropped_at_limit,
        counters.refused,
    ];
    (
        ways.iter().map(|count| count.packets).sum(),
        ways.iter().map(|count| count.bytes).sum(),
    )
}

proptest! {
    #[test]
    fn every_packet_is_accounted_for_and_none_is_kept_for_ever(first in conditions(), steps in steps()) {
        let mut run = Run::new(first);
        for step in &steps {
            run.take(std::slice::from_ref(step));
            let held = run.link.held();
            let (packets, bytes) = left(run.link.counters());
            prop_assert_eq!(run.link.counters().arrived.packets, packets + held.packets);
            prop_assert_eq!(run.link.counters().arrived.bytes, bytes + held.bytes);
        }
        run.wait_until_empty();
        prop_assert_eq!(run.link.held().packets, 0);
        prop_assert_eq!(run.link.held().bytes, 0);
        prop_assert_eq!(run.link.waiting().bytes, 0);
        let arrived = run.arrivals.len() as u64;
        prop_assert_eq!(run.link.counters().passed.packets, arrived);
    }

    #[test]
    fn order_is_kept_unless_asked(first in conditions(), steps in steps()) {
        let steps: Vec<_> = steps
            .into_iter()
            .map(|step| match step {
                Step::Set(conditions) => Step::Set(in_order(conditions)),
                step => step,
            })
            .collect();
        let mut run = Run::new(in_order(first));
        run.take(&steps);
        run.wait_until_empty();
        prop_assert!(run.numbers().is_sorted());
    }

    #[test]
    fn rate_is_never_exceeded(
        conditions in conditions(),
        rate in 1_000_u64..1_000_000_000,
        packets in packets(),
    ) {
        let mut run = Run::new(Conditions {
            rate_bits_per_second: Some(rate),
            jitter: Duration::ZERO,
            ..conditions
        });
        run.take(&packets);
        run.wait_until_empty();
        // From each arrival to each later one: what arrived after the first, within the rate.
        for (index, first) in run.arrivals.iter().enumerate() {
            let mut bits = 0;
            for later in &run.arrivals[index + 1..] {
                bits += later.bytes as u128 * 8;
                let nanos = (later.at - first.at).as_nanos();
                prop_assert!(bits * 1_000_000_000 <= u128::from(rate) * nanos);
            }
        }
    }

    #[test]
    fn packet_takes_no_longer_than_queue_rate_delay_and_jitter(
        conditions in conditions(),
        rate in 1_000_u64..1_000_000_000,
        packets in packets(),
    ) {
        let conditions = Conditions { rate_bits_per_second: Some(rate), ..conditions };
        let time_of = |bytes: usize| {
            Duration::from_secs_f64(bytes as f64 * 8.0 / rate as f64) + Duration::from_micros(1)
        };
        let longest_wait = match conditions.queue {
            QueueLimit::Time(limit) => limit,
            // Before the first of them is the packet that is being transmitted.
            QueueLimit::Bytes(limit) => time_of(limit) + time_of(conditions.mtu),
        };
        let mut run = Run::new(conditions.clone());
        run.take(&packets);
        run.wait_until_empty();
        for arrival in &run.arrivals {
            let took = arrival.at - arrival.sent_at;
            let own = time_of(arrival.bytes);
            prop_assert!(took >= conditions.delay);
            prop_assert!(took <= longest_wait + own + conditions.delay + conditions.jitter);
        }
    }

    #[test]
    fn queue_never_holds_more_than_its_limit(
        conditions in conditions(),
        limit in 0_usize..50_000,
        packets in packets(),
    ) {
        let mut run = Run::new(Conditions { queue: QueueLimit::Bytes(limit), ..conditions });
        for step in &packets {
            run.take(std::slice::from_ref(step));
            prop_assert!(run.link.waiting().bytes <= limit as u64);
        }
    }

    #[test]
    fn owner_that_polls_late_gets_the_same_packets(
        conditions in conditions(),
        packets in packets(),
    ) {
        let mut prompt = Run::new(conditions.clone());
        prompt.take(&packets);
        prompt.wait_until_empty();

        let mut late = Run::new(conditions);
        for step in &packets {
            match step {
                Step::Wait(time) => late.skip(*time),
                step => late.take(std::slice::from_ref(step)),
            }
        }
        late.wait_until_empty();

        prop_assert_eq!(prompt.numbers(), late.numbers());
        for (prompt, late) in prompt.arrivals.iter().zip(&late.arrivals) {
            prop_assert!(prompt.at <= late.at);
        }
        let mut of_late = *late.link.counters();
        of_late.max_lateness = Duration::ZERO;
        prop_assert_eq!(prompt.link.counters(), &of_late);
    }
}
