//! Why a use case did not do what was asked. Codes, not sentences for people: dialects and pages have those.

use std::fmt::Display;

use super::Absence;
use crate::store;

/// What can go wrong.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Error {
    /// Values break rules.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Invalid(Vec<Broken>),
    /// Of the providers asked for none can be used; which and why.
    #[error("none of the providers is available")]
    NoProvider(Vec<(String, Absence)>),
    /// There is no such thing.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// There are as many of these already as there may be.
    #[error("there are {1} {0} already, as many as there may be")]
    TooMany(&'static str, i64),
    /// The session has ended and cannot be changed any more.
    #[error("the session has ended")]
    Ended,
    /// Changed by somebody else at the same moment; asking again helps.
    #[error("changed by somebody else at the same moment")]
    Conflict,
    /// The provider was switched off after the session was made.
    #[error("the provider is not available any more")]
    ProviderUnavailable,
    /// The account's provider gave no definite answer; asking again later helps. The code says what was in the way.
    #[error("the provider gave no definite answer: {0}")]
    NoAnswer(&'static str),
    /// The database is out of reach.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// A bug, or data that cannot be read.
    #[error("{0}")]
    Internal(String),
}

/// A value that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} {rule}")]
pub struct Broken {
    /// Which value, in the core's own word for it.
    pub field: &'static str,
    /// The rule, as the end of a sentence that begins with the field's name.
    pub rule: String,
}

impl Error {
    pub(super) fn invalid(field: &'static str, rule: impl Into<String>) -> Self {
        Self::Invalid(vec![Broken { field, rule: rule.into() }])
    }

    pub(super) fn internal(doing: &str, error: impl Display) -> Self {
        Self::Internal(format!("{doing}: {error}"))
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::NotFound => Self::NotFound("row"),
            store::Error::Conflict => Self::Conflict,
            store::Error::Unavailable { what, .. } => Self::Unavailable(what),
            corrupt @ store::Error::Corrupt { .. } => Self::Internal(corrupt.to_string()),
        }
    }
}
