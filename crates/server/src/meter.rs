//! Counts the messages of one connection against what it and its address may send.

use std::sync::Arc;

use tokio::time::Instant;

use crate::clients::Admission;
use crate::close_reason::CloseReason;
use crate::limits::Limits;
use crate::rate::{Rate, TokenBucket};

/// Counts nothing for connections that are exempt.
#[derive(Debug)]
pub(crate) struct Meter(Option<Metered>);

#[derive(Debug)]
struct Metered {
    admission: Arc<Admission>,
    start: Instant,
    bucket: TokenBucket,
    rate: Rate,
    per_second: u32,
    address_rate: Rate,
    address_per_second: u32,
}

impl Meter {
    pub(crate) fn free() -> Self {
        Self(None)
    }

    pub(crate) fn new(admission: Arc<Admission>, limits: &Limits, now: Instant) -> Self {
        Self(Some(Metered {
            admission,
            start: now,
            bucket: TokenBucket::default(),
            rate: Rate::new(limits.peer_messages_per_second, limits.peer_message_burst),
            per_second: limits.peer_messages_per_second,
            address_rate: limits.address_message_rate(),
            address_per_second: limits.address_messages_per_second,
        }))
    }

    /// Counts a message that came `now`, or says why the connection ends.
    pub(crate) fn count(&mut self, now: Instant) -> Result<(), CloseReason> {
        let Some(metered) = &mut self.0 else {
            return Ok(());
        };
        let since = now.saturating_duration_since(metered.start);
        metered
            .bucket
            .take(metered.rate, since)
            .map_err(|_| CloseReason::PeerMessageRate {
                per_second: metered.per_second,
            })?;
        metered
            .admission
            .count_message(metered.address_rate, now)
            .map_err(|_| CloseReason::AddressMessageRate {
                per_second: metered.address_per_second,
            })
    }
}
