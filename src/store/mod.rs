//! Rows, and the only room with SQL in it. It knows what a row looks like, not what a step means: whatever
//! is secret arrives as bytes and is sealed here, bound to its table, column, row and version.
//!
//! One set of statements serves SQLite and PostgreSQL (through sqlx's `Any`) under seven rules: text, BIGINT and
//! bytes only; writing transactions begin through [`Store::write`]; no branch on a constraint's name; sums are cast;
//! no `EXISTS` as a column; no `LIKE`; times from our clock.

mod accounts;
mod attempts;
mod audit;
mod backup;
mod checks;
mod columns;

mod conditions;
mod conversations;
mod deliveries;
mod due;
mod endpoints;
mod error;
mod events;
mod finishes;
mod fragments;
mod grants;
mod handouts;
mod idempotency;
mod keys;
mod lanes;
mod migrate;
mod nodes;
mod readers;
mod release;
mod replays;
mod reseal;
mod returns;
mod sessions;
mod sweep;
mod tx;
mod values;
mod wake;
mod writer;

use std::path::PathBuf;
use std::sync::{Arc, Once, RwLock};
use std::time::Duration;

use futures_util::future::BoxFuture;
use sqlx::ConnectOptions;
use sqlx::any::AnyConnectOptions;
use sqlx::postgres::PgListener;
use sqlx::sqlite::SqliteConnectOptions;
use tokio::sync::{broadcast, mpsc, oneshot};

pub use accounts::{Account, AccountFilter, AccountUpdate};
pub use attempts::{Attempt, Shown};
pub use audit::{AuditEntry, AuditFilter};
pub use checks::{Hold, Looking, Watch};
pub use deliveries::{Delivery, Try};
pub use due::{DueLanes, Lane};
pub use endpoints::{Endpoint, Wanted};
pub use error::{Error, Result};
pub use events::Event;
pub use finishes::{Aside, Finish};
pub use fragments::{Kind, sqlite_url};
pub use grants::{ALONE, Release};
pub use idempotency::{Call, Taken};
pub use keys::ApiKey;
pub use lanes::Due;
pub use nodes::Node;
pub use replays::{DeliveryFilter, Recovered, events_since};
pub use reseal::{Counted, Reached, Resealed, SEALED, SealedColumn};
pub use returns::{Parked, Return};
pub use sessions::{Session, SessionFilter, SessionUpdate};
pub use sweep::Backlog;
pub use tx::{Db, Tx};
pub use wake::{Calls, Wake};

use crate::kernel::clock::Clock;
use crate::kernel::ids::AttemptId;
use crate::kernel::random::Random;
use crate::kernel::seal::KeyRing;
use crate::kernel::traces;
use readers::{Reader, Readers};
use tx::{Conn, Shared};
use wake::Bell;
use writer::{Job, Write, Writer};

/// How to reach the database.
#[derive(Clone, Debug)]
pub struct Address {
    /// `sqlite://…?mode=rwc` or `postgres://…`.
    pub url: String,
    /// Connections at most; the reading ones on SQLite.
    pub connections: u32,
}

/// The database. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    readers: Readers,
    shared: Shared,
    bell: Bell,
    /// SQLite's one writer; `None` on PostgreSQL.
    writer: Option<mpsc::Sender<Box<dyn Job>>>,
    /// Read by every write under way on PostgreSQL, so that closing can wait for them.
    running: Arc<tokio::sync::RwLock<()>>,
}

impl Store {
    /// Connects, brings the schema up to date and checks that the key ring fits what is sealed.
    ///
    /// # Errors
    /// `Unavailable`, or `Corrupt` when the key ring lacks a key that the database was sealed with.
    pub async fn open(address: &Address, ring: KeyRing, clock: Clock, random: Random) -> Result<Self> {
        let kind = kind(address)?;
        let readers = Readers::open(address, kind).await?;
        let applied = migrate::migrate(readers.get().await?.conn(), kind, clock.now()).await?;
        if !applied.is_empty() {
            tracing::info!(?applied, "the database schema was brought up to date");
        }
        let bell = Bell::new();
        let ring = Arc::new(RwLock::new(Arc::new(ring)));
        let shared = Shared { ring, kind, clock, random, pulse: Arc::default() };
        let writer = match kind {
            Kind::Sqlite => {
                let (sender, jobs) = mpsc::channel(4096);
                let writer = Writer {
                    url: address.url.clone(),
                    db: shared.clone(),
                    bell: bell.clone(),
                    jobs,
                    failed: std::sync::Mutex::default(),
                };
                tokio::spawn(writer.run());
                Some(sender)
            }
            Kind::Postgres => {
                tokio::spawn(listen(address.url.clone(), bell.clone()));
                None
            }
        };
        let store = Self { readers, shared, bell, writer, running: Arc::default() };
        store.check_ring(&store.shared.ring()).await?;
        store.choose_key().await?;
        Ok(store)
    }

