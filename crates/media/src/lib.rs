//! WebRTC sessions: str0m with what it takes to talk to GStreamer and browsers at scale.
//!
//! Knows no GStreamer and no signalling. What is here:
//!
//! * [`engine`]: sockets and threads; what senders use;
//! * [`session`]: one viewer, from the offer to the end;
//! * [`codec`] and [`error`]: codecs as they are negotiated, and what fails by whose fault;
//! * [`crypto_provider`]: DTLS with peers whose certificates have RSA keys, as GStreamer's do;
//! * [`frame`] and [`frame_queue`]: frames that all viewers share, and what waits for each;
//! * [`demand`]: from what viewers can take to what encoders shall make; [`audience`] keeps the books;
//! * [`encoder_control`]: the rate that is set on an encoder, so that its output has the target bitrate;
//! * [`ids`]: what names streams, renditions, viewers and peers;
//! * [`rtp`]: what datagrams are, their headers, what stands in payloads, and frames from packets that come;
//! * [`key_frames`]: when a rendition makes one;
//! * [`sdp`]: session descriptions as lines;
//! * [`udp`]: reading several datagrams in one go;
//! * [`vote`]: the rate of a rendition that several viewers get.

pub mod audience;
pub mod codec;
mod congestion;
pub mod demand;
mod dtls;
pub mod encoder_control;
pub mod engine;
pub mod error;
pub mod frame;
pub mod frame_queue;
mod identity;
pub mod ids;
pub mod key_frames;
mod negotiation;
pub mod rtp;
pub mod sdp;
pub mod session;
pub mod udp;
pub mod vote;

#[cfg(panic = "abort")]
compile_error!(
    "what a hostile peer makes panic must end one session only: build with `panic = \"unwind\"`"
);

use str0m::config::CryptoProvider;

/// What str0m needs of cryptography: DTLS by OpenSSL, SRTP and hashes by AWS-LC.
///
/// str0m's own DTLS knows no RSA, and every GStreamer peer has an RSA certificate.
pub fn crypto_provider() -> CryptoProvider {
    CryptoProvider {
        dtls_provider: &dtls::OpenSslDtls,
        ..str0m_aws_lc_rs::default_provider()
    }
}
