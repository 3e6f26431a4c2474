//! One direction of a link, without I/O: packets and time go in, packets come out when they arrive.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde::Serialize;

use crate::conditions::{Conditions, InvalidConditions, QueueLimit};
use crate::loss::LossState;
use crate::milliseconds;

/// The most packets that a direction of a link holds, waiting and on their way together. 100,000 packets a second with a
/// delay of half a second are fewer.
pub const MAX_HELD_PACKETS: usize = 65_536;

/// The most bytes that a direction of a link holds: 1 Gbit/s with a delay of half a second are fewer.
pub const MAX_HELD_BYTES: usize = 64 << 20;

/// One direction of a link.
///
/// ```text
/// handle_packet ─► queue (drop-tail) ─► transmitter (rate) ─► loss ─► delay, jitter ─► poll_transmit
/// ```
///
/// # Contract
///
/// The owner
///
/// 1. gives each packet to [`Self::handle_packet`] at the time at which it came;
/// 2. calls [`Self::poll_transmit`] until it returns none, after each packet, each change of conditions, and at the time
///    of [`Self::poll_timeout`];
/// 3. passes on what that returns, or gives it to [`Self::handle_refused`];
/// 4. then waits until a packet comes or the time of [`Self::poll_timeout`], which is later than now.
///
/// Time never goes back: an earlier time counts as the latest one. What happens within the link depends on the times of
/// packets and changes of conditions alone: an owner that polls late gets the same packets, late, as long as the link does not reach its own limits. Memory is bounded by
/// [`MAX_HELD_PACKETS`] and [`MAX_HELD_BYTES`] whatever the conditions are.
#[derive(Debug)]
pub struct Link {
    conditions: Conditions,
    loss: LossState,
    /// Apart from jitter's, so that the same packets are lost with jitter and without.
    loss_rng: StdRng,
    jitter_rng: StdRng,
    latest: Option<Instant>,
    waiting: VecDeque<Vec<u8>>,
    waiting_bytes: usize,
    transmitting: Option<Transmission>,
    /// By the time of arrival, then by the order of transmission.
    in_flight: BTreeMap<(Instant, u64), Vec<u8>>,
    transmitted: u64,
    last_arrival: Option<Instant>,
    held_bytes: usize,
    counters: Counters,
}

#[derive(Debug)]
struct Transmission {
    packet: Vec<u8>,
    ends_at: Instant,
}

/// A number of packets and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Count {
    /// Packets.
    pub packets: u64,
    /// Bytes of whole IP packets.
    pub bytes: u64,
}

/// What became of packets in one direction, since the link began. What came is the sum of all others and of what the link
/// still holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// Came in.
    pub arrived: Count,
    /// Went out at the other end.
    pub passed: Count,
    /// Lost on the way, by chance.
    pub lost: Count,
    /// Dropped because the queue was full.
    pub dropped_at_queue: Count,
    /// Dropped because they were larger than the MTU.
    pub dropped_at_mtu: Count,
    /// Dropped because the link held [`MAX_HELD_PACKETS`] or [`MAX_HELD_BYTES`]: then it does not do what its conditions
    /// say.
    pub dropped_at_limit: Count,
    /// Not taken at the other end, as of a network interface that is down.
    pub refused: Count,
    /// The longest that a packet went out after its time, because the machine was busy.
    #[serde(rename = "max_lateness_ms", with = "milliseconds")]
    pub max_lateness: Duration,
}

impl Count {
    fn add(&mut self, bytes: usize) {
        self.packets += 1;
        self.bytes += bytes as u64;
    }
}

impl Link {
    /// A link that is idle. Fails if it cannot do what the conditions say.
    pub fn new(conditions: Conditions) -> Result<Self, InvalidConditions> {
        conditions.validate()?;
        let (loss_rng, jitter_rng) = rngs(conditions.seed);
        Ok(Self {
            conditions,
            loss: LossState::default(),
            loss_rng,
            jitter_rng,
            latest: None,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            transmitting: None,
            in_flight: BTreeMap::new(),
            transmitted: 0,
            last_arrival: None,
            held_bytes: 0,
            counters: Counters::default(),
        })
    }

    /// The conditions of now.
    #[must_use]
    pub fn conditions(&self) -> &Conditions {
        &self.conditions
    }

    /// What became of packets so far.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// What the link holds: waiting, being transmitted, or on the way.
    #[must_use]
    pub fn held(&self) -> Count {
        let packets =
            self.waiting.len() + usize::from(self.transmitting.is_some()) + self.in_flight.len();
        Count {
            packets: packets as u64,
            bytes: self.held_bytes as u64,
        }
    }

    /// What waits for the transmitter, as of the last call with a time.
    #[must_use]
    pub fn waiting(&self) -> Count {
        Count {
            packets: self.waiting.len() as u64,
            bytes: self.waiting_bytes as u64,
        }
    }

    /// Takes a packet in.
    pub fn handle_packet(&mut self, now: Instant, packet: Vec<u8>) {
        let now = self.advance(now);
        let bytes = packet.len();
        self.counters.arrived.add(bytes);
        if bytes > self.conditions.mtu {
            self.counters.dropped_at_mtu.add(bytes);
        } else if self.held().packets >= MAX_HELD_PACKETS as u64
            || self.held_bytes + bytes > MAX_HELD_BYTES
        {
            self.counters.dropped_at_limit.add(bytes);
        } else if self.transmitting.is_none() {
            self.held_bytes += bytes;
            self.begin_transmission(packet, now);
            self.advance(now);
        } else if self.has_room(bytes, now) {
            self.held_bytes += bytes;
            self.waiting_bytes += bytes;
            self.waiting.push_back(packet);
        } else {
            self.counters.dropped_at_queue.add(bytes);
        }
    }

