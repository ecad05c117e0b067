//! Calls that come again: a backend that lost a reply sends its call once more, and the effect comes once. A call
//! takes a turn, its effect commits together with its reply, and the next one with the same key gets that reply.

use std::time::Duration;

use zeroize::Zeroizing;

use super::{Connect, CreatedSession, Error, Result};
use crate::kernel::clock::Millis;
use crate::kernel::ids::{ApiKeyId, SessionId};
use crate::store::{self, Call, Session, Taken, Tx};

/// How long a call may run before it counts as dead. Longer than any does.
const LEASE: Duration = Duration::from_secs(90);
/// How long replies are kept, unless the session ends before.
const KEPT: Duration = Duration::from_secs(24 * 3600);

/// A turn that a call has taken.
#[derive(Clone, Debug)]
pub struct Turn {
    id: String,
    version: i64,
    forgotten_at: Millis,
}

/// What makes the reply of a call that has taken its turn, before its effect is committed.
pub struct Once<'a> {
    /// Its turn.
    pub turn: Turn,
    /// The reply's bytes.
    pub reply: &'a (dyn Fn(&CreatedSession) -> Result<Zeroizing<Vec<u8>>> + Send + Sync),
}

/// How a call stands that came with an idempotency key.
#[derive(Clone, Debug)]
pub enum Repeat {
    /// It has its turn.
    First(Turn),
    /// It was done before, with this reply; `None` where the reply is made anew.
    Again(Option<Zeroizing<Vec<u8>>>),
    /// It runs at this moment; how long to wait at most.
    Running(Duration),
    /// The key came before with another body.
    OtherBody,
}

impl Connect {
    /// Takes a call's turn: `caller`'s, at `route`, under its idempotency key.
    ///
    /// # Errors
    /// `Conflict` under contention without end, `Unavailable`.
    pub async fn take_turn(&self, caller: &ApiKeyId, route: &str, key: &str, body: &str) -> Result<Repeat> {
        let now = self.now();
        let call = Call {
            id: self.marker.mark("idempotent_call", &[caller.as_str(), route, key]),
            fingerprint: self.marker.mark("idempotent_body", &[body]),
            now,
            busy_until: now.after(LEASE),
            expires_at: now.after(KEPT),
        };
        for _ in 0..5 {
            let taken = self.store.write(call.clone(), |call, tx| Box::pin(tx.take_call(call))).await;
            return Ok(match taken {
                // Somebody else was quicker and can be read now.
                Err(store::Error::Conflict) => continue,
                Err(error) => return Err(error.into()),
                Ok(Taken::Now(version)) => {
                    Repeat::First(Turn { id: call.id, version, forgotten_at: call.expires_at })
                }
                Ok(Taken::Before(reply)) => Repeat::Again(reply),
                Ok(Taken::Running(until)) => Repeat::Running(until.since(now)),
                Ok(Taken::Other) => Repeat::OtherBody,
            });
        }
        Err(Error::Conflict)
    }

    /// Ends a turn whose effect stands by itself and whose reply is made anew each time.
    ///
    /// # Errors
    /// `NotFound("session")`, `Conflict` when the turn was lost, `Unavailable`.
    pub async fn finish_turn(&self, turn: Turn, session: &SessionId) -> Result<()> {
        let done = self.store.write((turn, session.clone()), |(turn, session), tx| {
            Box::pin(async move {
                let session = tx.session(session).await?.ok_or(store::Error::NotFound)?;
                turn.finish(&session, None, tx).await
            })
        });
        match done.await {
            Err(store::Error::NotFound) => Err(Error::NotFound("session")),
            done => Ok(done?),
        }
    }

    /// Ends a turn whose effect stands by itself, with its reply.
    ///
    /// # Errors
    /// `Conflict` when the turn was lost, `Unavailable`.
    pub async fn keep_reply(&self, turn: Turn, reply: Zeroizing<Vec<u8>>) -> Result<()> {
        let done = self.store.write((turn, reply), |(turn, reply), tx| {
            Box::pin(async move { turn.finish_alone(reply, tx).await })
        });
        Ok(done.await?)
    }

    /// Gives a turn back that had no effect: the same call may be mended and come again.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn give_up_turn(&self, turn: Turn) -> Result<()> {
        let done = self.store.write(turn, |turn, tx| Box::pin(tx.give_up_call(&turn.id, turn.version)));
        Ok(done.await?)
    }
}

impl Turn {
    /// Writes down that the call is done.
    pub(super) async fn finish(
        &self,
        session: &Session,
        reply: Option<&Zeroizing<Vec<u8>>>,
        tx: &mut Tx,
    ) -> store::Result<()> {
        let until = self.forgotten_at.min(session.expires_at);
        tx.finish_call(&self.id, self.version, Some(&session.id), reply.map(|reply| &***reply), until).await
    }

    /// The same for a call that is about no session.
    pub(super) async fn finish_alone(&self, reply: &Zeroizing<Vec<u8>>, tx: &mut Tx) -> store::Result<()> {
        tx.finish_call(&self.id, self.version, None, Some(&***reply), self.forgotten_at).await
    }
}
