//! Removing what is over and was kept long enough, a few rows at a time, so that nobody waits for it. What is still
//! needed stays, however old: a session while a call on its behalf is listed, an event that a call tells, and the
//! latest event of an account, whose number the next one follows.
//!
//! Ids begin with the time of making, so the oldest rows are found by the primary key.

use sqlx::any::AnyRow;

use super::columns::Columns;
use super::error::Result;
use super::{Db, Store, Tx};
use crate::kernel::clock::Millis;
use crate::kernel::ids::{DeliveryId, EventId, SessionId};
use crate::kernel::random::Random;
use crate::kernel::words::{DeliveryState, SessionState};

/// A session that is over and on whose behalf no call is listed any more.
macro_rules! session_is_over {
    () => {
        "ended_at IS NOT NULL AND ended_at <= $2 AND state <> 'finishing' \
         AND NOT EXISTS (SELECT 1 FROM endpoints p JOIN deliveries d ON d.endpoint_id = p.id \
         WHERE p.session_id = sessions.id) \
         AND NOT EXISTS (SELECT 1 FROM events e JOIN deliveries d ON d.event_id = e.id WHERE e.subject = sessions.id)"
    };
}

/// An event that nobody needs: not of a session that is kept, not an account's latest, not told by any call.
macro_rules! event_is_over {
    () => {
        "NOT EXISTS (SELECT 1 FROM sessions s WHERE s.id = events.subject) \
         AND NOT EXISTS (SELECT 1 FROM accounts a WHERE a.id = events.subject AND a.seq = events.seq) \
         AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.event_id = events.id)"
    };
}

impl Db {
    async fn ids(&mut self, found: Vec<AnyRow>) -> Result<Vec<String>> {
        found.iter().map(|row| Columns::of("ids", row).text()).collect()
    }

    async fn old_sessions(&mut self, before: Millis, limit: i64) -> Result<Vec<String>> {
        let bound = SessionId::new(before, &zeros());
        let found = sqlx::query(concat!(
            "SELECT id FROM sessions WHERE id < $1 AND ",
            session_is_over!(),
            " ORDER BY id LIMIT $3"
        ))
        .bind(bound.as_str())
        .bind(before.0)
        .bind(limit)
        .fetch_all(self.conn())
        .await?;
        self.ids(found).await
    }

    async fn old_deliveries(&mut self, before: Millis, limit: i64) -> Result<Vec<String>> {
        let bound = DeliveryId::new(before, &zeros());
        let found = sqlx::query(
            "SELECT id FROM deliveries WHERE id < $1 AND ended_at <= $2 AND state <> $3 ORDER BY id LIMIT $4",
        )
        .bind(bound.as_str())
        .bind(before.0)
        .bind(DeliveryState::Due.as_str())
        .bind(limit)
        .fetch_all(self.conn())
        .await?;
        self.ids(found).await
    }

    async fn old_events(&mut self, before: Millis, limit: i64) -> Result<Vec<String>> {
        let bound = EventId::new(before, &zeros());
        let found = sqlx::query(concat!(
            "SELECT id FROM events WHERE id < $1 AND ",
            event_is_over!(),
            " ORDER BY id LIMIT $2"
        ))
        .bind(bound.as_str())
        .bind(limit)
        .fetch_all(self.conn())
        .await?;
        self.ids(found).await
    }
}

impl Tx {
    /// Removes rows by id from a statement that says again why they may go; gives those that went.
    async fn remove(&mut self, sql: &'static str, ids: &[String], before: Millis) -> Result<Vec<String>> {
        let mut gone = Vec::with_capacity(ids.len());
        for id in ids {
            let done = sqlx::query(sql).bind(id.as_str()).bind(before.0).execute(self.conn()).await?;
            if done.rows_affected() == 1 {
                gone.push(id.clone());
            }
        }
        Ok(gone)
    }

    async fn remove_all(&mut self, sql: &'static str, ids: &[String]) -> Result<()> {
        for id in ids {
            sqlx::query(sql).bind(id.as_str()).execute(self.conn()).await?;
        }
        Ok(())
    }
}

/// What waits at this moment, on all nodes together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backlog {
    /// Sessions that may still be used.
    pub sessions_open: i64,
    /// Deliveries on their way.
    pub deliveries_due: i64,
    /// When the oldest of these was made.
    pub oldest_due: Option<Millis>,
}

