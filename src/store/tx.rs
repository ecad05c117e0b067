//! A connection one can read through ([`Db`]) and a transaction one can also write through ([`Tx`]).
//! The tables' own files add their functions to these two types.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Instant;

use sqlx::AnyConnection;
use zeroize::Zeroizing;

use super::error::{Error, Result};
use super::fragments::Kind;
use super::readers::Reader;
use super::wake::Wake;
use super::writer::Job;
use crate::kernel::clock::Clock;
use crate::kernel::random::Random;
use crate::kernel::seal::{KeyRing, Place};
use crate::kernel::traces::Parent;

/// What every connection shares.
#[derive(Clone, Debug)]
pub(super) struct Shared {
    pub(super) ring: Arc<RwLock<Arc<KeyRing>>>,
    pub(super) kind: Kind,
    pub(super) clock: Clock,
    pub(super) random: Random,
    /// How this process was heard of.
    pub(super) pulse: Arc<Mutex<Option<Pulse>>>,
}

/// Since when this process has said without a gap that it lives, and when it did last.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pulse {
    pub(super) since: Instant,
    pub(super) last: Instant,
}

impl Shared {
    /// The ring as it stands at this moment: it is exchanged while others seal and open.
    pub(super) fn ring(&self) -> Arc<KeyRing> {
        self.ring.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

pub(super) enum Conn {
    Own(AnyConnection),
    Lent(Reader),
}

/// A connection for reading.
pub struct Db {
    pub(super) conn: Conn,
    pub(super) shared: Shared,
}

impl Db {
    pub(super) fn conn(&mut self) -> &mut AnyConnection {
        match &mut self.conn {
            Conn::Own(conn) => conn,
            Conn::Lent(reader) => reader.conn(),
        }
    }

    pub(super) fn seal(&self, table: &str, column: &str, id: &str, version: i64, plain: &[u8]) -> Vec<u8> {
        self.shared.ring().seal(Place { table, column, id, version }, plain)
    }

    pub(super) fn open(
        &self,
        table: &'static str,
        column: &str,
        id: &str,
        version: i64,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>> {
        let opened = self.shared.ring().open(Place { table, column, id, version }, sealed);
        opened.map_err(|error| Error::corrupt(table, format!("{column} of {id}: {error}")))
    }
}

/// A transaction. Everything done through it becomes true together, or not at all.
pub struct Tx {
    pub(super) db: Db,
    pub(super) wakes: Vec<Wake>,
    /// Where in a trace whoever asked for this write is.
    pub(super) trace: Option<Parent>,
}

impl Tx {
    pub(super) fn new(db: Db) -> Self {
        Self { db, wakes: Vec::new(), trace: None }
    }

    /// Tells whoever waits, once the transaction is committed.
    pub fn wake(&mut self, wake: Wake) {
        if !self.wakes.contains(&wake) {
            self.wakes.push(wake);
        }
    }

    pub(super) async fn raw(&mut self, sql: &'static str) -> Result<()> {
        sqlx::raw_sql(sql).execute(self.db.conn()).await?;
        Ok(())
    }

    /// Runs one write in a transaction of its own; gives whom to wake.
    pub(super) async fn transaction(&mut self, kind: Kind, job: &mut dyn Job) -> Result<Vec<Wake>> {
        self.wakes.clear();
        self.raw(kind.begin()).await?;
        let ran = match job.run(self).await {
            Ok(()) => self.notify(kind).await,
            Err(error) => Err(error),
        };
        match ran {
            Ok(()) => {
                self.raw(kind.commit()).await?;
                Ok(std::mem::take(&mut self.wakes))
            }
            Err(error) => match (self.raw("ROLLBACK").await, &error) {
                // Some failures end the transaction by themselves; what they said matters more than that
                // nothing was left to roll back.
                (Ok(()), _) | (Err(_), Error::Unavailable { retry: false, .. }) => Err(error),
                (Err(lost), _) => Err(lost),
            },
        }
    }

    /// On PostgreSQL the other nodes are told as part of the transaction.
    async fn notify(&mut self, kind: Kind) -> Result<()> {
        if kind == Kind::Postgres {
            for wake in self.wakes.clone() {
                sqlx::query("SELECT CAST(pg_notify($1, $2) AS TEXT)")
                    .bind(Wake::CHANNEL)
                    .bind(wake.encode())
                    .execute(self.db.conn())
                    .await?;
            }
        }
        Ok(())
    }
}

impl Deref for Tx {
    type Target = Db;

    fn deref(&self) -> &Db {
        &self.db
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut Db {
        &mut self.db
    }
}
