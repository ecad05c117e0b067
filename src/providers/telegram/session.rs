//! A session as it is kept: where a person is at home, and the key that they approved.

use std::net::SocketAddrV4;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::contract::Trouble;
use crate::kernel::random;
use crate::kernel::secret::Secret;

use super::centres::AuthKey;

/// A session at rest: where the person is at home, and the key that is theirs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// The number of the data centre.
    pub dc: i32,
    /// Its address.
    pub address: SocketAddrV4,
    /// The key, in URL-safe base64.
    auth_key: Secret,
}

impl Kept {
    /// Keeps a key.
    pub fn new(dc: i32, address: SocketAddrV4, key: &AuthKey) -> Self {
        Self { dc, address, auth_key: Secret::new(URL_SAFE_NO_PAD.encode(key)) }
    }

    /// What tells it from every other, and says nothing of the key.
    pub fn name(&self) -> Option<String> {
        self.key().ok().map(|key| random::hash(&URL_SAFE_NO_PAD.encode(key)))
    }

    /// The key.
    ///
    /// # Errors
    /// When it is none.
    pub fn key(&self) -> Result<AuthKey, Trouble> {
        let key = URL_SAFE_NO_PAD.decode(self.auth_key.reveal()).ok();
        key.and_then(|key| key.try_into().ok()).ok_or(Trouble::bug("session_unreadable"))
    }
}