impl Db {
    /// What waits at this moment.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn backlog(&mut self, now: Millis) -> Result<Backlog> {
        let open = "SELECT COUNT(*) FROM sessions WHERE state = $1 AND expires_at > $2";
        let sessions_open = sqlx::query_scalar(open)
            .bind(SessionState::Open.as_str())
            .bind(now.0)
            .fetch_one(self.conn())
            .await?;
        let row = sqlx::query("SELECT COUNT(*), MIN(created_at) FROM deliveries WHERE state = $1")
            .bind(DeliveryState::Due.as_str())
            .fetch_one(self.conn())
            .await?;
        let mut columns = Columns::of("deliveries", &row);
        Ok(Backlog { sessions_open, deliveries_due: columns.int()?, oldest_due: columns.maybe_time()? })
    }
}

impl Store {
    /// Removes security events that were taken before this time; at most `limit` at once. Gives how many went.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn sweep_security_events(&self, before: Millis, limit: i64) -> Result<usize> {
        let gone = self
            .write((before, limit), |(before, limit), tx| {
                Box::pin(async move {
                    let sql = "DELETE FROM security_events WHERE id IN \
                               (SELECT id FROM security_events WHERE at <= $1 ORDER BY at LIMIT $2)";
                    Ok(sqlx::query(sql).bind(before.0).bind(*limit).execute(tx.conn()).await?.rows_affected())
                })
            })
            .await?;
        Ok(usize::try_from(gone).unwrap_or(usize::MAX))
    }

    /// Removes deliveries that were done or given up before this time, with their tries; at most `limit` at once.
    /// Gives how many went.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn sweep_deliveries(&self, before: Millis, limit: i64) -> Result<usize> {
        let ids = self.read().await?.old_deliveries(before, limit).await?;
        if ids.is_empty() {
            return Ok(0);
        }
        self.write((ids, before), |(ids, before), tx| {
            Box::pin(async move {
                // One that is being sent once more in this moment is due, and stays.
                let sql = "DELETE FROM deliveries WHERE id = $1 AND ended_at <= $2";
                let gone = tx.remove(sql, ids, *before).await?;
                tx.remove_all("DELETE FROM delivery_tries WHERE delivery_id = $1", &gone).await?;
                Ok(gone.len())
            })
        })
        .await
    }

    /// Removes sessions that ended before this time, with their attempts, events and endpoints; at most `limit` at
    /// once. Gives how many went.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn sweep_sessions(&self, before: Millis, limit: i64) -> Result<usize> {
        let ids = self.read().await?.old_sessions(before, limit).await?;
        if ids.is_empty() {
            return Ok(0);
        }
        self.write((ids, before), |(ids, before), tx| {
            Box::pin(async move {
                let sql = concat!("DELETE FROM sessions WHERE id = $1 AND ", session_is_over!());
                let gone = tx.remove(sql, ids, *before).await?;
                let ways =
                    "DELETE FROM returns WHERE attempt_id IN (SELECT id FROM attempts WHERE session_id = $1)";
                tx.remove_all(ways, &gone).await?;
                tx.remove_all("DELETE FROM attempts WHERE session_id = $1", &gone).await?;
                tx.remove_all("DELETE FROM events WHERE subject = $1", &gone).await?;
                tx.remove_all("DELETE FROM endpoints WHERE session_id = $1", &gone).await?;
                Ok(gone.len())
            })
        })
        .await
    }

    /// Removes what was kept of calls for the case that they come again, once that time is over; at most `limit` at
    /// once. Gives how many went.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn sweep_calls(&self, now: Millis, limit: i64) -> Result<usize> {
        let found = sqlx::query(
            "SELECT id FROM idempotent_calls WHERE expires_at <= $1 ORDER BY expires_at, id LIMIT $2",
        );
        let mut db = self.read().await?;
        let found = found.bind(now.0).bind(limit).fetch_all(db.conn()).await?;
        let ids = db.ids(found).await?;
        drop(db);
        if ids.is_empty() {
            return Ok(0);
        }
        self.write((ids, now), |(ids, now), tx| {
            Box::pin(async move {
                let sql = "DELETE FROM idempotent_calls WHERE id = $1 AND expires_at <= $2";
                Ok(tx.remove(sql, ids, *now).await?.len())
            })
        })
        .await
    }

    /// Removes events of accounts that are older than this time and not needed any more; at most `limit` at once.
    /// Gives how many went.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn sweep_events(&self, before: Millis, limit: i64) -> Result<usize> {
        let ids = self.read().await?.old_events(before, limit).await?;
        if ids.is_empty() {
            return Ok(0);
        }
        self.write((ids, before), |(ids, before), tx| {
            Box::pin(async move {
                let sql = concat!("DELETE FROM events WHERE id = $1 AND at <= $2 AND ", event_is_over!());
                Ok(tx.remove(sql, ids, *before).await?.len())
            })
        })
        .await
    }
}

/// Nothing random: an id made with it comes before all others of its millisecond.
fn zeros() -> Random {
    Random::new(|bytes| bytes.fill(0))
}
