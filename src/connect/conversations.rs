//! Conversations: while a live step stands, its provider talks on one node, and what it hears is kept with the attempt. It
//! goes on when nobody looks, since a person leaves the page to scan or to type elsewhere; its provider bounds it. Where its
//! node died, whoever looks next has another one begin. Thousands wait at once: what a conversation does now and then is
//! boxed where it is done, so that waiting takes no room for it.

use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::attempts::{SLOW, Shown, again};
use super::settle::{Outcome, Settling};
use super::{Connect, Error, Result, decode, encode};
use crate::contract::{Actor, Code, Conversation, Heard, Next, Trouble};
use crate::kernel::ids::{AttemptId, SessionId};
use crate::kernel::words::{AttemptState, SessionState};
use crate::store::{self, Attempt, Calls, Db, Session, SessionUpdate};

/// How long one may last, whatever its provider thinks.
const LONGEST: Duration = Duration::from_secs(900);
/// How often the attempt is looked at, should a call be lost.
const POLL: Duration = Duration::from_secs(5);
/// How often a database is asked again that is away.
const RETRY: Duration = Duration::from_secs(1);
/// How long its last word may take.
const LAST: Duration = Duration::from_secs(15);
/// How often saving is tried while answers to the step come in between.
const ROUNDS: usize = 20;

/// The cause of a session that asked for as many codes as it may.
pub(super) const ASKED_OFTEN: &str = "too_many_codes";

/// A conversation that this node holds.
struct Talk {
    session: Session,
    attempt: Attempt,
    shown: Shown,
    calls: Calls,
}

/// How an attempt stands beside its conversation.
enum Stands {
    /// As it did.
    Same,
    /// Somebody answered, and the provider is being asked.
    Busy,
    /// The answer led to another live step.
    Answered(Box<(Session, Attempt, Shown)>),
    /// There is nothing left to talk about.
    Over,
}

impl Connect {
    /// Has the provider talk while this attempt's step is live, unless somebody does already.
    pub(super) fn talk(&self, session: &SessionId, attempt: &AttemptId) {
        let Some(place) = self.talks.enter(attempt) else { return };
        let (connect, session, attempt) = (self.clone(), session.clone(), attempt.clone());
        tokio::spawn(async move {
            let talking = connect.clone();
            let (id, of) = (session.clone(), attempt.clone());
            // A provider that panics ends its own conversation.
            let talked = tokio::spawn(async move { talking.hold_talk(&id, &of).await }).await;
            let trouble = match talked {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(error.to_string()),
                Err(panic) => Some(panic.to_string()),
            };
            if let Some(error) = trouble {
                tracing::error!(session.id = %session, error, "a conversation broke off");
                let broken = Trouble { code: "conversation", actor: Actor::Nobody };
                let _ = Box::pin(at_last(|| connect.break_off(&session, &attempt, &broken))).await;
            }
            drop(place);
            // An answer may have led to another live step after this conversation was over.
            Box::pin(connect.talk_on(&session, &attempt)).await;
        });
    }

    /// The code that a live step shows, while it works. Where nobody talks any more, somebody begins to.
    pub(super) async fn code_of(&self, attempt: &Attempt, db: &mut Db) -> Result<Option<Code>> {
        let goes_on = match self.is_ours(attempt) {
            true => self.talks.has(&attempt.id),
            false => db.is_talked_for(attempt).await?,
        };
        if !goes_on {
            self.talk(&attempt.session_id, &attempt.id);
            return Ok(None);
        }
        let code: Option<Code> = attempt.code.as_ref().map(|code| decode(code)).transpose()?;
        let now = self.now();
        Ok(code.filter(|code| code.expires_at.is_none_or(|at| at > now)))
    }

    /// Whether this node holds the conversation.
    fn is_ours(&self, attempt: &Attempt) -> bool {
        attempt.talks_on.as_deref() == Some(self.node.as_str())
    }

