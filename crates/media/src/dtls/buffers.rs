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

/// Frees the buffers, unless they hold something that is not read or written yet. Not to be called while a record is read in
/// part.
pub(super) fn give_back(stream: &mut SslStream<Datagrams>) {
    // OpenSSL refuses while bytes are not read or not written yet. Before 3.0.14, 3.1.6, 3.2.2 and 3.3.1 it does not in two
    // cases (CVE-2024-4741): when the header of a record has come and its body has not, and when the application has read
    // a part of a record.
    //
    // SAFETY: as above, and neither case comes here. With DTLS a record is in one datagram, and OpenSSL throws an incomplete one
    // away at once; `read` has room for the longest plaintext (`MAX_PLAINTEXT`), so it always takes the whole.
    let _ = unsafe { SSL_free_buffers(stream.ssl().as_ptr()) };
}
