//! OpenSSL's buffers for records. The `openssl` crate has no safe interface to their release.
//!
//! A connection has 33 KiB of them, for the largest records that there may be. Media does not pass through them, so
//! between the handshake and the end there is next to nothing to read or write; and unlike with TLS,
//! `SSL_MODE_RELEASE_BUFFERS` has no effect on datagrams.
#![allow(unsafe_code, reason = "FFI; each use says why it is sound")]

use std::ffi::c_int;

use foreign_types::ForeignTypeRef;
use openssl::error::ErrorStack;
use openssl::ssl::SslStream;

use super::datagrams::Datagrams;

unsafe extern "C" {
    /// OpenSSL 1.1.0 and newer (`man SSL_alloc_buffers`).
    fn SSL_alloc_buffers(ssl: *mut openssl_sys::SSL) -> c_int;
    fn SSL_free_buffers(ssl: *mut openssl_sys::SSL) -> c_int;
}

/// Makes sure that the buffers are there. To be called before anything is read or written.
pub(super) fn take(stream: &mut SslStream<Datagrams>) -> Result<(), ErrorStack> {
    // SAFETY: the SSL object lives in the stream, which is borrowed mutably for the call; what is there is kept.
    match unsafe { SSL_alloc_buffers(stream.ssl().as_ptr()) } {
        1 => Ok(()),
        _ => Err(ErrorStack::get()),
    }
}

/// Frees the buffers, unless they hold something that is not read or written yet.
pub(super) fn give_back(stream: &mut SslStream<Datagrams>) {
    // SAFETY: as above. OpenSSL refuses while records are in the buffers, and every datagram was read to its end:
    // an unfinished record of a datagram is thrown away.
    let _ = unsafe { SSL_free_buffers(stream.ssl().as_ptr()) };
}
