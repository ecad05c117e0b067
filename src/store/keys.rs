//! API keys: only their hashes.

use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;

use super::columns::Columns;
use super::error::Result;
use super::{Db, Tx};
use crate::kernel::clock::Millis;
use crate::kernel::ids::ApiKeyId;

/// A key that a backend calls with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKey {
    /// Its id.
    pub id: ApiKeyId,
    /// What its maker called it.
    pub name: String,
    /// SHA-256 of the key.
    #[serde(skip)]
    pub hash: String,
    /// What it may do.
    pub scopes: Vec<String>,
    /// When it was made.
    pub created_at: Millis,
    /// When it stopped working.
    pub revoked_at: Option<Millis>,
}

macro_rules! select {
    ($tail:literal) => {
        concat!("SELECT id, name, hash, scopes, created_at, revoked_at FROM api_keys ", $tail)
    };
}

fn lift(row: &AnyRow) -> Result<ApiKey> {
    let mut columns = Columns::of("api_keys", row);
    Ok(ApiKey {
        id: columns.word(|id| id.parse().ok())?,
        name: columns.text()?,
        hash: columns.text()?,
        scopes: columns.json()?,
        created_at: columns.time()?,
        revoked_at: columns.maybe_time()?,
    })
}

impl Db {
    /// The key with this hash, revoked or not.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn api_key_by_hash(&mut self, hash: &str) -> Result<Option<ApiKey>> {
        let found = sqlx::query(select!("WHERE hash = $1")).bind(hash).fetch_optional(self.conn()).await?;
        found.as_ref().map(lift).transpose()
    }

    /// All keys, oldest first.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn api_keys(&mut self) -> Result<Vec<ApiKey>> {
        let rows = sqlx::query(select!("ORDER BY id")).fetch_all(self.conn()).await?;
        rows.iter().map(lift).collect()
    }
}

impl Tx {
    /// Adds a key.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn insert_api_key(&mut self, key: &ApiKey) -> Result<()> {
        sqlx::query("INSERT INTO api_keys (id, name, hash, scopes, created_at, revoked_at) VALUES ($1, $2, $3, $4, $5, $6)")
            .bind(key.id.as_str())
            .bind(&*key.name)
            .bind(&*key.hash)
            .bind(serde_json::json!(key.scopes).to_string())
            .bind(key.created_at.0)
            .bind(key.revoked_at.map(|at| at.0))
            .execute(self.conn())
            .await?;
        Ok(())
    }

    /// Ends a key; `false` when there is no such key or it had ended before.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn revoke_api_key(&mut self, id: &ApiKeyId, now: Millis) -> Result<bool> {
        let done = sqlx::query("UPDATE api_keys SET revoked_at = $1 WHERE id = $2 AND revoked_at IS NULL")
            .bind(now.0)
            .bind(id.as_str())
            .execute(self.conn())
            .await?;
        Ok(done.rows_affected() == 1)
    }
}
