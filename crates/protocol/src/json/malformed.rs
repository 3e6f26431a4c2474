//! What is said of a text that is no message.

/// A text that is no message of the protocol. The sender is at fault.
///
/// It names where and in which way the text is wrong, but quotes nothing of it, so that it can be
/// logged: the text may hold session descriptions or what an attacker chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a message of the protocol: {kind} at line {line}, column {column}")]
pub struct MalformedMessage {
    /// In which way it is wrong.
    pub kind: MalformedKind,
    /// The line, from 1; 0 if the fault has no place.
    pub line: usize,
    /// The column in bytes, from 1; 0 if the fault has no place.
    pub column: usize,
}

/// In which way a text is no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MalformedKind {
    /// It is not JSON.
    #[error("it is not JSON")]
    Syntax,
    /// It is JSON, but its type is unknown, or a member is missing or of the wrong type.
    #[error("its type is unknown, or a member is missing or ill-typed")]
    Content,
}

impl From<serde_json::Error> for MalformedMessage {
    fn from(error: serde_json::Error) -> Self {
        let kind = match error.classify() {
            serde_json::error::Category::Data => MalformedKind::Content,
            _ => MalformedKind::Syntax,
        };
        Self {
            kind,
            line: error.line(),
            column: error.column(),
        }
    }
}
