//! Further offers of ours: streams are added to a session and removed from it.
//!
//! * Sections stay what they are and where they are (RFC 9429, section 5.2.2). One whose stream is removed becomes inactive, and
//!   sends again when that stream comes back.
//! * A stream that is added gets a section of the peer's in which nothing was sent yet and the peer wants something, or else a
//!   section of its own; from [`MAX_SECTIONS`] on, one whose stream was removed.
//! * Nothing changes before the answer is there. A peer that does not answer goes on with what it has.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use str0m::media::{MediaKind, Mid};

use super::connecting::Place;
use super::offer_answer::{PendingOffer, passed_through};
use super::track::Track;
use super::{InternalError, Session, SessionError, SessionEvent, State};
use crate::ids::StreamId;
use crate::negotiation::agreement::{self, Agreement};
use crate::negotiation::config::{SessionConfig, StreamConfig};
use crate::negotiation::header_extensions::HeaderExtensions;
use crate::negotiation::local_description::{Content, LocalSection, Sources};
use crate::negotiation::offered::{Offered, OfferedContent, OfferedSection, OfferedStream};
use crate::sdp::remote_description::Setup;

/// Sections of a description up to which a stream that is added gets one of its own.
pub const MAX_SECTIONS: usize = 32;

/// What a section is to be.
enum Planned {
    /// What it is.
    Same(usize),
    /// A stream that was sent in it before is sent.
    Stream(usize, OfferedStream),
    /// Another stream is sent in it.
    Other(usize, OfferedStream),
    /// Nothing is sent in it any more.
    Idle(usize),
    /// It is new.
    New(OfferedStream),
}

impl Session {
    /// Sends these streams from now on. If others were sent, an [offer](SessionEvent::Offer) says so, unless one waits for its answer:
    /// then it follows that. Streams that the peer had no section for, when it made the first offer, are not offered by that.
    ///
    /// Codecs of streams that were there are offered as they were, also if their parameters changed. A stream that there is no section for
    /// goes without: see [`MAX_SECTIONS`].
    pub fn set_streams(&mut self, streams: &[StreamConfig], now: Instant) {
        let known = &self.config.streams;
        let streams: Vec<_> = streams
            .iter()
            .map(|stream| match known.iter().find(|it| it.id == stream.id) {
                Some(offered) => as_offered(stream, offered),
                None => stream.clone(),
            })
            .collect();
        if self.state == State::Ended || *known == streams {
            return;
        }
        self.now = self.now.max(now);
        let before = std::mem::replace(&mut self.config.streams, streams.clone());
        let is_there = |streams: &[StreamConfig], id| streams.iter().any(|it| it.id == id);
        let new = streams.iter().map(|stream| stream.id);
        self.added.extend(new.filter(|id| !is_there(&before, *id)));
        self.added.retain(|id| is_there(&streams, *id));
        self.offer_due = true;
        self.offer_if_due();
    }

    /// Makes the offer that is due, if it may be made.
    pub(super) fn offer_if_due(&mut self) {
        let may_offer = self.pending.is_none() && self.negotiated.is_some();
        if !self.offer_due || !may_offer || self.state == State::Ended {
            return;
        }
        self.offer_due = false;
        match catch_unwind(AssertUnwindSafe(|| self.try_offer_again())) {
            Ok(Ok(offer)) => self.events.push_back(SessionEvent::Offer(offer)),
            Ok(Err(reason)) => self.end(reason),
            Err(_) => self.end(InternalError::Panicked),
        }
    }

    /// Forgets an offer that is not answered; it is due again.
    pub(super) fn take_back_offer(&mut self) {
        let Some(pending) = self.pending.take() else {
            return;
        };
        self.tracks
            .retain(|track| !pending.new_tracks.contains(&track.stream()));
        let streams = self.config.streams.iter();
        let new = streams.map(|stream| stream.id);
        self.added
            .extend(new.filter(|id| pending.new_tracks.contains(id)));
        self.offer_due = true;
    }

