//! What can go wrong, in words that hold no secret.

use crate::refusal::Refusal;

/// Why a call to the service did not do what it was for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No connection came about: the stream, TLS or the WebSocket's greeting failed. Worth trying again.
    #[error("no connection: {0}")]
    Connect(String),
    /// The named answer did not come in time. Worth trying again.
    #[error("no answer in time: {0}")]
    Timeout(&'static str),
    /// The other end closed the connection. Worth trying again.
    #[error("the connection was closed")]
    Closed,
    /// The other end is not who it should be. Never tried again by itself.
    #[error("the server is not trusted: {0}")]
    Untrusted(&'static str),
    /// The other end said something that the protocol does not have, or too much of it.
    #[error("unexpected from the server: {0}")]
    Protocol(&'static str),
    /// The service answered, and the answer is no.
    #[error("refused: {0}")]
    Refused(Refusal),
    /// A request was answered with an error: its code, 0 without one.
    #[error("the server answered {what} with error {code}")]
    Answer {
        /// Which request it was.
        what: &'static str,
        /// The code of the error, by the conventions of HTTP.
        code: u16,
    },
    /// What the caller gave cannot be used; it names the field.
    #[error("{0}")]
    Input(&'static str),
}

impl Error {
    /// Whether another try, later and unchanged, may go better.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Connect(_) | Self::Timeout(_) | Self::Closed => true,
            Self::Refused(refusal) => refusal.may_pass(),
            Self::Answer { code, .. } => *code == 429 || *code >= 500,
            Self::Untrusted(_) | Self::Protocol(_) | Self::Input(_) => false,
        }
    }
}
