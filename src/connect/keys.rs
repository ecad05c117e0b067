//! API keys: made once, shown once, kept as hashes.

use super::{Connect, Error, Result};
use crate::kernel::ids::ApiKeyId;
use crate::kernel::random::{Token, hash};
use crate::kernel::secret::Secret;
use crate::store::ApiKey;

/// The scope for links and accounts: everything but what has a scope of its own.
pub const MANAGE: &str = "manage";
/// The scope for reading credentials.
pub const CREDENTIALS: &str = "credentials";

/// The scope for reading the audit log.
pub const AUDIT: &str = "audit";

/// What every key begins with, so that secret scanners can find leaked ones.
const PREFIX: &str = "vst_";

/// A key that was just made; its text is shown this once.
#[derive(Debug)]
pub struct NewKey {
    /// What is kept of it.
    pub key: ApiKey,
    /// The key itself.
    pub text: Secret,
}

impl Connect {
    fn fresh_key(&self, name: &str, scopes: &[&str]) -> NewKey {
        let text = format!("{PREFIX}{}", Token::new(self.random()).reveal());
        let key = ApiKey {
            id: ApiKeyId::new(self.now(), self.random()),
            name: name.to_owned(),
            hash: hash(&text),
            scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
            created_at: self.now(),
            revoked_at: None,
        };
        NewKey { key, text: Secret::new(text) }
    }

    /// Makes a key.
    ///
    /// # Errors
    /// `Invalid` for an empty or overlong name, `Unavailable`.
    pub async fn create_key(&self, name: &str, scopes: &[&str]) -> Result<NewKey> {
        let name = name.trim();
        if name.is_empty() || name.chars().count() > 100 || name.chars().any(char::is_control) {
            return Err(Error::invalid(
                "name",
                "must have between 1 and 100 characters, none of them control characters",
            ));
        }
        let made = self.fresh_key(name, scopes);
        self.store.write(made.key.clone(), |key, tx| Box::pin(tx.insert_api_key(key))).await?;
        Ok(made)
    }

    /// Makes the first key if there has never been one, without the `credentials` scope.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn create_first_key(&self) -> Result<Option<NewKey>> {
        let made = self.fresh_key("first", &[MANAGE]);
        let inserted = self
            .store
            .write(made.key.clone(), |key, tx| {
                Box::pin(async move {
                    let none = tx.api_keys().await?.is_empty();
                    if none {
                        tx.insert_api_key(key).await?;
                    }
                    Ok(none)
                })
            })
            .await?;
        Ok(inserted.then_some(made))
    }

    /// All keys, oldest first.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn keys(&self) -> Result<Vec<ApiKey>> {
        Ok(self.store.read().await?.api_keys().await?)
    }

    /// Ends a key, from now on and on every node.
    ///
    /// # Errors
    /// `NotFound` when there is no such key or it had ended, `Unavailable`.
    pub async fn revoke_key(&self, id: &ApiKeyId) -> Result<()> {
        let now = self.now();
        let done = self
            .store
            .write((id.clone(), now), |(id, now), tx| Box::pin(tx.revoke_api_key(id, *now)))
            .await?;
        if done { Ok(()) } else { Err(Error::NotFound("key")) }
    }

    /// The key with this text, if it works.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn authenticate(&self, text: &str) -> Result<Option<ApiKey>> {
        Ok(self.known_key(text).await?.filter(|key| key.revoked_at.is_none()))
    }

    /// The key with this text, also when it was revoked.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn known_key(&self, text: &str) -> Result<Option<ApiKey>> {
        Ok(self.store.read().await?.api_key_by_hash(&hash(text)).await?)
    }
}
