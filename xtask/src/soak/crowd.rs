//! Viewers that come and go at random, some of them badly.

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use tokio::task::JoinHandle;

use crate::bench::fan_out::audience::Audience;
use crate::bench::fan_out::flood::{flood, media_address};
use crate::bench::fan_out::sender::Sender;

/// Groups that are there at once.
const MAX_GROUPS: usize = 6;
const MAX_VIEWERS: u64 = 6;
/// In seconds.
const SHORTEST: u64 = 3;
const LONGEST: u64 = 25;
/// One in so many seconds brings a new group.
const ARRIVALS: u64 = 2;
const FLOOD: Duration = Duration::from_secs(2);
const FLOOD_RATE: u32 = 5_000;

pub(super) struct Crowd<'a> {
    program: &'a Path,
    server: SocketAddr,
    producer: String,
    random: Random,
    groups: Vec<Group>,
    flood: Option<JoinHandle<Result<()>>>,
    came: u64,
    went: [u64; 3],
    floods: u64,
}

struct Group {
    audience: Audience,
    until: Duration,
    how: How,
}

/// How a group goes.
#[derive(Clone, Copy)]
enum How {
    /// In good order, when its time is over.
    Leaves,
    /// Killed.
    Vanishes,
    /// Stopped, and killed when its sessions have ended.
    Freezes,
}

impl<'a> Crowd<'a> {
    pub(super) fn new(program: &'a Path, sender: &Sender, seed: u64) -> Self {
        Self {
            program,
            server: sender.server(),
            producer: sender.producer.clone(),
            random: Random(seed.max(1)),
            groups: Vec::new(),
            flood: None,
            came: 0,
            went: [0; 3],
            floods: 0,
        }
    }

    /// What happens in this second.
    pub(super) async fn act(&mut self, now: Duration) -> Result<()> {
        let mut stays = Vec::new();
        for mut group in self.groups.drain(..) {
            match group.how {
                _ if group.until > now => stays.push(group),
                How::Leaves | How::Vanishes => {
                    self.went[group.how as usize] += 1;
                    // Whose time is over has left by itself.
                    group.audience.vanish();
                }
                How::Freezes => {
                    self.went[group.how as usize] += 1;
                    group.audience.freeze()?;
                    group.how = How::Vanishes;
                    group.until = now + Duration::from_secs(LONGEST);
                    stays.push(group);
                }
            }
        }
        self.groups = stays;
        if self.groups.len() < MAX_GROUPS && self.random.below(ARRIVALS) == 0 {
            self.arrive(now)?;
        }
        let flooding = self
            .flood
            .as_ref()
            .is_some_and(|flood| !flood.is_finished());
        if !flooding && self.random.below(15) == 0 {
            self.floods += 1;
            let to = media_address(self.server, &self.producer).await?;
            let flood = tokio::task::spawn_blocking(move || flood(to, FLOOD_RATE, FLOOD));
            self.flood = Some(flood);
        }
        Ok(())
    }

    fn arrive(&mut self, now: Duration) -> Result<()> {
        let viewers = 1 + self.random.below(MAX_VIEWERS);
        let time = Duration::from_secs(SHORTEST + self.random.below(LONGEST - SHORTEST));
        let how = match self.random.below(4) {
            0 => How::Vanishes,
            1 => How::Freezes,
            _ => How::Leaves,
        };
        self.came += viewers;
        // Who leaves in good order does so in its own time; the others are cut short.
        let planned = match how {
            How::Leaves => time,
            How::Vanishes | How::Freezes => time * 4,
        };
        let viewers = usize::try_from(viewers)?;
        let audience = Audience::join(self.program, self.server, viewers, Duration::ZERO, planned)?;
        let grace = match how {
            How::Leaves => Duration::from_secs(5),
            How::Vanishes | How::Freezes => Duration::ZERO,
        };
        let until = now + time + grace;
        self.groups.push(Group {
            audience,
            until,
            how,
        });
        Ok(())
    }

    /// All are gone at once.
    pub(super) fn leave(&mut self) {
        self.groups.clear();
    }
}

impl fmt::Display for Crowd<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [left, vanished, froze] = self.went;
        write!(
            f,
            "\n{} viewers came; of their groups {left} left, {vanished} vanished, {froze} froze; {} floods",
            self.came, self.floods
        )
    }
}

pub(super) fn any_seed() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(1, |since| since.as_secs())
}

/// Xorshift (Marsaglia, 2003): a run can be repeated by its seed.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}
