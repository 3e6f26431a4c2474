//! What the sender offers, and what it may not do whatever comes.

use std::sync::OnceLock;
use std::time::Duration;

use wigwag_media::ids::{StreamId, StreamKind};
use wigwag_media::session::{
    Certificate, Codec, CodecConfig, EndReason, InternalError, OfferExtent, ReceiveConfig, Session,
    SessionConfig, SessionError, SessionEvent, StreamConfig,
};

pub const VIDEO: StreamId = StreamId(0);
pub const SENDER: &str = "192.0.2.1:5000";

/// A picture in two codecs, another in one, and sound.
pub fn config() -> SessionConfig {
    static CERTIFICATE: OnceLock<Certificate> = OnceLock::new();
    let certificate = CERTIFICATE.get_or_init(|| Certificate::generate().expect("a certificate"));
    let h264 = Codec::H264 {
        profile_level_id: 0x42e01f,
    };
    let streams: [(StreamId, &[Codec]); 3] = [
        (VIDEO, &[Codec::Vp8, h264]),
        (StreamId(1), &[h264]),
        (StreamId(2), &[Codec::Opus]),
    ];
    let stream = |(id, codecs): (StreamId, &[Codec])| StreamConfig {
        id,
        codecs: (0..)
            .zip(codecs)
            .map(|(number, codec)| CodecConfig {
                number,
                alternate_number: None,
                codec: *codec,
                colour_space: None,
            })
            .collect(),
        playout_delay: None,
        passed_through: None,
    };
    SessionConfig {
        certificate: certificate.clone(),
        name: "fuzz".to_owned(),
        streams: streams.map(stream).into(),
        start_bitrate: Some(2_000_000),
        max_wait: Duration::from_millis(500),
        retransmission: true,
        extent: OfferExtent::Full,
        receive: None,
    }
}

/// The other way round: it takes what that sends.
#[allow(dead_code, reason = "a module that targets share")]
pub fn receiving() -> SessionConfig {
    let sender = config();
    let codecs = sender.streams.iter().flat_map(|stream| &stream.codecs);
    let receive = ReceiveConfig {
        codecs: codecs.map(|codec| codec.codec).collect(),
        offered: vec![StreamKind::Audio, StreamKind::Video, StreamKind::Video],
    };
    SessionConfig {
        streams: Vec::new(),
        start_bitrate: None,
        receive: Some(receive),
        ..sender
    }
}

/// Fails if a session ended for a reason that is no viewer's doing.
pub fn look_at_end(reason: &EndReason) {
    assert!(
        !matches!(
            reason,
            EndReason::Failed(SessionError::Internal(
                InternalError::Panicked | InternalError::NotMade
            ))
        ),
        "{reason:?}"
    );
}

/// Takes the events of a session.
pub fn look_at(session: &mut Session) -> Vec<SessionEvent> {
    let events: Vec<_> = std::iter::from_fn(|| session.poll_event()).collect();
    for event in &events {
        if let SessionEvent::Ended(reason) = event {
            look_at_end(reason);
        }
    }
    events
}
