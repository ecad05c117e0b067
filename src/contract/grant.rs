//! What an account's secret is good for after the sign-in: acting for the person, being renewed, being given back.

use std::collections::BTreeMap;

use serde_json::Value;

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
    /// The grant is gone: the person has to sign in again. Never said for want of an answer.
    Gone {
        /// A stable code.
        cause: String,
    },
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
