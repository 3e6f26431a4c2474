//! OpenSSL's retransmission timer. The `openssl` crate has no safe interface to it.
#![allow(unsafe_code, reason = "FFI; each use says why it is sound")]

use std::ffi::{c_int, c_long, c_uint};
use std::ptr;
use std::time::Duration;

use foreign_types::ForeignTypeRef;
use openssl::ssl::{SslRef, SslStream};

use super::datagrams::Datagrams;

/// `DTLS_CTRL_GET_TIMEOUT` and `DTLS_CTRL_HANDLE_TIMEOUT` of `openssl/ssl.h`.
const GET_TIMEOUT: c_int = 73;
const HANDLE_TIMEOUT: c_int = 74;

/// The first wait, and the longest. RFC 6347 (4.2.4.1) allows less than its one second where round
/// trips are short, and people wait for this one. OpenSSL gives up after twelve waits: some 15 s.
const FIRST_WAIT_US: c_uint = 100_000;
const LONGEST_WAIT_US: c_uint = 1_600_000;

/// The handshake was given up after OpenSSL's last retransmission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct GivenUp;

unsafe extern "C" {
    /// OpenSSL 1.1.1 and newer (`man DTLS_set_timer_cb`).
    fn DTLS_set_timer_cb(
        ssl: *mut openssl_sys::SSL,
        callback: Option<extern "C" fn(*mut openssl_sys::SSL, c_uint) -> c_uint>,
    );
}

/// Lets a connection wait less than a second before it sends a lost flight again.
pub(super) fn set_waits(ssl: &mut SslRef) {
    // SAFETY: `ssl` is a live SSL object that is borrowed for the call, and the callback is a plain
    // function that touches nothing.
    unsafe { DTLS_set_timer_cb(ssl.as_ptr(), Some(next_wait)) }
}

/// How long until the current flight is to be sent again; none if nothing waits for an answer.
pub(super) fn remaining(stream: &mut SslStream<Datagrams>) -> Option<Duration> {
    let mut left = libc::timeval {
        tv_sec: 0,
        tv_usec: 0,
    };
    // SAFETY: the SSL object lives in the stream, which is borrowed mutably for the call, and this
    // control writes one timeval to its argument, which is one.
    let known = unsafe {
        openssl_sys::SSL_ctrl(
            stream.ssl().as_ptr(),
            GET_TIMEOUT,
            0,
            ptr::from_mut(&mut left).cast(),
        )
    };
    if known != 1 {
        return None;
    }
    let seconds = u64::try_from(left.tv_sec).unwrap_or(0);
    let microseconds = u64::try_from(left.tv_usec).unwrap_or(0);
    Some(Duration::from_secs(seconds) + Duration::from_micros(microseconds))
}

/// Sends the current flight again if its time has come; true if it did.
pub(super) fn retransmit_if_due(stream: &mut SslStream<Datagrams>) -> Result<bool, GivenUp> {
    // SAFETY: the SSL object lives in the stream, which is borrowed mutably for the call; this control
    // takes no argument.
    let handled: c_long =
        unsafe { openssl_sys::SSL_ctrl(stream.ssl().as_ptr(), HANDLE_TIMEOUT, 0, ptr::null_mut()) };
    match handled {
        ..0 => Err(GivenUp),
        0 => Ok(false),
        1.. => Ok(true),
    }
}

/// Called by OpenSSL with the last wait, 0 before the first; returns the next. Both in microseconds.
extern "C" fn next_wait(_: *mut openssl_sys::SSL, last: c_uint) -> c_uint {
    match last {
        0 => FIRST_WAIT_US,
        last => last.saturating_mul(2).min(LONGEST_WAIT_US),
    }
}
