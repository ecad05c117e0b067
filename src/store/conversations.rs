//! Conversations: which node talks with the provider while a step stands, and the code that it heard last. A node holds a
//! conversation as long as it lives, so that waiting people cost no writes; the code has a version of its own, since an
//! answer to the step must not fail over a newer code.

use std::time::Duration;

use super::error::{Error, Result};
use super::{Attempt, Db, Tx, Wake};
use crate::kernel::clock::Millis;
use crate::kernel::ids::NodeId;
use crate::kernel::words::AttemptState;

/// A node that was not heard of for so long talks no more. It is heard of every four seconds, so this is three times in vain;
/// shorter, since meanwhile a page shows a code that nobody listens to.
const SILENT: Duration = Duration::from_secs(13);

impl Db {
    /// Whether the node that an attempt's conversation is held by is alive at this moment.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn is_talked_for(&mut self, attempt: &Attempt) -> Result<bool> {
        let Some(node) = &attempt.talks_on else { return Ok(false) };
        let found: Option<i64> = sqlx::query_scalar("SELECT heard_at FROM nodes WHERE id = $1")
            .bind(&**node)
            .fetch_optional(self.conn())
            .await?;
        let Some(heard_at) = found else { return Ok(false) };
        let since = self.shared.clock.now().before(SILENT);
        // After a while in which nobody could say that they live, all are waited for as long again.
        Ok(heard_at > since.0 || self.shared.steady_for() < SILENT)
    }
}

impl Tx {
    /// Takes over the conversation of an attempt as it was read, and forgets the code that was heard in the former one.
    ///
    /// # Errors
    /// `Conflict` when it moved on or somebody else was quicker, `Unavailable`.
    pub async fn take_conversation(&mut self, read: &Attempt, node: &NodeId) -> Result<()> {
        let done = sqlx::query(
            "UPDATE attempts SET talks_on = $1, code = NULL, code_version = code_version + 1 \
             WHERE id = $2 AND version = $3 AND state = $4 AND COALESCE(talks_on, '') = $5",
        )
        .bind(node.as_str())
        .bind(read.id.as_str())
        .bind(read.version)
        .bind(AttemptState::Live.as_str())
        .bind(read.talks_on.as_deref().unwrap_or_default())
        .execute(self.conn())
        .await?;
        if done.rows_affected() == 1 { Ok(()) } else { Err(Error::Conflict) }
    }

    /// Stores the code that was heard, and calls whoever shows the step.
    ///
    /// # Errors
    /// `Conflict` when the step or the conversation has passed on, `Unavailable`.
    pub async fn save_code(&mut self, read: &Attempt, node: &NodeId, code: &[u8], now: Millis) -> Result<()> {
        // Versions only grow, and only the holder of the conversation writes codes.
        let next: Option<i64> = sqlx::query_scalar(
            "SELECT code_version FROM attempts WHERE id = $1 AND version = $2 AND talks_on = $3",
        )
        .bind(read.id.as_str())
        .bind(read.version)
        .bind(node.as_str())
        .fetch_optional(self.conn())
        .await?;
        let current = next.ok_or(Error::Conflict)?;
        let sealed = self.seal("attempts", "code", read.id.as_str(), current + 1, code);
        let done = sqlx::query(
            "UPDATE attempts SET code = $1, code_version = $2, updated_at = $3 \
             WHERE id = $4 AND version = $5 AND talks_on = $6 AND code_version = $7",
        )
        .bind(sealed)
        .bind(current + 1)
        .bind(now.0)
        .bind(read.id.as_str())
        .bind(read.version)
        .bind(node.as_str())
        .bind(current)
        .execute(self.conn())
        .await?;
        if done.rows_affected() != 1 {
            return Err(Error::Conflict);
        }
        self.wake(Wake::Attempt(read.id.as_str().to_owned()));
        Ok(())
    }
}
