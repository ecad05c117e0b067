//! Calls that must have their effect once, however often they are sent: whose call it is, a mark of its body, and the
//! reply, sealed. A call that runs holds its row by a lease; its effect commits together with its reply.

use zeroize::Zeroizing;

use super::columns::Columns;
use super::error::{Error, Result};
use super::{Db, Tx};
use crate::kernel::clock::Millis;
use crate::kernel::ids::SessionId;

const TABLE: &str = "idempotent_calls";
const REPLY: &str = "reply";

/// A call that asks for its turn.
#[derive(Clone, Debug)]
pub struct Call {
    /// The mark of caller, route and idempotency key.
    pub id: String,
    /// The mark of the body.
    pub fingerprint: String,
    /// The moment it is.
    pub now: Millis,
    /// When its lease runs out.
    pub busy_until: Millis,
    /// When it is forgotten, at the latest.
    pub expires_at: Millis,
}

/// What a call gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is its turn; this is the version it holds the row under.
    Now(i64),
    /// It was done before; the reply, where one was kept.
    Before(Option<Zeroizing<Vec<u8>>>),
    /// The same call runs at this moment, at most until then.
    Running(Millis),
    /// The same key came with another body.
    Other,
}

impl Db {
    /// What stands for a call: fingerprint, version, lease and, unsealed, the reply.
    async fn standing_call(&mut self, call: &Call) -> Result<Option<(i64, Taken)>> {
        let sql = "SELECT fingerprint, version, busy_until, reply FROM idempotent_calls WHERE id = $1 AND expires_at > $2";
        let found = sqlx::query(sql).bind(&*call.id).bind(call.now.0).fetch_optional(self.conn()).await?;
        let Some(row) = found else { return Ok(None) };
        let mut columns = Columns::of(TABLE, &row);
        let (fingerprint, version) = (columns.text()?, columns.int()?);
        let (busy_until, sealed) = (columns.maybe_time()?, columns.maybe_bytes()?);
        let taken = match busy_until {
            // A call that died had no effect, so its key is free for any body.
            Some(until) if until <= call.now => Taken::Running(until),
            _ if fingerprint != call.fingerprint => Taken::Other,
            Some(until) => Taken::Running(until),
            None => {
                let reply = sealed.map(|sealed| self.open(TABLE, REPLY, &call.id, version, &sealed));
                Taken::Before(reply.transpose()?)
            }
        };
        Ok(Some((version, taken)))
    }
}

impl Tx {
    /// Takes a call's turn, if nobody has; a lease that has run out is taken over.
    ///
    /// # Errors
    /// `Conflict` when somebody else was quicker, `Unavailable`, `Corrupt`.
    pub async fn take_call(&mut self, call: &Call) -> Result<Taken> {
        let standing = self.standing_call(call).await?;
        let done = match standing {
            Some((version, Taken::Running(until))) if until <= call.now => {
                let done = sqlx::query(
                    "UPDATE idempotent_calls SET busy_until = $1, fingerprint = $4, version = version + 1 \
                     WHERE id = $2 AND version = $3",
                )
                .bind(call.busy_until.0)
                .bind(&*call.id)
                .bind(version)
                .bind(&*call.fingerprint)
                .execute(self.conn())
                .await?;
                (done, version + 1)
            }
            Some((_, taken)) => return Ok(taken),
            None => {
                // One that ran out counts as absent, whether or not it was swept.
                let done = sqlx::query(
                    "INSERT INTO idempotent_calls (id, fingerprint, version, busy_until, session_id, reply, expires_at) \
                     VALUES ($1, $2, 1, $3, NULL, NULL, $4) ON CONFLICT (id) DO UPDATE SET \
                     fingerprint = EXCLUDED.fingerprint, version = 1, busy_until = EXCLUDED.busy_until, \
                     session_id = NULL, reply = NULL, expires_at = EXCLUDED.expires_at \
                     WHERE idempotent_calls.expires_at <= $5",
                )
                .bind(&*call.id)
                .bind(&*call.fingerprint)
                .bind(call.busy_until.0)
                .bind(call.expires_at.0)
                .bind(call.now.0)
                .execute(self.conn())
                .await?;
                (done, 1)
            }
        };
        match done {
            (done, version) if done.rows_affected() == 1 => Ok(Taken::Now(version)),
            _ => Err(Error::Conflict),
        }
    }

    /// Writes down that a call is done: with its reply, or without one where it is made anew each time. It is forgotten
    /// when the session ends that it is about, if any.
    ///
    /// # Errors
    /// `Conflict` when the call lost its turn, so that its effect must not stand either; `Unavailable`.
    pub async fn finish_call(
        &mut self,
        id: &str,
        version: i64,
        session: Option<&SessionId>,
        reply: Option<&[u8]>,
        expires_at: Millis,
    ) -> Result<()> {
        let sealed = reply.map(|reply| self.seal(TABLE, REPLY, id, version + 1, reply));
        let done = sqlx::query(
            "UPDATE idempotent_calls SET busy_until = NULL, version = $1, session_id = $2, reply = $3, expires_at = $4 \
             WHERE id = $5 AND version = $6 AND busy_until IS NOT NULL",
        )
        .bind(version + 1)
        .bind(session.map(SessionId::as_str))
        .bind(sealed)
        .bind(expires_at.0)
        .bind(id)
        .bind(version)
        .execute(self.conn())
        .await?;
        if done.rows_affected() == 1 { Ok(()) } else { Err(Error::Conflict) }
    }

    /// Gives a call's turn back: it had no effect, so it may come again, with another body even.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn give_up_call(&mut self, id: &str, version: i64) -> Result<()> {
        sqlx::query("DELETE FROM idempotent_calls WHERE id = $1 AND version = $2 AND busy_until IS NOT NULL")
            .bind(id)
            .bind(version)
            .execute(self.conn())
            .await?;
        Ok(())
    }

    /// Forgets the calls that are about a session which has ended, and with them its link.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn forget_calls_about(&mut self, session: &SessionId) -> Result<()> {
        sqlx::query("DELETE FROM idempotent_calls WHERE session_id = $1 AND busy_until IS NULL")
            .bind(session.as_str())
            .execute(self.conn())
            .await?;
        Ok(())
    }
}
