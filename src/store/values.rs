//! Sealed values of the installation itself: a canary per key of the ring, the marker's key, signing secrets.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sqlx::AnyConnection;
use zeroize::Zeroizing;

use super::columns::Columns;
use super::error::{Error, Result};
use super::{Db, Store, Tx};
use crate::kernel::seal::Marker;
use crate::kernel::secret::Secret;

const TABLE: &str = "sealed_values";
const COLUMN: &str = "value";
const CANARY: &str = "canary:";
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

impl Db {
    async fn value(&mut self, id: &str) -> Result<Option<Zeroizing<Vec<u8>>>> {
        let found = sqlx::query("SELECT value FROM sealed_values WHERE id = $1")
            .bind(id)
            .fetch_optional(self.conn())
            .await?;
        match found {
            None => Ok(None),
            Some(row) => {
                let sealed = Columns::of(TABLE, &row).bytes()?;
                self.open(TABLE, COLUMN, id, 1, &sealed).map(Some)
            }
        }
    }
}

impl Tx {
    /// Stores a value unless there is one; gives the one that stands.
    async fn value_or_insert(
        &mut self,
        id: &str,
        fresh: &[u8],
        under: Option<&str>,
    ) -> Result<Zeroizing<Vec<u8>>> {
        let place = crate::kernel::seal::Place { table: TABLE, column: COLUMN, id, version: 1 };
        let sealed = match under {
            Some(key) => self.db.shared.ring.seal_under(key, place, fresh).ok_or(Error::NotFound)?,
            None => self.db.shared.ring.seal(place, fresh),
        };
        sqlx::query("INSERT INTO sealed_values (id, value) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING")
            .bind(id)
            .bind(sealed)
            .execute(self.conn())
            .await?;
        self.value(id).await?.ok_or(Error::NotFound)
    }
}

impl Store {
    /// Every key in the ring leaves a canary; every canary in the database must open.
    pub(super) async fn check_ring(&self) -> Result<()> {
        let mut db = self.read().await?;
        let sealed_with = key_ids(db.conn()).await?;
        let ring: Vec<String> = self.shared.ring.ids().map(str::to_owned).collect();
        for id in &sealed_with {
            if !ring.contains(id) {
                let what = format!("the database was sealed with key {id}, which the key file does not hold");
                return Err(Error::corrupt(TABLE, what));
            }
            db.value(&format!("{CANARY}{id}")).await?;
        }
        let missing: Vec<String> = ring.into_iter().filter(|id| !sealed_with.contains(id)).collect();
        drop(db);
        let fresh: [u8; 32] = self.shared.random.bytes();
        self.write((missing, fresh), |(missing, fresh), tx| {
            Box::pin(async move {
                // Two nodes with rings of their own may found the database at once: whoever comes second waits
                // for this row, cannot open it, and leaves no canary.
                tx.value_or_insert(MARKER, fresh, None).await?;
                for id in missing {
                    tx.value_or_insert(&format!("{CANARY}{id}"), b"canary", Some(id)).await?;
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
        let key = self.write(fresh, |fresh, tx| Box::pin(tx.value_or_insert(MARKER, fresh, None))).await?;
        Ok(Marker::new(&key))
    }

    /// The secret that calls to `notify_url` are signed with, as Standard Webhooks writes it: `whsec_` and
    /// base64 of 32 bytes. Made once.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn signing_secret(&self) -> Result<Secret> {
        let fresh: [u8; 32] = self.shared.random.bytes();
        let key = self.write(fresh, |fresh, tx| Box::pin(tx.value_or_insert(SIGNING, fresh, None))).await?;
        Ok(Secret::new(format!("whsec_{}", STANDARD.encode(&*key))))
    }
}