    /// Begins once more where a live step is left without anybody who talks. Waits for an answer that is being checked: whoever
    /// answers sees this node live and leaves what follows to it.
    async fn talk_on(&self, session: &SessionId, attempt: &AttemptId) {
        let ends = Instant::now() + LONGEST;
        let mut calls = self.store.calls(attempt);
        while Instant::now() < ends {
            match at_last(|| self.left_alone(session, attempt)).await {
                Ok(Some(true)) => return self.talk(session, attempt),
                Ok(Some(false)) => {
                    let _ = timeout(POLL, calls.moved()).await;
                }
                Ok(None) | Err(_) => return,
            }
        }
    }

    /// Whether a live step is left without anybody who talks: at once, or once an answer was checked.
    async fn left_alone(&self, session: &SessionId, attempt: &AttemptId) -> Result<Option<bool>> {
        let mut db = self.store.read().await?;
        let Some((_, attempt, shown)) = self.open(session, attempt, &mut db).await? else { return Ok(None) };
        let ours = self.is_ours(&attempt) || !db.is_talked_for(&attempt).await?;
        if attempt.is_busy(self.now()) {
            return Ok(ours.then_some(false));
        }
        Ok((shown.step.live && ours).then_some(true))
    }

    /// The session, the attempt and its step, while they can be gone on with.
    async fn open(
        &self,
        session: &SessionId,
        attempt: &AttemptId,
        db: &mut Db,
    ) -> Result<Option<(Session, Attempt, Shown)>> {
        let session = db.session(session).await?.ok_or(Error::NotFound("session"))?;
        let attempt = db.attempt(attempt).await?.ok_or(Error::NotFound("attempt"))?;
        let current =
            session.attempt_id.as_ref() == Some(&attempt.id) && attempt.claim_no == session.claim_no;
        let open = session.state_at(self.now()) == SessionState::Open && attempt.state == AttemptState::Live;
        if !current || !open {
            return Ok(None);
        }
        let shown = decode(&attempt.shown)?;
        Ok(Some((session, attempt, shown)))
    }

    /// The same where nothing else is read.
    async fn reopen(
        &self,
        session: &SessionId,
        attempt: &AttemptId,
    ) -> Result<Option<(Session, Attempt, Shown)>> {
        self.open(session, attempt, &mut self.store.read().await?).await
    }

    /// Takes the conversation and holds it to its end.
    async fn hold_talk(&self, session: &SessionId, attempt: &AttemptId) -> Result<()> {
        let calls = self.store.calls(attempt);
        let taken = Box::pin(self.take_talk(session, attempt)).await?;
        let Some((session, attempt, shown)) = taken else { return Ok(()) };
        let provider = self.provider(&attempt.provider)?.clone();
        let leaving = self.leaving(&attempt.provider, &session.id);
        let cx = self.context(&self.cx.allowance, &leaving);
        let talked = provider.converse(&cx, shown.state.clone());
        let mut talk = Talk { session, attempt, shown, calls };
        match talked {
            Ok(mut conversation) => self.listen(&mut talk, &mut *conversation).await,
            Err(trouble) => Box::pin(self.give_up(&talk, &trouble)).await,
        }
    }

