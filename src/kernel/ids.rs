//! Ids: a short prefix that says of what, and a ULID that sorts by time of making. Safe in a URL path.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use ulid::Ulid;

use super::clock::Millis;
use super::random::Random;

/// The text is not an id of the kind that begins so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an id that begins with {0} is needed here")]
pub struct NotAnId(&'static str);

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// What every id of this kind begins with.
            pub const PREFIX: &str = $prefix;

            /// Makes a fresh one.
            pub fn new(now: Millis, random: &Random) -> Self {
                let time = u64::try_from(now.0).unwrap_or(0);
                let ulid = Ulid::from_parts(time, u128::from_le_bytes(random.bytes()));
                Self(format!("{}{ulid}", Self::PREFIX))
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;

            fn from_str(text: &str) -> Result<Self, NotAnId> {
                let ulid = text.strip_prefix(Self::PREFIX).ok_or(NotAnId(Self::PREFIX))?;
                let canonical = Ulid::from_string(ulid).map_err(|_| NotAnId(Self::PREFIX))?.to_string() == ulid;
                if canonical { Ok(Self(text.to_owned())) } else { Err(NotAnId(Self::PREFIX)) }
            }
        }

        impl TryFrom<String> for $name {
            type Error = NotAnId;

            fn try_from(text: String) -> Result<Self, NotAnId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

ids! {
    /// One connect session: what a link stands for.
    SessionId = "authsess_";
    /// One try inside a session.
    AttemptId = "att_";
    /// A connected account; never changes, through any number of reconnects.
    AccountId = "acc_";
    /// A fact about a session or an account.
    EventId = "evt_";
    /// A URL that wants events.
    EndpointId = "ep_";
    /// One event on its way to one endpoint.
    DeliveryId = "dlv_";
    /// A grant on its way back to its provider.
    ReleaseId = "rel_";
    /// An API key (not the key itself).
    ApiKeyId = "key_";
    /// A line of the audit log.
    AuditId = "aud_";
    /// One HTTP request.
    RequestId = "req_";
    /// One run of a server process.
    NodeId = "node_";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_and_sorts_by_time() {
        let random = Random::system();
        let early = AccountId::new(Millis(1_000), &random);
        let late = AccountId::new(Millis(2_000), &random);
        assert!(early < late);
        assert_eq!(early.as_str().parse::<AccountId>(), Ok(early.clone()));
        assert_eq!(early.as_str().len(), "acc_".len() + 26);
    }

    #[test]
    fn other_kinds_and_odd_spellings_are_refused() {
        let id = AccountId::new(Millis(1), &Random::system());
        assert!(id.as_str().parse::<SessionId>().is_err());
        assert!(id.as_str().to_lowercase().parse::<AccountId>().is_err());
        assert!("acc_".parse::<AccountId>().is_err());
    }
}
