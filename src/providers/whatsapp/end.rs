//! How a linking ends that does not lead to an account: each end with its code, and who can do something about it.

use std::time::Duration;

use wire_whatsapp::{CodeEnd, Error, Refusal};

use crate::contract::{Actor, Trouble};

/// What the wire package says when a phone's word is sealed with another secret than the one on show: what was scanned is no
/// longer on the screen.
const OTHER_CODE: Error = Error::Untrusted("hmac-mismatch");

/// An end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Nobody scanned a code while there were any.
    CodesExpired,
    /// Nobody typed the pairing code in time.
    CodeExpired,
    /// It was typed, and nothing came of it.
    CodeMistyped,
    /// The service wants another one.
    CodeWithdrawn,
    /// The service asks for patience.
    RateLimited,
    /// The service gives no pairing code for this number.
    CodeRefused,
    /// We ask for no more pairing codes for this number.
    TooManyCodes,
    /// The passkey's answer did not come in time.
    PasskeyExpired,
    /// A code was scanned that is no longer on show.
    CodeOutdated,
    /// The account is banned for a time.
    AccountBanned(Option<Duration>),
    /// The account is locked or banned for good.
    AccountLocked,
    /// The device was unlinked.
    LoggedOut,
    /// The phone does not link several devices.
    SingleDevice,
    /// Somebody else is online with the session.
    SessionInUse,
    /// Our version is too old.
    ClientOutdated,
    /// Whoever answered is not the service.
    ServerUntrusted,
    /// The service is away.
    ProviderUnavailable,
    /// The service said something that the protocol does not have.
    ProtocolError,
}

impl End {
    /// All of them.
    #[cfg(test)]
    pub const ALL: &'static [Self] = &[
        Self::CodesExpired,
        Self::CodeExpired,
        Self::CodeMistyped,
        Self::CodeWithdrawn,
        Self::RateLimited,
        Self::CodeRefused,
        Self::TooManyCodes,
        Self::PasskeyExpired,
        Self::CodeOutdated,
        Self::AccountBanned(None),
        Self::AccountLocked,
        Self::LoggedOut,
        Self::SingleDevice,
        Self::SessionInUse,
        Self::ClientOutdated,
        Self::ServerUntrusted,
        Self::ProviderUnavailable,
        Self::ProtocolError,
    ];

    /// Its stable code.
    pub fn code(self) -> &'static str {
        match self {
            Self::CodesExpired => "codes_expired",
            Self::CodeExpired => "code_expired",
            Self::CodeMistyped => "code_mistyped",
            Self::CodeWithdrawn => "code_withdrawn",
            Self::RateLimited => "rate_limited",
            Self::CodeRefused => "code_refused",
            Self::TooManyCodes => "too_many_codes",
            Self::PasskeyExpired => "passkey_expired",
            Self::CodeOutdated => "code_outdated",
            Self::AccountBanned(_) => "account_banned",
            Self::AccountLocked => "account_locked",
            Self::LoggedOut => "logged_out",
            Self::SingleDevice => "single_device",
            Self::SessionInUse => "session_in_use",
            Self::ClientOutdated => "client_outdated",
            Self::ServerUntrusted => "server_untrusted",
            Self::ProviderUnavailable => "provider_unavailable",
            Self::ProtocolError => "protocol_error",
        }
    }

    /// Who can do something about it.
    pub fn actor(self) -> Actor {
        match self {
            Self::ClientOutdated | Self::ServerUntrusted | Self::ProtocolError => Actor::Operator,
            Self::ProviderUnavailable | Self::RateLimited | Self::SessionInUse => Actor::Nobody,
            _ => Actor::Person,
        }
    }

    /// What an error of the wire package means.
    pub fn of(error: &Error) -> Self {
        match error {
            error if *error == OTHER_CODE => Self::CodeOutdated,
            Error::Untrusted(_) => Self::ServerUntrusted,
            Error::Connect(_) | Error::Timeout(_) | Error::Closed => Self::ProviderUnavailable,
            Error::Answer { code: 429, .. } => Self::RateLimited,
            Error::Answer { code: 500.., .. } => Self::ProviderUnavailable,
            Error::Refused(refusal) => match refusal {
                Refusal::Unlinked => Self::LoggedOut,
                Refusal::Banned { ends_in, .. } => Self::AccountBanned(*ends_in),
                Refusal::Locked => Self::AccountLocked,
                Refusal::Outdated => Self::ClientOutdated,
                Refusal::Replaced => Self::SessionInUse,
                Refusal::SingleDevice => Self::SingleDevice,
                Refusal::Unavailable(_) => Self::ProviderUnavailable,
                Refusal::Other(429) => Self::RateLimited,
                _ => Self::ProtocolError,
            },
            _ => Self::ProtocolError,
        }
    }

    /// Why a pairing code is over.
    pub fn of_code(end: CodeEnd) -> Self {
        match end {
            CodeEnd::Expired => Self::CodeExpired,
            CodeEnd::Mistyped => Self::CodeMistyped,
            CodeEnd::Withdrawn => Self::CodeWithdrawn,
            CodeEnd::Throttled => Self::RateLimited,
            CodeEnd::Refused(408 | 500..) => Self::ProviderUnavailable,
            CodeEnd::Refused(_) => Self::CodeRefused,
        }
    }

    /// Whether an account whose session meets it is refused, rather than unanswered.
    pub fn refuses(self) -> bool {
        matches!(self, Self::LoggedOut | Self::AccountLocked | Self::AccountBanned(_))
    }
}