    fn try_offer_again(&mut self) -> Result<String, SessionError> {
        let negotiated = self.negotiated.as_ref().ok_or(InternalError::NotMade)?;
        let mut codecs = negotiated.codecs.clone();
        let further = |stream: &StreamConfig| {
            OfferedStream::further(stream, &self.config, &negotiated.known, &mut codecs)
        };
        let plan = plan(&negotiated.places, &self.config, &self.added, further);
        let mut offered = Offered {
            sections: Vec::new(),
            codecs,
        };
        let mut sections = Vec::new();
        let mut new_tracks = Vec::new();
        let tracks = negotiated.places.iter().map(|place| place.local.track + 1);
        let mut free_number = tracks.max().unwrap_or(0);
        for (number, planned) in plan.into_iter().enumerate() {
            let (section, local) = match planned {
                Planned::Same(place) => self.same_section(place)?,
                Planned::Idle(place) => {
                    let (section, local) = self.same_section(place)?;
                    let content = OfferedContent::Idle;
                    (OfferedSection { content, ..section }, local.idle())
                }
                Planned::Stream(place, stream) => {
                    let (mid, before) = {
                        let place = self.place(place)?;
                        (place.mid, place.local.clone())
                    };
                    let mut tracks = self.tracks.iter();
                    if !tracks.any(|track| track.stream() == stream.stream) {
                        self.add_track(&stream, place, mid)?;
                        new_tracks.push(stream.stream);
                    }
                    let section = OfferedSection::sent(stream);
                    let local = self.offered_section(&section, before.track)?;
                    let mid = before.mid;
                    (section, LocalSection { mid, ..local })
                }
                Planned::Other(place, stream) => {
                    let (mid, name) = {
                        let place = self.place(place)?;
                        (place.mid, place.local.mid.clone())
                    };
                    self.add_track(&stream, place, mid)?;
                    new_tracks.push(stream.stream);
                    let section = OfferedSection::sent(stream);
                    let local = self.offered_section(&section, free_number)?;
                    free_number += 1;
                    (section, LocalSection { mid: name, ..local })
                }
                Planned::New(stream) => {
                    self.add_track(&stream, number, None)?;
                    new_tracks.push(stream.stream);
                    let section = OfferedSection::sent(stream);
                    let mut local = self.offered_section(&section, free_number)?;
                    let is_taken = |name: &str| {
                        let negotiated = self.negotiated.as_ref();
                        let mut places = negotiated.into_iter().flat_map(|it| &it.places);
                        places.any(|place| place.local.mid == name)
                    };
                    while is_taken(&local.mid) {
                        local.mid.push('x');
                    }
                    free_number += 1;
                    (section, local)
                }
            };
            sections.push(self.with_sources(local));
            offered.sections.push(section);
        }
        let is_offered = |id: &StreamId| {
            sections
                .iter()
                .any(|it: &LocalSection| it.stream == Some(*id))
        };
        self.added.retain(|id| !is_offered(id));
        let text = self.describe(Setup::Either, sections.clone());
        self.pending = Some(PendingOffer {
            remote_candidates: Vec::new(),
            offered,
            sections,
            new_tracks,
        });
        Ok(text)
    }

    /// How a section of an offer is described, with a track of this number.
    pub(super) fn offered_section(
        &self,
        section: &OfferedSection,
        track: usize,
    ) -> Result<LocalSection, SessionError> {
        let config = &self.config;
        let all = self.negotiated.as_ref().map(|it| &it.extensions);
        let known = |extensions: HeaderExtensions| match all {
            Some(all) => extensions.as_among(all),
            None => extensions,
        };
        let (stream, content) = match &section.content {
            OfferedContent::Sent(offered) => (
                Some(offered.stream),
                Content::Sent {
                    formats: offered.formats(config),
                    extensions: known(HeaderExtensions::offered(config, offered.kind)),
                    sources: Sources::default(),
                },
            ),
            OfferedContent::Received(received) => (
                None,
                Content::Received {
                    formats: received.formats(),
                    extensions: received.extensions.clone(),
                    encodings: received.encodings.clone(),
                },
            ),
            OfferedContent::Idle | OfferedContent::Rejected | OfferedContent::Data => {
                return Err(InternalError::NotMade.into());
            }
        };
        Ok(LocalSection {
            media: section.media.clone(),
            mid: format!("{}{track}", section.media),
            track,
            stream,
            passed_through: stream.and_then(|stream| passed_through(config, stream)),
            content,
        })
    }

    /// A section with the sources of its stream.
    pub(super) fn with_sources(&self, mut section: LocalSection) -> LocalSection {
        let mut tracks = self.tracks.iter();
        let track = tracks.find(|track| Some(track.stream()) == section.stream);
        if let (Content::Sent { sources, .. }, Some(track)) = (&mut section.content, track) {
            *sources = track.sources();
        }
        section
    }

    /// A section as it was agreed on.
    fn same_section(&self, place: usize) -> Result<(OfferedSection, LocalSection), SessionError> {
        let place = self.place(place)?;
        let content = match &place.agreement {
            Agreement::Received(received) => OfferedContent::Received(received.clone()),
            Agreement::Data { .. } => OfferedContent::Data,
            Agreement::Rejected => OfferedContent::Rejected,
            Agreement::Sent { .. } | Agreement::Idle => OfferedContent::Idle,
        };
        let media = place.local.media.clone();
        Ok((OfferedSection { media, content }, place.local.clone()))
    }

