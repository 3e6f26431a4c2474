//! A message for one peer: its own, or a text that others get as well.

use tokio_tungstenite::tungstenite::protocol::frame::coding::Data;
use tokio_tungstenite::tungstenite::{Bytes, Message, Utf8Bytes};

/// What waiting costs beside the bytes of a message.
const OVERHEAD_BYTES: usize = 64;

/// A longer message is written as it is, beside the buffer of the WebSocket. That would keep its room.
const LONG: usize = 2 * 1024;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outgoing {
    /// Of this peer alone.
    Own(Message),
    /// The same for many.
    Shared(Utf8Bytes),
    /// A text in slices, which others may share.
    Sliced(Vec<Bytes>),
}

impl Outgoing {
    /// The bytes of the message.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Own(message) => message.len(),
            Self::Shared(text) => text.len(),
            Self::Sliced(slices) => slices.iter().map(Bytes::len).sum(),
        }
    }

    /// The bytes that it holds while it waits, but for those that others share.
    pub(crate) fn held(&self) -> usize {
        OVERHEAD_BYTES
            + match self {
                Self::Own(message) => message.len(),
                Self::Shared(_) => 0,
                Self::Sliced(slices) => slices.len() * size_of::<Bytes>(),
            }
    }

    /// Whether it is written as it is, beside the WebSocket's buffer.
    pub(crate) fn is_long(&self) -> bool {
        self.len() > LONG
    }

    /// As the WebSocket takes it, or as a frame of slices.
    pub(crate) fn into_frame(self) -> Result<Message, (Data, Vec<Bytes>)> {
        let is_long = self.is_long();
        let message = match self {
            Self::Own(message) => message,
            Self::Shared(text) => Message::Text(text),
            Self::Sliced(slices) => {
                if is_long {
                    return Err((Data::Text, slices));
                }
                // Parts of texts at their ends.
                let text = String::from_utf8(slices.concat()).unwrap_or_default();
                Message::Text(text.into())
            }
        };
        match message {
            Message::Text(text) if is_long => Err((Data::Text, vec![text.into()])),
            Message::Binary(bytes) if is_long => Err((Data::Binary, vec![bytes])),
            short => Ok(short),
        }
    }
}

impl From<Message> for Outgoing {
    fn from(message: Message) -> Self {
        Self::Own(message)
    }
}

impl From<&str> for Outgoing {
    fn from(text: &str) -> Self {
        Self::Own(text.into())
    }
}

impl From<String> for Outgoing {
    fn from(text: String) -> Self {
        Self::Own(text.into())
    }
}