impl From<End> for Trouble {
    fn from(end: End) -> Self {
        // Nobody has refused the person.
        let actor = if end.actor() == Actor::Person { Actor::Nobody } else { end.actor() };
        Self { code: end.code(), actor }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_of_the_wire_has_its_end() {
        let refused = |refusal| End::of(&Error::Refused(refusal));
        let hour = Some(Duration::from_secs(3600));
        for (found, end) in [
            (End::of(&Error::Connect("connect_refused".into())), End::ProviderUnavailable),
            (End::of(&Error::Timeout("the login")), End::ProviderUnavailable),
            (End::of(&Error::Closed), End::ProviderUnavailable),
            (End::of(&Error::Untrusted("a chain with a link missing")), End::ServerUntrusted),
            (End::of(&OTHER_CODE), End::CodeOutdated),
            (End::of(&Error::Protocol("x")), End::ProtocolError),
            (End::of(&Error::Answer { what: "x", code: 429 }), End::RateLimited),
            (End::of(&Error::Answer { what: "x", code: 503 }), End::ProviderUnavailable),
            (End::of(&Error::Answer { what: "x", code: 400 }), End::ProtocolError),
            (End::of(&Error::Input("x")), End::ProtocolError),
            (refused(Refusal::Unlinked), End::LoggedOut),
            (refused(Refusal::Banned { ends_in: hour, code: None }), End::AccountBanned(hour)),
            (refused(Refusal::Locked), End::AccountLocked),
            (refused(Refusal::Outdated), End::ClientOutdated),
            (refused(Refusal::Replaced), End::SessionInUse),
            (refused(Refusal::SingleDevice), End::SingleDevice),
            (refused(Refusal::Unavailable(503)), End::ProviderUnavailable),
            (refused(Refusal::Other(429)), End::RateLimited),
            (refused(Refusal::Other(418)), End::ProtocolError),
            (End::of_code(CodeEnd::Refused(400)), End::CodeRefused),
            (End::of_code(CodeEnd::Refused(408)), End::ProviderUnavailable),
            (End::of_code(CodeEnd::Throttled), End::RateLimited),
        ] {
            assert_eq!(found, end);
        }
    }

    #[test]
    fn only_words_about_the_account_refuse_it() {
        let refusing: Vec<_> = End::ALL.iter().filter(|end| end.refuses()).map(|end| end.code()).collect();
        assert_eq!(refusing, ["account_banned", "account_locked", "logged_out"]);
        for end in End::ALL {
            assert_ne!(Trouble::from(*end).actor, Actor::Person);
        }
    }
}
