//! Where a person stands on the way: the provider's state between two steps. It is sealed by the engine, and
//! the only secret in it is a password that has already proved to be right for reading.

use serde::{Deserialize, Serialize};

use crate::contract::{State, Trouble};
use crate::kernel::secret::Secret;

use super::servers::{Server, Servers};

/// Where a person stands.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Place {
    /// Whether an account that exists is being repaired; its sign-in name is then not up for change.
    pub repairs: bool,
    /// The mail address, also as the account's label; may be empty or unchecked before it has been given.
    pub address: String,
    /// The step shown, with what it needs.
    pub at: At,
}

/// The steps.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum At {
    /// Which address.
    Address,
    /// Which servers.
    Servers {
        /// The account's present servers, when it is being repaired.
        known: Option<Servers>,
    },
    /// Which password.
    Password {
        /// Where it will be sent.
        servers: Servers,
        /// Whether a person typed these servers, and so could have mistyped them.
        by_hand: bool,
    },
    /// Reading works, sending does not.
    Sending {
        /// Where reading works.
        imap: Server,
        /// The password that works there.
        password: Secret,
    },
}

/// The stored form says its version, so that a later build knows what an earlier one meant.
#[derive(Serialize, Deserialize)]
#[serde(tag = "version")]
enum Stored {
    #[serde(rename = "1")]
    One(Place),
}

impl Place {
    /// Into the engine's hands.
    ///
    /// # Errors
    /// None that could happen; a plain value always becomes JSON.
    pub fn store(self) -> Result<State, Trouble> {
        State::of(&Stored::One(self))
    }

    /// Back from the engine's hands.
    ///
    /// # Errors
    /// When it is nothing this build wrote.
    pub fn read(state: State) -> Result<Self, Trouble> {
        let Stored::One(place) = state.read()?;
        Ok(place)
    }
}
