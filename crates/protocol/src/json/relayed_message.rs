//! Reading `peer` messages quickly: nearly all that a busy server reads are such.
//!
//! The reader of all messages keeps what it meets before it knows the type, and then reads that. This one is for
//! texts that are what they nearly always are, and leaves the rest, whatever is wrong with it, to the other. It
//! copies nothing that stands in the text as it is: a candidate that is passed on verbatim costs no memory.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, de};

use super::id::SessionId;
use super::peer_message::{PeerMessage, PeerMessageBody, SessionDescription};

/// A `peer` message as it was read, with what it says still in its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayedMessage<'a> {
    session_id: Cow<'a, str>,
    body: Body<'a>,
    verbatim: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Body<'a> {
    Offer(Cow<'a, str>),
    Answer(Cow<'a, str>),
    Ice { candidate: Cow<'a, str>, line: u32 },
}

impl<'a> RelayedMessage<'a> {
    /// Reads the text of a `peer` message. None if it is another message, or has anything odd about it;
    /// [`ClientMessage::from_json`](super::ClientMessage::from_json) reads all messages. Where both read one, it is
    /// the same.
    pub fn from_json(text: &'a str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// The session that it belongs to.
    pub fn session_id(&self) -> &str {
        &self.session_id
    }

    /// Whether it is an offer.
    pub fn is_offer(&self) -> bool {
        matches!(self.body, Body::Offer(_))
    }

    /// Whether its text has no members but those of the protocol, so that it can be passed on as it is.
    pub fn is_verbatim(&self) -> bool {
        self.verbatim
    }

    /// What it says, copied.
    pub fn into_message(self) -> PeerMessage {
        PeerMessage {
            session_id: SessionId::from(self.session_id.as_ref()),
            body: match self.body {
                Body::Offer(sdp) => PeerMessageBody::Sdp(SessionDescription::Offer {
                    sdp: sdp.into_owned(),
                }),
                Body::Answer(sdp) => PeerMessageBody::Sdp(SessionDescription::Answer {
                    sdp: sdp.into_owned(),
                }),
                Body::Ice { candidate, line } => PeerMessageBody::Ice {
                    candidate: candidate.into_owned(),
                    sdp_m_line_index: line,
                },
            },
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Member {
    Type,
    SessionId,
    Ice,
    Sdp,
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
enum IceMember {
    #[serde(rename = "candidate")]
    Candidate,
    #[serde(rename = "sdpMLineIndex")]
    SdpMLineIndex,
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum SdpMember {
    Type,
    Sdp,
    #[serde(other)]
    Other,
}

/// A text, not copied where it stands as it is.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// A body, and whether it has no other members.
struct Ice<'a>(Body<'a>, bool);

/// The same.
struct Sdp<'a>(Body<'a>, bool);

/// Takes a member that may stand there once.
fn once<'de, T: Deserialize<'de>, M: MapAccess<'de>>(
    place: &mut Option<T>,
    members: &mut M,
) -> Result<(), M::Error> {
    if place.replace(members.next_value()?).is_some() {
        return Err(de::Error::custom("twice"));
    }
    Ok(())
}

fn missing<E: de::Error>() -> E {
    E::custom("incomplete")
}

impl<'de> Deserialize<'de> for RelayedMessage<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = RelayedMessage<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a peer message")
            }

            fn visit_map<M: MapAccess<'de>>(
                self,
                mut members: M,
            ) -> Result<RelayedMessage<'de>, M::Error> {
                let (mut kind, mut session, mut ice, mut sdp) = (None, None, None, None);
                let mut verbatim = true;
                while let Some(member) = members.next_key()? {
                    match member {
                        Member::Type => {
                            once::<Text<'_>, _>(&mut kind, &mut members)?;
                            if kind.as_ref().is_none_or(|kind| kind.0 != "peer") {
                                return Err(de::Error::custom("another message"));
                            }
                        }
                        Member::SessionId => once::<Text<'_>, _>(&mut session, &mut members)?,
                        Member::Ice => once::<Ice<'_>, _>(&mut ice, &mut members)?,
                        Member::Sdp => once::<Sdp<'_>, _>(&mut sdp, &mut members)?,
                        Member::Other => {
                            members.next_value::<IgnoredAny>()?;
                            verbatim = false;
                        }
                    }
                }
                let (body, alone) = match (ice, sdp) {
                    (Some(Ice(body, alone)), None) | (None, Some(Sdp(body, alone))) => {
                        (body, alone)
                    }
                    _ => return Err(missing()),
                };
                kind.ok_or_else(missing)?;
                Ok(RelayedMessage {
                    session_id: session.ok_or_else(missing)?.0,
                    body,
                    verbatim: verbatim && alone,
                })
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

impl<'de> Deserialize<'de> for Ice<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Ice<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a candidate")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut members: M) -> Result<Ice<'de>, M::Error> {
                let (mut candidate, mut line) = (None, None);
                let mut alone = true;
                while let Some(member) = members.next_key()? {
                    match member {
                        IceMember::Candidate => once::<Text<'_>, _>(&mut candidate, &mut members)?,
                        IceMember::SdpMLineIndex => once::<u32, _>(&mut line, &mut members)?,
                        IceMember::Other => {
                            members.next_value::<IgnoredAny>()?;
                            alone = false;
                        }
                    }
                }
                let body = Body::Ice {
                    candidate: candidate.ok_or_else(missing)?.0,
                    line: line.ok_or_else(missing)?,
                };
                Ok(Ice(body, alone))
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

impl<'de> Deserialize<'de> for Sdp<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Sdp<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a description")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut members: M) -> Result<Sdp<'de>, M::Error> {
                let (mut kind, mut sdp) = (None, None);
                let mut alone = true;
                while let Some(member) = members.next_key()? {
                    match member {
                        SdpMember::Type => once::<Text<'_>, _>(&mut kind, &mut members)?,
                        SdpMember::Sdp => once::<Text<'_>, _>(&mut sdp, &mut members)?,
                        SdpMember::Other => {
                            members.next_value::<IgnoredAny>()?;
                            alone = false;
                        }
                    }
                }
                let sdp = sdp.ok_or_else(missing)?.0;
                let body = match kind.ok_or_else(missing)?.0.as_ref() {
                    "offer" => Body::Offer(sdp),
                    "answer" => Body::Answer(sdp),
                    _ => return Err(de::Error::custom("no description")),
                };
                Ok(Sdp(body, alone))
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::ClientMessage;

    const CANDIDATE: &str =
        r#""candidate":"candidate:1 1 UDP 1 192.0.2.1 9 typ host","sdpMLineIndex":0"#;

    fn both(text: &str) -> Option<RelayedMessage<'_>> {
        let relayed_message = RelayedMessage::from_json(text);
        if let Some(relayed_message) = &relayed_message {
            let read = ClientMessage::from_json(text).expect("the other reads it too");
            let message = relayed_message.clone().into_message();
            assert_eq!(relayed_message.session_id(), message.session_id.as_str());
            assert_eq!(relayed_message.is_offer(), message.body.is_offer());
            assert_eq!(read, ClientMessage::Peer(message), "{text}");
        }
        relayed_message
    }

    #[test]
    fn what_has_only_members_of_the_protocol_is_verbatim() {
        for text in [
            format!(r#"{{"type":"peer","sessionId":"s","ice":{{{CANDIDATE}}}}}"#),
            format!(r#" {{ "ice":{{{CANDIDATE}}}, "sessionId":"s", "type":"pe\u0065r" }} "#),
            r#"{"type":"peer","sessionId":"s","sdp":{"type":"offer","sdp":"v=0\r\n"}}"#.to_owned(),
            r#"{"type":"peer","sessionId":"s","sdp":{"sdp":"","type":"answer"}}"#.to_owned(),
        ] {
            assert!(both(&text).expect("read").is_verbatim(), "{text}");
        }
    }

    #[test]
    fn a_candidate_is_not_copied() {
        let text = format!(r#"{{"type":"peer","sessionId":"s","ice":{{{CANDIDATE}}}}}"#);
        let relayed_message = both(&text).expect("read");
        assert!(matches!(relayed_message.session_id, Cow::Borrowed("s")));
        let Body::Ice { candidate, line: 0 } = relayed_message.body else {
            panic!("no candidate in {relayed_message:?}");
        };
        assert!(matches!(candidate, Cow::Borrowed(_)));
    }

    #[test]
    fn what_has_other_members_too_is_not() {
        for text in [
            format!(r#"{{"type":"peer","sessionId":"s","more":[1],"ice":{{{CANDIDATE}}}}}"#),
            format!(r#"{{"type":"peer","sessionId":"s","ice":{{{CANDIDATE},"sdpMid":"0"}}}}"#),
            r#"{"type":"peer","sessionId":"s","sdp":{"type":"offer","sdp":"","x":1}}"#.to_owned(),
        ] {
            assert!(!both(&text).expect("read").is_verbatim(), "{text}");
        }
    }

    #[test]
    fn whatever_is_odd_is_left_to_the_other_reader() {
        for text in [
            r#"{"type":"list"}"#.to_owned(),
            r#"{"type":"peer","sessionId":"s"}"#.to_owned(),
            format!(r#"{{"type":"peer","ice":{{{CANDIDATE}}}}}"#),
            format!(r#"{{"sessionId":"s","ice":{{{CANDIDATE}}}}}"#),
            format!(r#"{{"type":"peer","sessionId":"s","ice":{{{CANDIDATE},{CANDIDATE}}}}}"#),
            format!(
                r#"{{"type":"peer","sessionId":"s","ice":{{{CANDIDATE}}},"sdp":{{"type":"offer","sdp":""}}}}"#
            ),
            r#"{"type":"peer","sessionId":"s","ice":{"candidate":"\ud800","sdpMLineIndex":0}}"#
                .to_owned(),
            r#"{"type":"peer","sessionId":"s","ice":{"candidate":"","sdpMLineIndex":-1}}"#
                .to_owned(),
            r#"{"type":"peer","sessionId":"s","sdp":{"type":"rollback","sdp":""}}"#.to_owned(),
            format!(r#"["peer","s",{{{CANDIDATE}}}]"#),
            "peer".to_owned(),
        ] {
            assert_eq!(both(&text), None, "{text}");
        }
    }
}
