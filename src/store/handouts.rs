//! Sessions that only one may be connected with, handed out to a backend. Nobody looks at such an account from then on, until
//! it is given back or connected anew: a second connection would end the first one, at some providers for good.

use super::Tx;
use super::error::Result;
use crate::kernel::clock::Millis;
use crate::kernel::ids::AccountId;

impl Tx {
    /// Notes that an account's session is handed out; `false` while somebody looks at it, or when it is
    /// another one by now or gone.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn hand_out(&mut self, id: &AccountId, read_version: i64, now: Millis) -> Result<bool> {
        let done = sqlx::query(
            "UPDATE accounts SET handed_out_at = $1 \
             WHERE id = $2 AND version = $3 AND (busy_until IS NULL OR busy_until = 0)",
        )
        .bind(now.0)
        .bind(id.as_str())
        .bind(read_version)
        .execute(self.conn())
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Notes that an account's session, handed out then, is nobody else's any more, and that nobody is looking at the account;
    /// `false` when it is another one by now, was handed out again, or the account is gone.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn take_back(&mut self, id: &AccountId, read_version: i64, handed_out: Millis) -> Result<bool> {
        let done = sqlx::query(
            "UPDATE accounts SET handed_out_at = NULL, busy_by = NULL, busy_until = NULL \
             WHERE id = $1 AND version = $2 AND handed_out_at = $3",
        )
        .bind(id.as_str())
        .bind(read_version)
        .bind(handed_out.0)
        .execute(self.conn())
        .await?;
        Ok(done.rows_affected() == 1)
    }
}
