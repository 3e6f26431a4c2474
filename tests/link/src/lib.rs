//! A network link for tests and benchmarks, with a rate, a queue, a delay, jitter and loss: [`Link`], a state machine
//! without I/O, is one direction of it.
//!
//! # Conditions
//!
//! Each direction has its own [`Conditions`], which can change at any time. A packet meets them in this order:
//!
//! | condition | in JSON | default | what it does |
//! |---|---|---|---|
//! | `mtu` | `"mtu": 1280` | 1,500 bytes | larger packets vanish without a notice |
//! | `queue` | `"queue": {"ms": 200}` or `{"bytes": 30000}` | 200 ms | what would wait longer for the transmitter, or with what waits already exceed the bytes, is dropped (drop-tail); without a rate nothing waits |
//! | `rate_bits_per_second` | `"rate_bits_per_second": 800000` | no limit | packets leave one after the other; counts whole IP packets, to the nanosecond, never above the rate |
//! | `loss` | `"loss": {"independent": 0.05}`, or `{"gilbert_elliott": {"good_to_bad": 0.01, "bad_to_good": 0.25, "loss_in_good": 0.0, "loss_in_bad": 1.0}}` | none | lost behind the transmitter, so a lost packet has used the rate; [`Loss::bursts`] computes the second from a share and a length |
//! | `delay` | `"delay_ms": 20` | 0 | added to each packet, exactly |
//! | `jitter` | `"jitter_ms": 5` | 0 | added to the delay: uniformly distributed between zero and this |
//! | `reorder` | `"reorder": true` | false | lets jitter change the order; otherwise a packet with less jitter waits for the one before it, so that of packets closer than the jitter the later ones have more of it on average |
//! | `seed` | `"seed": 7` | 1 | the same packets with the same seed have the same losses and jitter |
//!
//! A dead link is `Loss::Independent(1.0)`. Whatever the conditions, a direction holds at most [`MAX_HELD_PACKETS`] and
//! [`MAX_HELD_BYTES`]; what comes then is counted as `dropped_at_limit`.

mod conditions;
mod link;
mod loss;
mod milliseconds;

pub use conditions::{
    Conditions, DEFAULT_QUEUE, InvalidConditions, MAX_DELAY, MIN_RATE, MTU, QueueLimit,
};
pub use link::{Count, Counters, Link, MAX_HELD_BYTES, MAX_HELD_PACKETS};
pub use loss::Loss;
