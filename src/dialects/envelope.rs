//! The error envelope that every JSON route answers with, as `application/json`: strict clients do not read
//! `application/problem+json`.

use serde::Serialize;

/// An error as a caller reads it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Envelope {
    /// A few words.
    pub title: String,
    /// Which field or thing, which rule, and the way out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The request's id, to quote to support.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// A stable type, `errors/…`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// After how many seconds asking again makes sense: the header `Retry-After`, not a part of the body.
    #[serde(skip)]
    pub retry_after: Option<u64>,
}

impl Envelope {
    /// The same, with a time after which to ask again.
    pub fn after(self, wait: std::time::Duration) -> Self {
        Self { retry_after: Some(wait.as_secs() + u64::from(wait.subsec_nanos() > 0)), ..self }
    }
}

/// The kinds of error, with their status and title.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A value breaks a rule.
    InvalidParameters,
    /// A required value is absent.
    MissingParameters,
    /// The body is too large.
    ContentTooLarge,
    /// `limit` is too large.
    LimitTooHigh,
    /// No key was sent.
    MissingCredentials,
    /// The key is unknown or was revoked.
    InvalidCredentials,
    /// The key may not do this.
    InsufficientPrivileges,
    /// There is no such thing.
    ResourceNotFound,
    /// The method does not go with the path.
    MethodNotAllowed,
    /// A name that several things have, where one is meant.
    SeveralFound,
    /// The same call, by its idempotency key, runs at this moment.
    IdempotencyInFlight,
    /// The idempotency key came before with another body.
    IdempotencyKeyReused,
    /// Somebody else holds the session.
    SessionHeld,
    /// The session is over.
    SessionEnded,
    /// Too much at once.
    TooManyRequests,
    /// The request came for a host that this server does not serve.
    MisdirectedRequest,
    /// It was done before, or it is too late for it.
    ActionAlreadyPerformed,
    /// There are as many of these as there may be.
    LimitExceeded,
    /// A bug.
    UnexpectedError,
    /// A documented route of the original API that is not served.
    FeatureNotImplemented,
    /// The database is out of reach.
    ServiceUnavailable,
}

impl Kind {
    /// All of them.
    #[cfg(test)]
    pub(super) const ALL: &[Self] = &[
        Self::InvalidParameters,
        Self::MissingParameters,
        Self::ContentTooLarge,
        Self::LimitTooHigh,
        Self::MissingCredentials,
        Self::InvalidCredentials,
        Self::InsufficientPrivileges,
        Self::ResourceNotFound,
        Self::MethodNotAllowed,
        Self::SeveralFound,
        Self::IdempotencyInFlight,
        Self::IdempotencyKeyReused,
        Self::SessionHeld,
        Self::SessionEnded,
        Self::TooManyRequests,
        Self::MisdirectedRequest,
        Self::ActionAlreadyPerformed,
        Self::LimitExceeded,
        Self::UnexpectedError,
        Self::FeatureNotImplemented,
        Self::ServiceUnavailable,
    ];

    fn spelt(self) -> (u16, &'static str, &'static str) {
        match self {
            Self::InvalidParameters => (400, "errors/invalid_parameters", "Invalid parameters"),
            Self::MissingParameters => (400, "errors/missing_parameters", "Missing parameters"),
            Self::ContentTooLarge => (400, "errors/content_too_large", "Content too large"),
            Self::LimitTooHigh => (400, "errors/limit_too_high", "Limit too high"),
            Self::MissingCredentials => (401, "errors/missing_credentials", "Missing credentials"),
            Self::InvalidCredentials => (401, "errors/invalid_credentials", "Invalid credentials"),
            Self::InsufficientPrivileges => {
                (401, "errors/insufficient_privileges", "Insufficient privileges")
            }
            Self::ResourceNotFound => (404, "errors/resource_not_found", "Resource not found"),
            Self::MethodNotAllowed => (405, "errors/method_not_allowed", "Method not allowed"),
            Self::SeveralFound => (409, "errors/several_found", "Several found"),
            Self::IdempotencyInFlight => (409, "errors/idempotency_in_flight", "Idempotent call in flight"),
            Self::IdempotencyKeyReused => (422, "errors/idempotency_key_reused", "Idempotency key reused"),
            Self::SessionHeld => (409, "errors/session_held", "Session held"),
            Self::SessionEnded => (410, "errors/session_ended", "Session ended"),
            Self::TooManyRequests => (429, "errors/too_many_requests", "Too many requests"),
            Self::MisdirectedRequest => (421, "errors/misdirected_request", "Misdirected request"),
            Self::ActionAlreadyPerformed => {
                (422, "errors/action_already_performed", "Action already performed")
            }
            Self::LimitExceeded => (422, "errors/limit_exceeded", "Limit exceeded"),
            Self::UnexpectedError => (500, "errors/unexpected_error", "Unexpected error"),
            Self::FeatureNotImplemented => (501, "errors/feature_not_implemented", "Feature not implemented"),
            Self::ServiceUnavailable => (503, "errors/service_unavailable", "Service unavailable"),
        }
    }

    /// The envelope, with what there is to say.
    pub fn detail(self, detail: impl Into<String>) -> Envelope {
        let (status, kind, title) = self.spelt();
        // Whatever is out of reach is asked for again in a moment.
        let retry_after = (self == Self::ServiceUnavailable).then_some(2);
        Envelope {
            title: title.to_owned(),
            detail: Some(detail.into()),
            instance: None,
            kind,
            status,
            retry_after,
        }
    }
}
