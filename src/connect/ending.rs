//! Ends of a session without an account: taken back, given up, run out of time. What the attempt held is forgotten
//! in the same transaction, a password that was already proved included.

use super::claims::holds;
use super::{Connect, Error, Result, SessionView, View};
use crate::kernel::clock::Millis;
use crate::kernel::figures::figures;
use crate::kernel::ids::SessionId;
use crate::kernel::words::{EventKind, SessionState};
use crate::store::{self, Event, SessionUpdate, Tx, Wake};

/// How a session shall end.
struct Ending {
    id: SessionId,
    /// Where it must stand at this moment.
    from: SessionState,
    state: SessionState,
    kind: EventKind,
    cause: &'static str,
    /// The claim that it must still be under, when a browser asks.
    claim_no: Option<i64>,
    now: Millis,
}

impl Connect {
    /// Takes a link back, and with it a sign-in that still waits for its code. A session that has ended stays as it is;
    /// taking back twice is fine.
    ///
    /// # Errors
    /// `NotFound("session")`, `Ended` when it was spent, failed or expired before, `Unavailable`.
    pub async fn revoke_session(&self, id: &SessionId) -> Result<SessionView> {
        let (state, kind) = (SessionState::Revoked, EventKind::SessionRevoked);
        const CAUSE: &str = "revoked_by_backend";
        let ended = self.end(id, SessionState::Open, state, kind, CAUSE, None).await?
            || self.abandon(id, state, kind, CAUSE).await?;
        let view = self.session(id).await?;
        if ended || view.state == state { Ok(view) } else { Err(Error::Ended) }
    }

    /// Gives the session up, if this browser holds it.
    ///
    /// # Errors
    /// `NotFound("session")`, `Unavailable`.
    pub async fn cancel(&self, id: &SessionId, cookie: Option<&str>) -> Result<(SessionView, View)> {
        let session = self.store.read().await?.session(id).await?.ok_or(Error::NotFound("session"))?;
        if holds(&session, cookie) {
            let (state, kind) = (SessionState::Cancelled, EventKind::SessionCancelled);
            self.end(id, SessionState::Open, state, kind, "cancelled", Some(session.claim_no)).await?;
        }
        self.view(id, cookie).await
    }

    /// Writes down that sessions ran out of time, at most `limit` of them; gives how many.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn expire_sessions(&self, limit: i64) -> Result<usize> {
        let late = self.store.read().await?.late_sessions(self.now(), limit).await?;
        let mut ended = 0;
        for id in &late {
            let (state, kind) = (SessionState::Expired, EventKind::SessionExpired);
            match self.end(id, state, state, kind, "link_expired", None).await {
                // Another node was quicker.
                Ok(_) | Err(Error::Conflict) => ended += 1,
                // A row that cannot be read comes first every time, and must not keep the others from their end.
                Err(Error::Internal(why)) => {
                    tracing::error!(session.id = %id, why, "a link's end could not be written down");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(ended)
    }

    async fn end(
        &self,
        id: &SessionId,
        from: SessionState,
        state: SessionState,
        kind: EventKind,
        cause: &'static str,
        claim_no: Option<i64>,
    ) -> Result<bool> {
        let ending = Ending { id: id.clone(), from, state, kind, cause, claim_no, now: self.now() };
        match self.store.write(ending, |ending, tx| Box::pin(end(ending, tx))).await {
            Err(store::Error::NotFound) => Err(Error::NotFound("session")),
            Ok(true) => {
                figures().ended(state.as_str());
                Ok(true)
            }
            other => Ok(other?),
        }
    }
}

/// Ends the session; `false` when it does not stand where it must and nothing was written.
async fn end(ending: &Ending, tx: &mut Tx) -> store::Result<bool> {
    let Ending { id, cause, now, .. } = ending;
    let session = tx.session(id).await?.ok_or(store::Error::NotFound)?;
    let moved_on = ending.claim_no.is_some_and(|claim_no| claim_no != session.claim_no);
    if session.state != SessionState::Open || session.state_at(*now) != ending.from || moved_on {
        return Ok(false);
    }
    let mut update = SessionUpdate::from(&session);
    update.state = ending.state;
    update.cause = Some((*cause).to_owned());
    update.ended_at = Some(if ending.state == SessionState::Expired { session.expires_at } else { *now });
    tx.update_session(id, session.version, &update).await?;
    let event = tx.append_session_event(id, ending.kind, &[("cause", cause)]).await?;
    tell(id, &event, tx).await?;
    if let Some(attempt) = &session.attempt_id {
        tx.end_attempt(attempt, *now).await?;
        tx.wake(Wake::Attempt(attempt.as_str().to_owned()));
    }
    Ok(true)
}

/// Puts an event of a session or its account on its way to the session's endpoint, if that wants it.
pub(super) async fn tell(id: &SessionId, event: &Event, tx: &mut Tx) -> store::Result<()> {
    if let Some(endpoint) = tx.endpoint_of(id).await?
        && endpoint.wants(event)
    {
        tx.enqueue(event, &endpoint).await?;
    }
    Ok(())
}
