//! What an account's secret is good for after the sign-in: acting for the person, being renewed, being given back.

use std::collections::BTreeMap;

use serde_json::Value;

use super::provider::Actor;
use crate::kernel::clock::Millis;

/// What lets a backend act for the person right now. Shown to nobody but a backend that may read credentials.
#[derive(Clone)]
pub struct Credentials {
    /// The provider's documented shape, with its `type`.
    pub value: Value,
    /// When they stop working; `None` when nobody knows of an end.
    pub expires_at: Option<Millis>,
    /// Scopes that the settings ask for and the person did not grant.
    pub missing: Vec<String>,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

/// What asking the provider for fresh credentials came to, where it answered definitely.
#[derive(Clone, Debug)]
pub enum Renewed {
    /// They are fresh.
    Fresh {
        /// The secret to keep from now on.
        secret: super::State,
        /// Public details as they are from now on, by name; null for one that there is no more. The others stay.
        details: BTreeMap<String, Value>,
    },
    /// They are fresh, and not enough: the person has to sign in again. What came back is kept all the same, since what it
    /// replaces may never be used again.
    Short {
        /// The secret to keep from now on.
        secret: super::State,
        /// As in `Fresh`.
        details: BTreeMap<String, Value>,
        /// A stable code.
        cause: String,
        /// Who has to act.
        actor: Actor,
    },
    /// The grant is gone: the person has to sign in again. Never said for want of an answer.
    Gone {
        /// A stable code.
        cause: String,
        /// Who has to act.
        actor: Actor,
    },
}

/// What trying a secret that is not renewed came to, where it was answered definitely.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Checked {
    /// It works.
    Fine,
    /// It was refused. Never said for want of an answer.
    Refused {
        /// A stable code.
        cause: String,
        /// Who has to act.
        actor: Actor,
        /// Whether that may be believed at once. Servers under load refuse what is right; such a refusal counts when it
        /// is heard a second time.
        sure: bool,
    },
}

/// What can be read off a secret about watching over its account, without asking anybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outlook {
    /// Whom looking asks, below the provider: a host where every account may have its own; empty where all ask one.
    pub peer: String,
    /// Whether one looks by renewing; otherwise by [`super::Provider::check`].
    pub renews: bool,
    /// To which of our clients it was granted, where that is known.
    pub client: Option<String>,
    /// The next end that is known of.
    pub end: Option<End>,
}

/// A moment at which an account stops working unless somebody acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// A stable code.
    pub cause: &'static str,
    /// When.
    pub at: Millis,
    /// Whether renewing may move it on by itself. Such an end counts only once a renewal has left it where it was.
    pub moves: bool,
}

/// A security event that a provider sent and that was believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecurityEvent {
    /// Its issuer and its id there: it counts once.
    pub id: String,
    /// When it was issued.
    pub at: Millis,
    /// What it says of whom.
    pub alerts: Vec<Alert>,
}

/// What a security event says of a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// The provider's own stable id of the person.
    pub identity: String,
    /// What it means for their accounts.
    pub weight: Weight,
}

/// What a security event means for an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// What was granted has ended; a stable code.
    Ended(&'static str),
    /// It is to be looked at at once.
    Look,
}

/// Why a security event is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotTaken {
    /// It is none.
    Malformed,
    /// It is not signed by a key of its issuer.
    Key,
    /// It is somebody else's.
    Issuer,
    /// It is for somebody else.
    Audience,
    /// This provider sends none that we understand.
    NotSupported,
    /// It cannot be judged at the moment; a stable code.
    Unavailable(&'static str),
}

impl NotTaken {
    /// A stable code for the log.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Malformed => "event_malformed",
            Self::Key => "event_key",
            Self::Issuer => "event_issuer",
            Self::Audience => "event_audience",
            Self::NotSupported => "event_not_supported",
            Self::Unavailable(code) => code,
        }
    }
}

/// Something that is wrong with a provider's settings, found without a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// A stable code, such as `config_client_secret_expired`.
    pub code: &'static str,
    /// The setting, below the provider's section; empty where none is to blame.
    pub key: &'static str,
    /// What is wrong and where to mend it, naming the field of the provider's console.
    pub what: String,
    /// Whether nobody can connect because of it; otherwise it is worth knowing.
    pub fatal: bool,
}