    fn place(&self, number: usize) -> Result<&Place, SessionError> {
        let negotiated = self.negotiated.as_ref();
        let place = negotiated.and_then(|negotiated| negotiated.places.get(number));
        Ok(place.ok_or(InternalError::NotMade)?)
    }

    /// Gives a stream a track, in str0m's section of that name or in one that there is not yet.
    fn add_track(
        &mut self,
        offered: &OfferedStream,
        place: usize,
        mid: Option<Mid>,
    ) -> Result<(), SessionError> {
        let number = self.described;
        let mid = mid.unwrap_or_else(|| Mid::from(format!("o{place}v{number}").as_str()));
        // Its section was rejected.
        self.tracks.retain(|track| track.stream() != offered.stream);
        let sources = self.draw_sources()?;
        let track = Track::new(&self.config, offered.stream, offered.kind, mid);
        self.tracks.push(track.with_sources(sources));
        Ok(())
    }

    /// What is to be agreed on, where the peer leaves the choice: a stream that is sent goes on in its codec.
    pub(super) fn with_codecs_sent(&self, preferred: &[(StreamId, u32)]) -> Vec<(StreamId, u32)> {
        let sent = self.tracks.iter().filter_map(Track::given);
        let mut all: Vec<_> = sent.map(|given| (given.stream, given.codec)).collect();
        let others = preferred.iter();
        let others = others.filter(|(stream, _)| !all.iter().any(|(sent, _)| sent == stream));
        let others: Vec<_> = others.copied().collect();
        all.extend(others);
        all
    }
}

/// A stream as it is now, with its codecs as they were offered: what a payload type stands for does not change (RFC 3264, section
/// 8.3.2), and receivers take another payload type for another stream.
fn as_offered(stream: &StreamConfig, offered: &StreamConfig) -> StreamConfig {
    let codecs = stream.codecs.iter().map(|codec| {
        let mut known = offered.codecs.iter();
        *known.find(|it| it.number == codec.number).unwrap_or(codec)
    });
    StreamConfig {
        codecs: codecs.collect(),
        playout_delay: offered.playout_delay,
        ..stream.clone()
    }
}

/// What each section is to be, those that are new last.
fn plan(
    places: &[Place],
    config: &SessionConfig,
    added: &[StreamId],
    mut offer: impl FnMut(&StreamConfig) -> Option<OfferedStream>,
) -> Vec<Planned> {
    let find = |id: StreamId| config.streams.iter().find(|stream| stream.id == id);
    let mut bound = Vec::new();
    let mut plan = Vec::new();
    for (number, place) in places.iter().enumerate() {
        let stream = place.local.stream.filter(|_| !place.is_rejected());
        let stream = stream.filter(|stream| !bound.contains(stream));
        let of_kind = |stream: &&StreamConfig| media(stream) == Some(place.local.media.as_str());
        let stream = stream.and_then(find).filter(of_kind);
        plan.push(match (&place.agreement, stream) {
            (Agreement::Sent { .. } | Agreement::Idle, Some(stream)) => match offer(stream) {
                Some(offered) => {
                    bound.push(stream.id);
                    Planned::Stream(number, offered)
                }
                None => Planned::Idle(number),
            },
            (Agreement::Sent { .. }, None) => Planned::Idle(number),
            _ => Planned::Same(number),
        });
    }
    for id in added.iter().filter(|id| !bound.contains(*id)) {
        let Some((stream, media)) = find(*id).and_then(|stream| Some((stream, media(stream)?)))
        else {
            continue;
        };
        let is_free = |planned: &Planned, is_unused: bool| match planned {
            Planned::Same(number) | Planned::Idle(number) => {
                let place = &places[*number];
                let is_of_peer = place.mid.is_none() && place.local.stream.is_none();
                let is_idle = matches!(place.agreement, Agreement::Idle | Agreement::Sent { .. })
                    && place.local.media == media;
                is_idle && (!is_unused || (is_of_peer && place.peer_receives))
            }
            _ => false,
        };
        let unused = plan.iter().position(|planned| is_free(planned, true));
        let free = || plan.iter().position(|planned| is_free(planned, false));
        let place = match unused {
            None if plan.len() >= MAX_SECTIONS => match free() {
                None => continue,
                place => place,
            },
            place => place,
        };
        let Some(offered) = offer(stream) else {
            continue;
        };
        match place {
            Some(place) => plan[place] = Planned::Other(place, offered),
            None => plan.push(Planned::New(offered)),
        }
    }
    plan
}

/// As after `m=`.
fn media(stream: &StreamConfig) -> Option<&'static str> {
    stream.kind().map(|kind: MediaKind| agreement::media(kind))
}
