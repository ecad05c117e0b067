//! SQLite's one writer. A synced commit costs most of a write there, so the writes that are waiting are
//! committed together, each inside its own savepoint; nobody is answered before the outer COMMIT returns.
//!
//! A write that fails in a way its caller expects (see [`Error`]: everything but `Unavailable`) is rolled back
//! alone. Any other failure may have ended the whole transaction (a full disk does), so the connection is
//! dropped and the batch's writes run again, each in a transaction of its own.

use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use sqlx::Connection;
use tokio::sync::{mpsc, oneshot};

use super::error::{Error, Result};
use super::fragments::Kind;
use super::readers::open_file;
use super::tx::{Conn, Db, Tx};
use super::wake::Bell;
use crate::kernel::figures::figures;
use crate::kernel::traces::Parent;

/// At most this many writes are committed together …
const BATCH: usize = 128;
/// … and no further one is begun after this long.
const BATCH_TIME: Duration = Duration::from_millis(5);

/// One write on its way: run, perhaps run again, then answered.
pub(super) trait Job: Send {
    /// Runs the closure inside a transaction and keeps what it gave.
    fn run<'a>(&'a mut self, tx: &'a mut Tx) -> BoxFuture<'a, Result<()>>;
    /// Hands the kept result over, or this error in its place.
    fn answer(self: Box<Self>, failed: Option<Error>);
}

/// A write as its caller gave it: a context and a function over it that may run more than once.
pub(super) struct Write<C, T> {
    pub(super) context: C,
    pub(super) run: for<'a> fn(&'a C, &'a mut Tx) -> BoxFuture<'a, Result<T>>,
    /// Where in a trace its caller is.
    pub(super) trace: Option<Parent>,
    pub(super) kept: Option<Result<T>>,
    pub(super) reply: oneshot::Sender<Result<T>>,
}

impl<C: Send + Sync, T: Send> Job for Write<C, T> {
    fn run<'a>(&'a mut self, tx: &'a mut Tx) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            tx.trace.clone_from(&self.trace);
            let run = AssertUnwindSafe(async { (self.run)(&self.context, tx).await });
            // A panic must neither end the one writer nor leave its transaction to the connection's next user.
            let result = run.catch_unwind().await.unwrap_or_else(|_| {
                Err(Error::Unavailable { what: "the write panicked".to_owned(), retry: false })
            });
            let outcome = result.as_ref().map(|_| ()).map_err(Clone::clone);
            self.kept = Some(result);
            outcome
        })
    }

    fn answer(self: Box<Self>, failed: Option<Error>) {
        let result = match (failed, self.kept) {
            (Some(error), _) => Err(error),
            (None, Some(result)) => result,
            (None, None) => {
                Err(Error::Unavailable { what: "the write was not run".to_owned(), retry: false })
            }
        };
        // The caller may have gone (a closed browser); the write stands all the same.
        let _ = self.reply.send(result);
    }
}

/// Where a batch stands when it could not be committed as a whole.
enum Batch {
    Committed,
    /// The connection is not to be trusted any more.
    Broken,
}

/// After so long without a write that failed, the next one is worth a line of its own.
const QUIET: std::time::Duration = std::time::Duration::from_secs(60);

/// The one connection that writes may keep 16 MB of pages, which it takes as it needs them: the inner pages of the indexes of a
/// hundred thousand accounts, each of which every look writes to somewhere.
const ROOM: &str = "PRAGMA cache_size = -16000";

pub(super) struct Writer {
    pub(super) url: String,
    pub(super) db: super::tx::Shared,
    pub(super) bell: Bell,
    pub(super) jobs: mpsc::Receiver<Box<dyn Job>>,
    /// When a write last failed for want of the database: the log says so once, not with each that fails.
    pub(super) failed: std::sync::Mutex<Option<Instant>>,
}

