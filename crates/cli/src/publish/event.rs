//! What the threads of GStreamer tell the command.

use std::sync::mpsc::Sender;

use super::kind::Kind;

/// Something happened.
#[derive(Debug)]
pub(crate) enum Event {
    /// The process shall end.
    Stop,
    /// To a source; its number tells it from the one before it.
    Source {
        channel: usize,
        source: u64,
        event: SourceEvent,
    },
    /// To an output.
    Output { channel: usize, event: OutputEvent },
    /// A JPEG picture of it is asked for.
    SnapshotAsked { channel: usize },
}

#[derive(Debug)]
pub(crate) enum SourceEvent {
    /// A track is ready; the text says what becomes of it, unless that is as it was before.
    Settled {
        kind: Kind,
        text: Option<String>,
    },
    /// All tracks are.
    Complete,
    /// Something is not published, or not as it might be; one line, for the user.
    Lacks(String),
    /// The end was reached.
    Ended,
    Failed(Failure),
}

/// Why a source does not work any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// One line, for the user.
    pub(crate) text: String,
    /// Whether another attempt would end the same way: something has to be changed first.
    pub(crate) lasting: bool,
}

#[derive(Debug)]
pub(crate) enum OutputEvent {
    /// The signalling server knows the output, or does not any more.
    Registered(bool),
    ViewerAdded,
    ViewerRemoved,
    /// An encoder starts.
    Encoder(String),
    /// What the sink does with what comes encoded; one line, for the user.
    Handled(String),
    Warning(String),
    /// The signalling server cannot be reached at the start.
    NoSignalling(String),
    Failed(String),
    /// All was sent.
    Ended,
}

/// The reporter of one source.
#[derive(Clone, Debug)]
pub(crate) struct SourceReporter {
    pub(crate) channel: usize,
    pub(crate) source: u64,
    pub(crate) events: Sender<Event>,
}

impl SourceReporter {
    pub(crate) fn report(&self, event: SourceEvent) {
        let event = Event::Source {
            channel: self.channel,
            source: self.source,
            event,
        };
        // Nobody listens at the end.
        let _ = self.events.send(event);
    }
}

/// The reporter of one output.
#[derive(Clone, Debug)]
pub(crate) struct OutputReporter {
    pub(crate) channel: usize,
    pub(crate) events: Sender<Event>,
}

impl OutputReporter {
    pub(crate) fn report(&self, event: OutputEvent) {
        let event = Event::Output {
            channel: self.channel,
            event,
        };
        let _ = self.events.send(event);
    }
}