    /// The names of the keys that the database was sealed with; empty for a new one. Needs no key ring: it
    /// decides whether one may be made.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn sealed_with(address: &Address) -> Result<Vec<String>> {
        let kind = kind(address)?;
        let readers = Readers::open(address, kind).await?;
        let ids = values::key_ids(readers.get().await?.conn()).await;
        readers.close().await;
        ids
    }

    /// The embedded database's file.
    pub fn file(address: &Address) -> Option<PathBuf> {
        let options: SqliteConnectOptions = address.url.parse().ok()?;
        Some(options.get_filename().to_owned())
    }

    /// How many reading connections (on PostgreSQL: connections) are in use at this moment.
    pub fn connections_used(&self) -> i64 {
        self.readers.lent()
    }

    /// Which database it is.
    pub fn kind(&self) -> Kind {
        self.shared.kind
    }

    /// A connection for reading.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn read(&self) -> Result<Db> {
        Ok(Db { conn: Conn::Lent(self.readers.get().await?), shared: self.shared.clone() })
    }

    /// Runs `run` over `context` in a transaction. It may run more than once, must await nothing but the
    /// transaction, and completes even when the caller goes away. Committed when it gives `Ok`.
    ///
    /// # Errors
    /// Whatever `run` gives, or `Unavailable`.
    pub async fn write<C, T>(
        &self,
        context: C,
        run: for<'a> fn(&'a C, &'a mut Tx) -> BoxFuture<'a, Result<T>>,
    ) -> Result<T>
    where
        C: Send + Sync + 'static,
        T: Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job = Box::new(Write { context, run, trace: traces::current(), kept: None, reply });
        match &self.writer {
            Some(writer) => writer.send(job).await.map_err(|_| stopped())?,
            None => {
                let (store, running) = (self.clone(), self.running.clone().read_owned().await);
                tokio::spawn(async move {
                    store.write_alone(job).await;
                    drop(running);
                });
            }
        }
        answer.await.map_err(|_| stopped())?
    }

    async fn write_alone(self, mut job: Box<dyn Job>) {
        for round in 0..5u32 {
            let ran = match self.read().await {
                Ok(db) => {
                    let mut tx = Tx::new(db);
                    let ran = tx.transaction(self.shared.kind, job.as_mut()).await;
                    if matches!(ran, Err(Error::Unavailable { retry: false, .. })) {
                        // Whatever state the connection is in, nobody else shall have it.
                        if let Conn::Lent(Reader::Pool(conn)) = tx.db.conn {
                            drop(conn.detach());
                        }
                    }
                    ran
                }
                Err(error) => Err(error),
            };
            match ran {
                // The listener rings for every node, this one included; ringing here as well saves the round trip.
                Ok(wakes) => {
                    self.bell.ring(wakes);
                    return job.answer(None);
                }
                Err(Error::Unavailable { retry: true, .. }) if round < 4 => {
                    let pause = 5.0 * f64::from(1 << round) * (0.5 + self.shared.random.fraction());
                    tokio::time::sleep(Duration::from_secs_f64(pause / 1000.0)).await;
                }
                Err(error) => return job.answer(Some(error)),
            }
        }
    }

    /// Wake-ups from now on. A slow listener may miss some: poll as well.
    pub fn wakes(&self) -> broadcast::Receiver<Wake> {
        self.bell.listen()
    }

    /// What is said of one attempt from now on. A call that is lost on its way is never made up for: poll as well.
    pub fn calls(&self, attempt: &AttemptId) -> Calls {
        self.bell.listen_to(attempt.as_str())
    }

    /// How far the database's clock is from ours, in milliseconds; zero for the embedded one.
    ///
    /// # Errors
    /// `Unavailable`: also how readiness is told.
    pub async fn skew(&self) -> Result<i64> {
        let mut db = self.read().await?;
        match self.shared.kind.clock() {
            Some(sql) => {
                let theirs: i64 = sqlx::query_scalar(sql).fetch_one(db.conn()).await?;
                Ok(theirs - self.shared.clock.now().0)
            }
            None => {
                let _: i64 =
                    sqlx::query_scalar("SELECT COUNT(*) FROM migrations").fetch_one(db.conn()).await?;
                Ok(0)
            }
        }
    }

    /// Waits until every write that was begun has ended, also those whose callers went away, and closes the
    /// connections. SQLite's own writer ends when the last clone of the store is gone.
    pub async fn close(self) {
        if let Err(error) = self.drain().await {
            tracing::error!(error = %error, "the last writes may not have been committed");
        }
        self.readers.close().await;
    }

    /// Returns when every write of this process that was begun before has ended.
    async fn drain(&self) -> Result<()> {
        if self.writer.is_some() {
            // Writes are run in the order they came, so this one's answer is the answer to all before it.
            self.write((), |(), _| Box::pin(async { Ok(()) })).await?;
        }
        drop(self.running.write().await);
        Ok(())
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("kind", &self.shared.kind).finish_non_exhaustive()
    }
}

fn stopped() -> Error {
    Error::Unavailable { what: "the store has stopped".to_owned(), retry: false }
}

fn kind(address: &Address) -> Result<Kind> {
    Kind::of(&address.url).ok_or_else(|| Error::Unavailable {
        what: "the database URL begins neither with sqlite: nor with postgres:".to_owned(),
        retry: false,
    })
}

/// Makes both databases' drivers known.
fn drivers() {
    static DRIVERS: Once = Once::new();
    DRIVERS.call_once(sqlx::any::install_default_drivers);
}

/// Connection options. Statements are not logged: the log is for what happened, not for how it was stored.
fn options(url: &str) -> Result<AnyConnectOptions> {
    Ok(url.parse::<AnyConnectOptions>()?.disable_statement_logging())
}

/// Passes PostgreSQL's notifications on to this node's listeners, for as long as the process lives.
async fn listen(url: String, bell: Bell) {
    loop {
        match PgListener::connect(&url).await {
            Ok(mut listener) => {
                if listener.listen(Wake::CHANNEL).await.is_ok() {
                    while let Ok(notification) = listener.recv().await {
                        bell.ring(Wake::decode(notification.payload()).into_iter().collect());
                    }
                }
            }
            Err(error) => tracing::debug!(error = %error, "the wake-up connection is down; polling goes on"),
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}