    /// Takes the conversation for this node, at the cost of one of the session's connections.
    async fn take_talk(
        &self,
        session: &SessionId,
        attempt: &AttemptId,
    ) -> Result<Option<(Session, Attempt, Shown)>> {
        let mut db = self.store.read().await?;
        let Some((session, attempt, shown)) = self.open(session, attempt, &mut db).await? else {
            return Ok(None);
        };
        let talked_for = !self.is_ours(&attempt) && db.is_talked_for(&attempt).await?;
        drop(db);
        if !shown.step.live || talked_for || attempt.is_busy(self.now()) {
            return Ok(None);
        }
        if session.connects >= self.limits.connects_per_session {
            let outcome = Outcome::Failed { code: ASKED_OFTEN.to_owned() };
            self.conclude(&session, attempt, outcome).await?;
            return Ok(None);
        }
        let context = (session.clone(), attempt.clone(), self.node.clone());
        let taken = self.store.write(context, |(session, attempt, node), tx| {
            Box::pin(async move {
                let mut update = SessionUpdate::from(session);
                update.connects += 1;
                tx.update_session(&session.id, session.version, &update).await?;
                tx.take_conversation(attempt, node).await
            })
        });
        match taken.await {
            Ok(()) => {}
            // Somebody was quicker, or it moved on: who looks next sees to it.
            Err(store::Error::Conflict) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        Ok(Some((session, attempt, shown)))
    }

    /// Keeps what is heard until there is nothing more to hear.
    async fn listen(&self, talk: &mut Talk, conversation: &mut dyn Conversation) -> Result<()> {
        let ends = Instant::now() + LONGEST;
        let mut looks_at = Instant::now() + POLL;
        loop {
            tokio::select! {
                heard = conversation.next() => match heard {
                    Ok(Heard::Code(code)) => {
                        // A conflict is an answer that came in between: it is looked at below.
                        while !Box::pin(self.kept(talk, &code)).await && Instant::now() < ends {
                            sleep(RETRY).await;
                        }
                        looks_at = Instant::now();
                    }
                    Ok(Heard::Next(next)) => {
                        if !Box::pin(self.go_on(talk, conversation, next)).await? {
                            return Ok(());
                        }
                    }
                    Err(trouble) => return Box::pin(self.give_up(talk, &trouble)).await,
                },
                () = talk.calls.moved() => looks_at = Instant::now(),
                () = sleep_until(looks_at) => {
                    looks_at = Instant::now() + POLL;
                    match Box::pin(self.stands(talk)).await {
                        Ok(Stands::Over) => return Box::pin(self.leave(talk, conversation)).await,
                        Ok(Stands::Answered(answered)) => {
                            (talk.session, talk.attempt, talk.shown) = *answered;
                            conversation.answered(talk.shown.state.clone());
                        }
                        Ok(Stands::Same | Stands::Busy) => {}
                        // A database that is away for a moment ends no conversation.
                        Err(error) => tracing::debug!(error = %error, "an attempt could not be looked at"),
                    }
                }
                () = sleep_until(ends) => {
                    let slow = Trouble { code: SLOW, actor: Actor::Nobody };
                    return Box::pin(self.give_up(talk, &slow)).await;
                }
            }
        }
    }

    /// Nobody waits any more. What was granted at the last moment is put to use where that can still be, and ended otherwise.
    async fn leave(&self, talk: &mut Talk, conversation: &mut dyn Conversation) -> Result<()> {
        match timeout(LAST, conversation.last()).await {
            Ok(Some(next)) if !matches!(next, Next::Step { .. }) => {
                self.go_on(talk, conversation, next).await.map(|_| ())
            }
            _ => Ok(()),
        }
    }

    /// Keeps a code; `false` while the database is away.
    async fn kept(&self, talk: &Talk, code: &Code) -> bool {
        let Ok(encoded) = encode(code) else { return true };
        let context = (talk.attempt.clone(), self.node.clone(), encoded, self.now());
        let kept = self.store.write(context, |(attempt, node, code, now), tx| {
            Box::pin(tx.save_code(attempt, node, code, *now))
        });
        !matches!(kept.await, Err(store::Error::Unavailable { .. }))
    }

    /// How the attempt stands now.
    async fn stands(&self, talk: &Talk) -> Result<Stands> {
        let open = self.reopen(&talk.session.id, &talk.attempt.id).await?;
        let Some((session, attempt, shown)) = open else { return Ok(Stands::Over) };
        if attempt.is_busy(self.now()) {
            return Ok(Stands::Busy);
        }
        if !shown.step.live || !self.is_ours(&attempt) || attempt.provider != talk.attempt.provider {
            return Ok(Stands::Over);
        }
        if attempt.version == talk.attempt.version {
            return Ok(Stands::Same);
        }
        Ok(Stands::Answered(Box::new((session, attempt, shown))))
    }

    /// Saves what comes next; gives whether the conversation goes on.
    async fn go_on(&self, talk: &mut Talk, conversation: &mut dyn Conversation, next: Next) -> Result<bool> {
        let is_step = matches!(next, Next::Step { .. } | Next::Holding { .. });
        let granted = !matches!(next, Next::Step { .. });
        let left = self.limits.secrets_per_session - talk.session.secrets_tried;
        let outcome = at_last(|| {
            let leaving = self.leaving(&talk.attempt.provider, &talk.session.id);
            self.outcome(&talk.session, &talk.attempt, next.clone(), leaving, left)
        });
        let outcome = outcome.await?;
        let mut saving = self.saving(self.settling(&talk.session, talk.attempt.clone(), outcome))?;
        for _ in 0..ROUNDS {
            // However long the database is away: it may be an account.
            if at_last(|| self.try_to_settle(&saving)).await? {
                if !is_step {
                    // Signed in, so that this conversation is over; what follows begins another.
                    return Ok(false);
                }
                let ours = talk.attempt.version + 1;
                // A database that is away for a moment ends no conversation.
                return match self.stands(talk).await.unwrap_or(Stands::Same) {
                    Stands::Over => Ok(false),
                    Stands::Same | Stands::Busy => Ok(true),
                    Stands::Answered(now) => {
                        (talk.session, talk.attempt, talk.shown) = *now;
                        if talk.attempt.version != ours {
                            conversation.answered(talk.shown.state.clone());
                        }
                        Ok(true)
                    }
                };
            }
            // Somebody's answer came in between. A step that was heard before it is out of date; what was granted is not.
            let Some(stood) = self.settled(talk).await? else { break };
            let provider = talk.attempt.provider.clone();
            (talk.session, talk.attempt, talk.shown) = stood;
            if talk.attempt.provider != provider {
                break;
            }
            if !granted {
                if talk.shown.step.live {
                    conversation.answered(talk.shown.state.clone());
                }
                return Ok(talk.shown.step.live);
            }
            saving = saving.at(talk.attempt.clone());
        }
        self.give_back(saving.grant()).await?;
        Ok(false)
    }

    /// Waits until no answer is being checked; `None` when there is nothing left to go on with.
    async fn settled(&self, talk: &mut Talk) -> Result<Option<(Session, Attempt, Shown)>> {
        loop {
            let (session, attempt) = (&talk.session.id, &talk.attempt.id);
            match at_last(|| self.reopen(session, attempt)).await? {
                // Its holder is heard of, or its hold runs out.
                Some((_, attempt, _)) if attempt.is_busy(self.now()) => {
                    let _ = timeout(POLL, talk.calls.moved()).await;
                }
                open => return Ok(open),
            }
        }
    }

    /// Shows the step once more with words about what was nobody's fault; the person may ask for another code.
    async fn give_up(&self, talk: &Talk, trouble: &Trouble) -> Result<()> {
        let mut step = again(talk.shown.step.clone(), trouble);
        step.live = false;
        let outcome = Outcome::again(step, talk.shown.state.clone());
        self.conclude(&talk.session, talk.attempt.clone(), outcome).await
    }

    /// The same for a conversation that is lost.
    async fn break_off(&self, session: &SessionId, attempt: &AttemptId, trouble: &Trouble) -> Result<()> {
        let open = self.reopen(session, attempt).await?;
        let ours = |attempt: &Attempt| self.is_ours(attempt) && !attempt.is_busy(self.now());
        let Some((session, attempt, shown)) =
            open.filter(|(_, attempt, shown)| shown.step.live && ours(attempt))
        else {
            return Ok(());
        };
        let calls = self.store.calls(&attempt.id);
        self.give_up(&Talk { session, attempt, shown, calls }, trouble).await
    }

    async fn conclude(&self, session: &Session, attempt: Attempt, outcome: Outcome) -> Result<()> {
        self.settle(self.settling(session, attempt, outcome)).await
    }

    fn settling(&self, session: &Session, attempt: Attempt, outcome: Outcome) -> Settling {
        Settling { session: session.id.clone(), attempt, outcome, unused: 0, began: self.now() }
    }
}

/// What comes of asking a database that may be away for a while.
async fn at_last<T, F: Future<Output = Result<T>>>(mut ask: impl FnMut() -> F) -> Result<T> {
    let ends = Instant::now() + LONGEST;
    loop {
        match ask().await {
            Err(Error::Unavailable(_)) if Instant::now() < ends => sleep(RETRY).await,
            answer => return answer,
        }
    }
}
