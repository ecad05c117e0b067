//! Sealed values of the installation itself: a canary per key of the ring, the marker's key, signing secrets. A key
//! that was taken out of use leaves a note in its canary's place.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sqlx::AnyConnection;
use zeroize::Zeroizing;

use super::columns::Columns;
use super::error::{Error, Result};
use super::{Db, Store, Tx};
use crate::kernel::seal::{KeyRing, Marker, Place};
use crate::kernel::secret::Secret;

const TABLE: &str = "sealed_values";
const COLUMN: &str = "value";
const CANARY: &str = "canary:";
const RETIRED: &str = "retired:";
const MARKER: &str = "marker";
const SIGNING: &str = "webhook_secret";

/// The names of the keys that left a canary; empty when the table does not exist yet.
pub(super) async fn key_ids(conn: &mut AnyConnection) -> Result<Vec<String>> {
    let rows = match sqlx::query("SELECT id FROM sealed_values ORDER BY id").fetch_all(conn).await {
        Ok(rows) => rows,
        // Nothing else may pass for a new database: a fresh key would be made for one that has its own.
        Err(sqlx::Error::Database(error))
            if error.code().as_deref() == Some("42P01") || error.message().starts_with("no such table") =>
        {
            return Ok(Vec::new());
        }
        Err(error) => return Err(error.into()),
    };
    let ids = rows.iter().map(|row| Columns::of(TABLE, row).text()).collect::<Result<Vec<_>>>()?;
    Ok(ids.iter().filter_map(|id| id.strip_prefix(CANARY)).map(str::to_owned).collect())
}

fn place(id: &str) -> Place<'_> {
    Place { table: TABLE, column: COLUMN, id, version: 1 }
}

impl Db {
    async fn value_under(&mut self, id: &str, ring: &KeyRing) -> Result<Option<Zeroizing<Vec<u8>>>> {
        let found = sqlx::query("SELECT value FROM sealed_values WHERE id = $1")
            .bind(id)
            .fetch_optional(self.conn())
            .await?;
        let Some(row) = found else { return Ok(None) };
        let opened = ring.open(place(id), &Columns::of(TABLE, &row).bytes()?);
        opened.map(Some).map_err(|error| Error::corrupt(TABLE, format!("{COLUMN} of {id}: {error}")))
    }

    /// The names of the keys that were taken out of use.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn retired_keys(&mut self) -> Result<Vec<String>> {
        let rows = sqlx::query("SELECT id FROM sealed_values ORDER BY id").fetch_all(self.conn()).await?;
        let ids = rows.iter().map(|row| Columns::of(TABLE, row).text()).collect::<Result<Vec<_>>>()?;
        Ok(ids.iter().filter_map(|id| id.strip_prefix(RETIRED)).map(str::to_owned).collect())
    }
}

impl Tx {
    /// Stores a value unless there is one; gives the one that stands.
    async fn value_or_insert(&mut self, id: &str, fresh: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        let ring = self.shared.ring();
        self.sealed_or_insert(id, &ring.seal(place(id), fresh), &ring).await
    }

    /// The same with bytes that were sealed already.
    async fn sealed_or_insert(
        &mut self,
        id: &str,
        sealed: &[u8],
        ring: &KeyRing,
    ) -> Result<Zeroizing<Vec<u8>>> {
        sqlx::query("INSERT INTO sealed_values (id, value) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING")
            .bind(id)
            .bind(sealed.to_vec())
            .execute(self.conn())
            .await?;
        self.value_under(id, ring).await?.ok_or(Error::NotFound)
    }

    /// Takes a key out of use: its canary makes room for a note, so that rings without the key are accepted, and
    /// rings that still hold it never seal with it. Doing so twice is fine.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn retire_key(&mut self, id: &str) -> Result<()> {
        self.value_or_insert(&format!("{RETIRED}{id}"), b"retired").await?;
        sqlx::query("DELETE FROM sealed_values WHERE id = $1")
            .bind(format!("{CANARY}{id}"))
            .execute(self.conn())
            .await?;
        Ok(())
    }
}

impl Store {
    /// Every key in the ring leaves a canary; every canary in the database must open.
    pub(super) async fn check_ring(&self, ring: &Arc<KeyRing>) -> Result<()> {
        let mut db = self.read().await?;
        let sealed_with = key_ids(db.conn()).await?;
        for id in &sealed_with {
            if !ring.ids().any(|known| known == id) {
                let what = format!("the database was sealed with key {id}, which the key file does not hold");
                return Err(Error::corrupt(TABLE, what));
            }
            db.value_under(&format!("{CANARY}{id}"), ring).await?;
        }
        let retired = db.retired_keys().await?;
        drop(db);
        if ring.ids().all(|id| retired.iter().any(|retired| retired == id)) {
            let what = "every key that the key file holds was taken out of use; put the newer ones back";
            return Err(Error::corrupt(TABLE, what));
        }
        let fresh = |id: &&str| !sealed_with.iter().chain(&retired).any(|known| known == id);
        let canaries: Vec<(String, Vec<u8>)> = ring
            .ids()
            .filter(fresh)
            .filter_map(|id| {
                let row = format!("{CANARY}{id}");
                ring.seal_under(id, place(&row), b"canary").map(|sealed| (row, sealed))
            })
            .collect();
        let marker = ring.seal(place(MARKER), &self.shared.random.bytes::<32>());
        self.write((canaries, marker, ring.clone()), |(canaries, marker, ring), tx| {
            Box::pin(async move {
                // Two nodes with rings of their own may found the database at once: whoever comes second waits
                // for this row, cannot open it, and leaves no canary.
                tx.sealed_or_insert(MARKER, marker, ring).await?;
                for (row, sealed) in canaries {
                    tx.sealed_or_insert(row, sealed, ring).await?;
                }
                Ok(())
            })
        })
        .await
    }

    /// The marker for looking up what is sealed; its key is made once and outlives key rotation.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn marker(&self) -> Result<Marker> {
        let fresh: [u8; 32] = self.shared.random.bytes();
        let key = self.write(fresh, |fresh, tx| Box::pin(tx.value_or_insert(MARKER, fresh))).await?;
        Ok(Marker::new(&key))
    }

    /// The secret that calls to `notify_url` are signed with, as Standard Webhooks writes it: `whsec_` and
    /// base64 of 32 bytes. Made once.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn signing_secret(&self) -> Result<Secret> {
        let fresh: [u8; 32] = self.shared.random.bytes();
        let key = self.write(fresh, |fresh, tx| Box::pin(tx.value_or_insert(SIGNING, fresh))).await?;
        Ok(Secret::new(format!("whsec_{}", STANDARD.encode(&*key))))
    }
}
