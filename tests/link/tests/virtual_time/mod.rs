//! A link in virtual time: what comes when, and what arrives when.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "a module of several test files, each of which uses a part"
)]

use std::time::{Duration, Instant};

use wigwag_link::{Conditions, Link};

/// Something that happens to the link.
#[derive(Clone, Debug)]
pub enum Step {
    /// Nothing, for so long.
    Wait(Duration),
    /// A packet of so many bytes comes.
    Packet(usize),
    /// The conditions change.
    Set(Conditions),
}

/// A packet that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Which packet, counted as they came.
    pub number: u64,
    /// Its size in bytes.
    pub bytes: usize,
    /// When it came in, since the beginning.
    pub sent_at: Duration,
    /// When it went out, since the beginning.
    pub at: Duration,
}

/// A link and the time there.
pub struct Run {
    pub link: Link,
    pub arrivals: Vec<Arrival>,
    begin: Instant,
    now: Duration,
    sent: Vec<Duration>,
}

impl Run {
    pub fn new(conditions: Conditions) -> Self {
        Self {
            link: Link::new(conditions).expect("valid conditions"),
            arrivals: Vec::new(),
            begin: Instant::now(),
            now: Duration::ZERO,
            sent: Vec::new(),
        }
    }

    /// A packet of so many bytes comes now; its number is in it, as far as it has room.
    pub fn send(&mut self, bytes: usize) {
        let number = (self.sent.len() as u64).to_be_bytes();
        let mut packet = vec![0; bytes.max(number.len())];
        packet[..number.len()].copy_from_slice(&number);
        self.sent.push(self.now);
        let now = self.instant();
        self.link.handle_packet(now, packet);
        self.poll();
    }

    pub fn send_many(&mut self, packets: usize, bytes: usize) {
        for _ in 0..packets {
            self.send(bytes);
        }
    }

    pub fn set(&mut self, conditions: Conditions) {
        let now = self.instant();
        self.link
            .set_conditions(now, conditions)
            .expect("valid conditions");
        self.poll();
    }

    /// Lets so much time pass, and polls whenever the link asks for it.
    pub fn wait(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(at) = self.timeout().filter(|at| *at <= end) {
            self.now = at;
            self.poll();
        }
        self.now = end;
        self.poll();
    }

    /// Lets so much time pass without a look at the link.
    pub fn skip(&mut self, time: Duration) {
        self.now += time;
    }

    /// Lets time pass until the link has nothing more to do.
    pub fn wait_until_empty(&mut self) {
        while let Some(at) = self.timeout() {
            self.now = at;
            self.poll();
        }
    }

    /// Does all steps, and polls whenever the link asks for it.
    pub fn take(&mut self, steps: &[Step]) {
        for step in steps {
            match step {
                Step::Wait(time) => self.wait(*time),
                Step::Packet(bytes) => self.send(*bytes),
                Step::Set(conditions) => self.set(conditions.clone()),
            }
        }
    }

    pub fn instant(&self) -> Instant {
        self.begin + self.now
    }

    pub fn numbers(&self) -> Vec<u64> {
        self.arrivals.iter().map(|arrival| arrival.number).collect()
    }

    pub fn times(&self) -> Vec<Duration> {
        self.arrivals.iter().map(|arrival| arrival.at).collect()
    }

    pub fn poll(&mut self) {
        let now = self.instant();
        while let Some(packet) = self.link.poll_transmit(now) {
            let number = u64::from_be_bytes(packet[..8].try_into().expect("eight bytes"));
            self.arrivals.push(Arrival {
                number,
                bytes: packet.len(),
                sent_at: self.sent[number as usize],
                at: self.now,
            });
        }
        // Otherwise its owner would never sleep.
        assert!(self.timeout().is_none_or(|at| at > self.now));
    }

    fn timeout(&self) -> Option<Duration> {
        self.link
            .poll_timeout()
            .map(|at| at.duration_since(self.begin))
    }
}