impl Writer {
    /// Runs until every sender is gone.
    pub(super) async fn run(mut self) {
        let mut tx: Option<Tx> = None;
        while let Some(first) = self.jobs.recv().await {
            let mut batch = Vec::with_capacity(8);
            batch.push(first);
            while batch.len() < BATCH {
                match self.jobs.try_recv() {
                    Ok(job) => batch.push(job),
                    Err(_) => break,
                }
            }
            self.commit(&mut tx, batch).await;
        }
        if let Some(Tx { db: Db { conn: Conn::Own(conn), .. }, .. }) = tx {
            // Closing folds the write-ahead log into the file.
            let _ = conn.close().await;
        }
    }

    async fn commit(&self, tx: &mut Option<Tx>, batch: Vec<Box<dyn Job>>) {
        let mut waiting = batch.into_iter();
        let mut done = Vec::new();
        while waiting.len() > 0 {
            let outcome = match self.connected(tx).await {
                Ok(open) => self.together(open, &mut waiting, &mut done).await,
                Err(error) => {
                    done.extend(waiting.by_ref());
                    for job in done.drain(..) {
                        job.answer(Some(error.clone()));
                    }
                    return;
                }
            };
            match outcome {
                Batch::Committed => done.drain(..).for_each(|job| job.answer(None)),
                Batch::Broken => {
                    *tx = None;
                    for job in done.drain(..) {
                        self.alone(tx, job).await;
                    }
                }
            }
        }
    }

    /// Runs as many waiting writes as the batch's time allows and commits them.
    async fn together(
        &self,
        tx: &mut Tx,
        waiting: &mut std::vec::IntoIter<Box<dyn Job>>,
        done: &mut Vec<Box<dyn Job>>,
    ) -> Batch {
        if tx.raw(Kind::Sqlite.begin()).await.is_err() {
            done.extend(waiting.next());
            return Batch::Broken;
        }
        let begun = Instant::now();
        while done.is_empty() || begun.elapsed() < BATCH_TIME {
            let Some(mut job) = waiting.next() else { break };
            if tx.raw("SAVEPOINT w").await.is_err() {
                done.push(job);
                return Batch::Broken;
            }
            let wakes = tx.wakes.len();
            let outcome = job.run(tx).await;
            done.push(job);
            let close = match outcome {
                Ok(()) => "RELEASE w",
                Err(Error::Unavailable { .. }) => return Batch::Broken,
                Err(_) => {
                    tx.wakes.truncate(wakes);
                    "ROLLBACK TO w; RELEASE w"
                }
            };
            if tx.raw(close).await.is_err() {
                return Batch::Broken;
            }
        }
        if tx.raw("COMMIT").await.is_err() {
            return Batch::Broken;
        }
        figures().batch.observe(done.len() as f64);
        figures().commit_time.observe(begun.elapsed().as_secs_f64());
        self.bell.ring(std::mem::take(&mut tx.wakes));
        Batch::Committed
    }

    /// Runs one write of a broken batch in a transaction of its own.
    async fn alone(&self, tx: &mut Option<Tx>, mut job: Box<dyn Job>) {
        let failed = match self.connected(tx).await {
            Err(error) => Some(error),
            Ok(open) => match open.transaction(Kind::Sqlite, job.as_mut()).await {
                Ok(wakes) => {
                    self.bell.ring(wakes);
                    None
                }
                Err(error) => {
                    if matches!(error, Error::Unavailable { .. }) {
                        let mut failed =
                            self.failed.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                        if failed.replace(Instant::now()).is_none_or(|before| before.elapsed() > QUIET) {
                            tracing::error!(error = %error, "writes fail");
                        }
                        drop(failed);
                        *tx = None;
                    }
                    Some(error)
                }
            },
        };
        job.answer(failed);
    }

    async fn connected<'t>(&self, tx: &'t mut Option<Tx>) -> Result<&'t mut Tx> {
        if tx.is_none() {
            let mut conn = open_file(&self.url).await?;
            sqlx::raw_sql(ROOM).execute(&mut conn).await?;
            *tx = Some(Tx::new(Db { conn: Conn::Own(conn), shared: self.db.clone() }));
        }
        tx.as_mut().ok_or(Error::NotFound)
    }
}
