//! Whatever viewers describe themselves as: a session ends with a reason, or goes on.
//!
//! The first byte says whether the text is an offer or an answer (1), whether candidates come behind it, a line each (2),
//! whether the session receives instead of sending (4), and whether the text comes again when the session is made (8).
#![no_main]

mod sender;

use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;
use sender::{SENDER, config, look_at, look_at_end, receiving};
use wigwag_media::session::Session;

fuzz_target!(|bytes: &[u8]| {
    let Some((how, text)) = bytes.split_first() else {
        return;
    };
    let Ok(text) = std::str::from_utf8(text) else {
        return;
    };
    let now = Instant::now();
    let addresses = [SENDER.parse().expect("an address")];
    let config = if how & 4 == 0 { config() } else { receiving() };
    let mut session = if how & 1 == 0 {
        match Session::answer(&config, text, &[], &addresses, now) {
            Ok((session, _)) => session,
            Err(error) => return look_at_end(&error.into()),
        }
    } else {
        let (mut session, _) = Session::offer(&config, &addresses, now).expect("an offer");
        session.handle_answer(text, &[], now);
        session
    };
    if how & 8 != 0 {
        // Once more: as a further offer, and as the answer to one of ours.
        session.handle_offer(text, &[], now);
        session.set_streams(&[], now);
        session.handle_answer(text, &[], now);
    }
    if how & 2 != 0 {
        for line in text.lines() {
            session.handle_candidate(line, now);
        }
    }
    for step in 0..5 {
        session.handle_timeout(now + step * Duration::from_millis(100));
        while session.poll_transmit().is_some() {}
    }
    look_at(&mut session);
});
