//! Where reading connections come from: on PostgreSQL a pool; on SQLite a few connections of our own, since a pool
//! asks every connection that comes back whether it lives, which there costs as much again as reading one row.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::error::DatabaseError;
use sqlx::pool::PoolConnection;
use sqlx::{Any, AnyConnection, AnyPool, Connection, Executor};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Address;
use super::error::{Error, Result};
use super::fragments::Kind;

/// How long a reader waits for its turn.
const WAIT: Duration = Duration::from_secs(10);

/// Gives connections out, no more at a time than the address allows.
#[derive(Clone)]
pub(super) enum Readers {
    File(Arc<File>),
    Pool(AnyPool),
}

/// A SQLite file and the connections to it that nobody uses right now, the last used one on top.
pub(super) struct File {
    url: String,
    /// How many there may be.
    all: u32,
    turns: Arc<Semaphore>,
    idle: Mutex<Vec<AnyConnection>>,
}

/// A connection to a SQLite file; goes back when it is dropped.
pub(super) struct Borrowed {
    /// `None` only while it goes back.
    conn: Option<AnyConnection>,
    file: Arc<File>,
    _turn: OwnedSemaphorePermit,
}

/// A connection that was given out.
pub(super) enum Reader {
    File(Borrowed),
    Pool(PoolConnection<Any>),
}

impl Readers {
    /// Sets them up; connections are made when they are needed.
    pub(super) async fn open(address: &Address, kind: Kind) -> Result<Self> {
        super::drivers();
        if kind == Kind::Sqlite {
            let all = address.connections;
            let turns = Arc::new(Semaphore::new(usize::try_from(all).unwrap_or(1)));
            let file = File { url: address.url.clone(), all, turns, idle: Mutex::default() };
            return Ok(Self::File(Arc::new(file)));
        }
        let pool = AnyPoolOptions::new()
            .max_connections(address.connections)
            .acquire_timeout(WAIT)
            .after_connect(move |conn, _| {
                Box::pin(async move { conn.execute(kind.greeting()).await.map(|_| ()) })
            })
            .connect_with(super::options(&address.url)?)
            .await?;
        Ok(Self::Pool(pool))
    }

    /// A connection, when it is one's turn.
    pub(super) async fn get(&self) -> Result<Reader> {
        let file = match self {
            Self::Pool(pool) => return Ok(Reader::Pool(pool.acquire().await?)),
            Self::File(file) => file,
        };
        let turn = tokio::time::timeout(WAIT, file.turns.clone().acquire_owned()).await;
        let Ok(Ok(turn)) = turn else {
            return Err(Error::Unavailable { what: "no connection came free".to_owned(), retry: false });
        };
        let conn = match file.take() {
            Some(conn) => conn,
            None => open_file(&file.url).await?,
        };
        Ok(Reader::File(Borrowed { conn: Some(conn), file: file.clone(), _turn: turn }))
    }

    /// How many are given out.
    pub(super) fn lent(&self) -> i64 {
        match self {
            Self::Pool(pool) => i64::from(pool.size()) - pool.num_idle() as i64,
            Self::File(file) => i64::from(file.all) - file.turns.available_permits() as i64,
        }
    }

    /// Closes them all, once those that are lent are back; nobody gets one from now on.
    pub(super) async fn close(&self) {
        let file = match self {
            Self::Pool(pool) => return pool.close().await,
            Self::File(file) => file,
        };
        if let Ok(turns) = file.turns.clone().acquire_many_owned(file.all).await {
            file.turns.close();
            drop(turns);
        }
        while let Some(conn) = file.take() {
            let _ = conn.close().await;
        }
    }
}

/// Opens a connection to a SQLite file. The first one to a new file changes it to WAL, which takes the whole file for
/// a moment, and SQLite refuses whoever meets that at once instead of waiting; so this waits.
///
/// # Errors
/// `Unavailable`, also when the file stays locked for ten seconds.
pub(super) async fn open_file(url: &str) -> Result<AnyConnection> {
    let options = super::options(url)?;
    let begun = Instant::now();
    loop {
        match greeted(&options).await {
            Err(sqlx::Error::Database(error)) if is_busy(&*error) && begun.elapsed() < WAIT => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            opened => return Ok(opened?),
        }
    }
}

async fn greeted(options: &AnyConnectOptions) -> sqlx::Result<AnyConnection> {
    let mut conn = AnyConnection::connect_with(options).await?;
    sqlx::raw_sql(Kind::Sqlite.greeting()).execute(&mut conn).await?;
    Ok(conn)
}

/// SQLITE_BUSY, in any of its extended forms, whose lowest byte is the plain one.
fn is_busy(error: &dyn DatabaseError) -> bool {
    error.code().and_then(|code| code.parse::<i32>().ok()).is_some_and(|code| code & 0xff == 5)
}

impl File {
    fn take(&self) -> Option<AnyConnection> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        if let Some(conn) = self.conn.take() {
            // A statement that was given up half-way ends by itself: each connection runs one after the other.
            self.file.idle.lock().unwrap_or_else(PoisonError::into_inner).push(conn);
        }
    }
}

impl Reader {
    pub(super) fn conn(&mut self) -> &mut AnyConnection {
        match self {
            Self::Pool(conn) => conn,
            Self::File(Borrowed { conn: Some(conn), .. }) => conn,
            Self::File(Borrowed { conn: None, .. }) => unreachable!("taken only by drop"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite_url;

    #[tokio::test]
    async fn a_new_file_that_another_start_holds_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let url = sqlite_url(&folder.path().join("new.db"));
        crate::store::drivers();
        let mut other = AnyConnection::connect(&url).await.unwrap();
        sqlx::raw_sql("BEGIN EXCLUSIVE; CREATE TABLE t (x)").execute(&mut other).await.unwrap();
        let begun = Instant::now();
        let opening = tokio::spawn(async move { open_file(&url).await.map(|_| ()) });
        // Longer than the driver itself waits, which is five seconds.
        tokio::time::sleep(Duration::from_millis(6500)).await;
        assert!(!opening.is_finished(), "it gave up after {:?}", begun.elapsed());
        sqlx::raw_sql("COMMIT").execute(&mut other).await.unwrap();
        assert_eq!(opening.await.unwrap(), Ok(()));
        assert!(begun.elapsed() < WAIT + Duration::from_secs(6));
    }
}
