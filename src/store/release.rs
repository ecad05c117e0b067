//! Letting go of what a former process on the embedded database held.

use super::Store;
use super::error::Result;
use crate::kernel::words::ReleaseState;

impl Store {
    /// Lets go of everything a former process on this file held: deliveries, attempts, accounts that it was renewing,
    /// grants that it was ending, calls that it was answering, its place among the nodes and with it its conversations.
    /// Only for the embedded database, where the caller holds the file's lock and no other server can be at work.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn release_leases(&self) -> Result<()> {
        self.write((), |(), tx| {
            Box::pin(async move {
                sqlx::query(
                    "UPDATE deliveries SET leased_by = NULL, lease_until = NULL, version = version + 1 \
                     WHERE leased_by IS NOT NULL",
                )
                .execute(tx.conn())
                .await?;
                sqlx::query(
                    "UPDATE attempts SET busy_by = NULL, busy_until = NULL WHERE busy_by IS NOT NULL",
                )
                .execute(tx.conn())
                .await?;
                // Whoever renews next is to know that somebody began to and never said how it ended.
                sqlx::query("UPDATE accounts SET busy_until = 0 WHERE busy_until > 0")
                    .execute(tx.conn())
                    .await?;
                sqlx::query("UPDATE releases SET due_at = 0 WHERE state = $1")
                    .bind(ReleaseState::Ending.as_str())
                    .execute(tx.conn())
                    .await?;
                sqlx::query("DELETE FROM idempotent_calls WHERE busy_until IS NOT NULL")
                    .execute(tx.conn())
                    .await?;
                sqlx::query("DELETE FROM nodes").execute(tx.conn()).await?;
                Ok(())
            })
        })
        .await
    }
}
