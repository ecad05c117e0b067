//! Forgetting what is over: sessions, calls and events that were kept as long as the operator wants them; and saying
//! how much waits.

use super::{Connect, Result};
use crate::kernel::figures::figures;

/// How many rows go at once: few enough that nobody notices that the database is written to.
const BATCH: i64 = 100;

impl Connect {
    /// Removes a few rows that were kept long enough; gives how many went. There may be more until it gives zero.
    /// Calls go before the sessions that they are made for, and sessions before stray events.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn sweep(&self) -> Result<usize> {
        let now = self.now();
        let (sessions, deliveries) =
            (now.before(self.limits.keep_sessions), now.before(self.limits.keep_deliveries));
        let gone = self.store.sweep_deliveries(deliveries, BATCH).await?
            + self.store.sweep_sessions(sessions, BATCH).await?
            + self.store.sweep_events(sessions, BATCH).await?
            + self.store.sweep_calls(now, BATCH).await?
            + self.store.sweep_audit(now.before(self.limits.keep_audit), BATCH).await?
            + self.store.sweep_security_events(sessions, BATCH).await?;
        Ok(gone)
    }

    /// Reads what waits at this moment into the figures.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn backlog(&self) -> Result<()> {
        let now = self.now();
        let mut db = self.store.read().await?;
        let (backlog, first) = (db.backlog(now).await?, db.first_and_last_look().await?.0);
        let figures = figures();
        figures.sessions_open.set(backlog.sessions_open);
        figures.deliveries_due.set(backlog.deliveries_due);
        figures.oldest_due.set(backlog.oldest_due.map_or(0.0, |at| now.since(at).as_secs_f64()));
        figures.checks_overdue.set(first.map_or(0.0, |at| now.since(at).as_secs_f64()));
        figures.connections.set(self.store.connections_used());
        Ok(())
    }
}