    /// Counts a packet of so many bytes, which [`Self::poll_transmit`] returned, as not taken at the other end.
    pub fn handle_refused(&mut self, bytes: usize) {
        let passed = &mut self.counters.passed;
        passed.packets = passed.packets.saturating_sub(1);
        passed.bytes = passed.bytes.saturating_sub(bytes as u64);
        self.counters.refused.add(bytes);
    }

    /// Changes the conditions. They hold for what comes from now on, and for what waits: the rest of a packet that is being
    /// transmitted goes at the new rate, and what leaves the transmitter has the new loss, delay and jitter. What is in
    /// flight already stays as it was. The random sequences go on, unless the seed is another. Fails, and changes nothing, if the link
    /// cannot do what they say.
    pub fn set_conditions(
        &mut self,
        now: Instant,
        conditions: Conditions,
    ) -> Result<(), InvalidConditions> {
        conditions.validate()?;
        let now = self.advance(now);
        if conditions.seed != self.conditions.seed {
            (self.loss_rng, self.jitter_rng) = rngs(conditions.seed);
        }
        if conditions.loss != self.conditions.loss {
            self.loss = LossState::default();
        }
        if let Some(transmission) = &mut self.transmitting {
            let rest = transmission.ends_at - now;
            transmission.ends_at = now + rescaled(rest, &self.conditions, &conditions);
        }
        self.conditions = conditions;
        self.advance(now);
        Ok(())
    }

    /// The next packet that has arrived by now at the other end.
    pub fn poll_transmit(&mut self, now: Instant) -> Option<Vec<u8>> {
        let now = self.advance(now);
        let next = self.in_flight.first_entry()?;
        let (arrival, _) = *next.key();
        if arrival > now {
            return None;
        }
        let packet = next.remove();
        self.held_bytes -= packet.len();
        self.counters.passed.add(packet.len());
        self.counters.max_lateness = self.counters.max_lateness.max(now - arrival);
        Some(packet)
    }

    /// When to call [`Self::poll_transmit`] next, if no packet comes before; none if the link is empty.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let arrival = self.in_flight.keys().next().map(|(arrival, _)| *arrival);
        let transmission = self.transmitting.as_ref();
        // Not its end: nothing comes of that before the delay is over.
        let earliest =
            transmission.map(|transmission| transmission.ends_at + self.conditions.delay);
        arrival.into_iter().chain(earliest).min()
    }

    /// Lets happen what happens until `now`, in the order in which it does. Returns the latest time.
    fn advance(&mut self, now: Instant) -> Instant {
        let now = self.latest.map_or(now, |latest| latest.max(now));
        self.latest = Some(now);
        while let Some(Transmission { packet, ends_at }) = self
            .transmitting
            .take_if(|transmission| transmission.ends_at <= now)
        {
            self.propagate(packet, ends_at);
            if let Some(next) = self.waiting.pop_front() {
                self.waiting_bytes -= next.len();
                self.begin_transmission(next, ends_at);
            }
        }
        now
    }

    fn begin_transmission(&mut self, packet: Vec<u8>, at: Instant) {
        let ends_at = at + self.conditions.transmission_time(packet.len());
        self.transmitting = Some(Transmission { packet, ends_at });
    }

    /// What has been transmitted is lost, or in flight.
    fn propagate(&mut self, packet: Vec<u8>, at: Instant) {
        let loss = &self.conditions.loss;
        if self.loss.loses_next(loss, &mut self.loss_rng) {
            self.held_bytes -= packet.len();
            self.counters.lost.add(packet.len());
            return;
        }
        let mut arrival = at + self.conditions.delay + self.jitter();
        if let Some(last) = self.last_arrival
            && !self.conditions.reorder
        {
            arrival = arrival.max(last);
        }
        self.last_arrival = self.last_arrival.max(Some(arrival));
        self.in_flight.insert((arrival, self.transmitted), packet);
        self.transmitted += 1;
    }

    fn jitter(&mut self) -> Duration {
        let most = self.conditions.jitter;
        if most.is_zero() {
            return most;
        }
        let nanos = u64::try_from(most.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(self.jitter_rng.random_range(0..=nanos))
    }

    /// Whether a packet of so many bytes may wait behind the packet that is being transmitted.
    fn has_room(&self, bytes: usize, now: Instant) -> bool {
        match self.conditions.queue {
            QueueLimit::Bytes(limit) => self.waiting_bytes + bytes <= limit,
            QueueLimit::Time(limit) => {
                let rest = self.transmitting.as_ref().map(|t| t.ends_at - now);
                let before = self.conditions.transmission_time(self.waiting_bytes);
                rest.unwrap_or_default() + before <= limit
            }
        }
    }
}

/// The random sequences of loss and of jitter.
fn rngs(seed: u64) -> (StdRng, StdRng) {
    (StdRng::seed_from_u64(seed), StdRng::seed_from_u64(!seed))
}

/// What takes this long at the rate of `old` conditions takes so long at the rate of `new` ones, rounded up.
fn rescaled(rest: Duration, old: &Conditions, new: &Conditions) -> Duration {
    match (old.rate_bits_per_second, new.rate_bits_per_second) {
        (Some(old), Some(new)) if old != new => {
            let nanos = (rest.as_nanos() * u128::from(old)).div_ceil(u128::from(new));
            Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
        }
        (_, Some(_)) => rest,
        (_, None) => Duration::ZERO,
    }
}
