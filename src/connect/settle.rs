//! Saving what follows from an answer: one transaction in which the attempt's version, the session's claim and
//! the session's being open are checked once more, and in which the facts become true together with their events.

use std::sync::Arc;
use std::time::Duration;

use zeroize::Zeroizing;

use super::attempts::Shown;
use super::choose::{self, Begun, Chosen};
use super::releases::Grant;
use super::returns::Leaving;
use super::{Connect, Error, Result, encode, ending, finish};
use crate::contract::{Notice, State, Step, StepKind, Text, Tone};
use crate::kernel::clock::Millis;
use crate::kernel::figures::figures;
use crate::kernel::ids::SessionId;
use crate::kernel::words::{AttemptState, EventKind, SessionState};
use crate::store::{self, Account, Attempt, Kind, Release, SessionUpdate, Tx, Wake};

/// How far the clocks of several nodes may disagree (readiness sees to it).
const SKEW: Duration = Duration::from_secs(2);
/// How long somebody who has to sign in once more is waited for before what they granted is given back.
const COMES_BACK: Duration = Duration::from_secs(900);

/// What a provider's answer comes to.
#[expect(clippy::large_enum_variant, reason = "the large one is the usual one")]
pub(super) enum Outcome {
    /// Another step, or the same with what was wrong.
    Step {
        step: Box<Step>,
        state: State,
        /// The way back, should the step send the person away.
        leaving: Option<Leaving>,
        /// What becomes of what was granted.
        grant: Grant,
        /// The provider that the attempt is with from now on.
        chosen: Option<Chosen>,
    },
    /// Signed in, as the right person.
    Connected(Box<SignedIn>),
    /// It ends here.
    Failed { code: String },
}

impl Outcome {
    /// The same step once more, from the same state.
    pub(super) fn again(step: Step, state: State) -> Self {
        Self::Step { step: Box::new(step), state, leaving: None, grant: Grant::Stays, chosen: None }
    }
}

/// A completed sign-in, ready for its row.
#[derive(Clone)]
pub(super) struct SignedIn {
    pub(super) account: Account,
    pub(super) secret: Zeroizing<Vec<u8>>,
    /// What gives the grant back, should the account not come about.
    pub(super) release: Option<Release>,
    /// The hash of the code that the backend has to redeem first, where it asked for that.
    pub(super) finish: Option<String>,
}

/// An outcome and where it belongs. The attempt has the version that the call was made under.
pub(super) struct Settling {
    pub(super) session: SessionId,
    pub(super) attempt: Attempt,
    pub(super) outcome: Outcome,
    /// How many of the connections that were set aside for the call it did not make.
    pub(super) unused: i64,
    /// When the provider began to be asked.
    pub(super) began: Millis,
}

/// The same, ready to be written.
#[derive(Clone)]
pub(super) struct Saving {
    session: SessionId,
    attempt: Attempt,
    change: Change,
    unused: i64,
    began: Millis,
    now: Millis,
}

#[expect(clippy::large_enum_variant, reason = "the large one is the usual one")]
#[derive(Clone)]
enum Change {
    Step {
        shown: Zeroizing<Vec<u8>>,
        /// Whether the step moves on by itself.
        live: bool,
        name: String,
        refusal: Option<String>,
        /// The hash of the way back from where the step sends the person.
        way_back: Option<String>,
        grant: Grant,
        chosen: Option<Chosen>,
    },
    Connected(Box<SignedIn>),
    Failed {
        code: String,
    },
}

impl Saving {
    /// The same for an attempt that moved on meanwhile.
    pub(super) fn at(&self, attempt: Attempt) -> Arc<Self> {
        Arc::new(Self { attempt, ..self.clone() })
    }

    /// What was granted and is of no use when the change does not come about.
    pub(super) fn grant(&self) -> Option<Release> {
        match &self.change {
            Change::Step { grant, .. } => grant.release().cloned(),
            Change::Connected(signed) => signed.release.clone(),
            Change::Failed { .. } => None,
        }
    }
}

impl Connect {
    /// What the person granted just now ends together with what is being ended at this moment: they sign in once more.
    async fn sign_in_again(&self, saving: &Saving) -> Result<()> {
        let session = self.store.read().await?.session(&saving.session).await?;
        let session = session.ok_or(Error::NotFound("session"))?;
        let mut begun = self.begin(&session, &saving.attempt.provider, None, &self.cx.allowance).await?;
        begun.step.notice = Some(Notice {
            code: "grant_ending".to_owned(),
            tone: Tone::Refused,
            text: Text::key("notice.ending"),
            advice: Some(Text::key("notice.ending_advice")),
        });
        let Begun { step, state, leaving, .. } = begun;
        let (session, attempt, began) = (saving.session.clone(), saving.attempt.clone(), self.now());
        // It may have outlived what was ended. Should the person not come back, nobody wants it.
        let due_at = began.after(COMES_BACK);
        let grant = Grant::unfit(saving.grant().map(|grant| Release { due_at, held_by: None, ..grant }));
        let outcome = Outcome::Step { step, state, leaving: Some(leaving), grant, chosen: None };
        Box::pin(self.settle(Settling { session, attempt, outcome, unused: saving.unused, began })).await
    }

    /// Saves an outcome. A save that lost (another browser took over, the session ended) is no error: whoever
    /// looks next sees what stands.
    pub(super) async fn settle(&self, settling: Settling) -> Result<()> {
        let saving = self.saving(settling)?;
        if self.try_to_settle(&saving).await? {
            return Ok(());
        }
        tracing::info!(session.id = %saving.session, "an answer came too late to count");
        self.give_back(saving.grant()).await
    }

    /// An outcome, ready to be written.
    pub(super) fn saving(&self, settling: Settling) -> Result<Arc<Saving>> {
        let change = match settling.outcome {
            Outcome::Step { step, state, leaving, grant, chosen } => {
                let (name, refusal) = (step.name.clone(), step.refusal().map(str::to_owned));
                let (leaves, live) = (step.kind == StepKind::Redirect, step.live);
                let way_back = leaving.filter(|_| leaves).map(|leaving| leaving.hash());
                let shown = encode(&Shown { step: *step, state })?;
                Change::Step { shown, live, name, refusal, way_back, grant, chosen }
            }
            Outcome::Connected(signed) => Change::Connected(signed),
            Outcome::Failed { code } => Change::Failed { code },
        };
        Ok(Arc::new(Saving {
            session: settling.session,
            attempt: settling.attempt,
            change,
            unused: settling.unused,
            began: match self.store.kind() {
                Kind::Sqlite => settling.began,
                Kind::Postgres => settling.began.before(SKEW),
            },
            now: self.now(),
        }))
    }

    /// Writes an outcome down; `false` when it came too late, and nothing was written.
    pub(super) async fn try_to_settle(&self, saving: &Arc<Saving>) -> Result<bool> {
        // Two first connections of one identity under one name at the same moment: the second round finds the
        // account that the other one made, and repairs it.
        for _ in 0..3 {
            let saved = self.store.write(saving.clone(), |saving, tx| Box::pin(save(saving, tx))).await;
            match saved {
                Ok(Saved::Done) => {
                    tell(saving);
                    if let Change::Step { live: true, .. } = saving.change {
                        self.talk(&saving.session, &saving.attempt.id);
                    }
                    return Ok(true);
                }
                Ok(Saved::Ending) => return self.sign_in_again(saving).await.map(|()| true),
                Ok(Saved::Lost) => return Ok(false),
                Err(store::Error::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.give_back(saving.grant()).await?;
        Err(Error::Conflict)
    }
}

/// One line for the operator about what was saved, and a count.
fn tell(saving: &Saving) {
    let (session, provider) = (&saving.session, &saving.attempt.provider);
    let figures = figures();
    match &saving.change {
        Change::Step { name, refusal: Some(code), .. } => {
            figures.outcome(provider, "refused", code);
            tracing::info!(session.id = %session, provider, step = name, cause = code, "a step was refused");
        }
        Change::Step { .. } => figures.outcome(provider, "step", ""),
        Change::Connected(signed) if signed.finish.is_some() => {
            figures.outcome(provider, "finishing", "");
            tracing::info!(session.id = %session, provider, "a person signed in; their backend has to finish");
        }
        Change::Connected(_) => {
            figures.outcome(provider, "connected", "");
            figures.ended(SessionState::Connected.as_str());
            tracing::info!(session.id = %session, provider, "an account was connected");
        }
        Change::Failed { code } => {
            figures.outcome(provider, "failed", code);
            figures.ended(SessionState::Failed.as_str());
            tracing::info!(session.id = %session, provider, cause = code, "a session failed");
        }
    }
}

/// What became of a save.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Saved {
    /// It is written.
    Done,
    /// It came too late; nothing was written.
    Lost,
    /// A grant of the same person is being ended at this moment; nothing was written.
    Ending,
}

/// Writes an outcome down.
async fn save(saving: &Saving, tx: &mut Tx) -> store::Result<Saved> {
    let Saving { session: id, attempt, change, unused, now, .. } = saving;
    let session = tx.session(id).await?.ok_or(store::Error::NotFound)?;
    if session.state_at(*now) != SessionState::Open || session.claim_no != attempt.claim_no {
        return Ok(Saved::Lost);
    }
    let (granted, since) = match change {
        Change::Connected(signed) => (signed.release.as_ref(), saving.began),
        Change::Step { grant: Grant::Held(release), .. } => (Some(release), Millis(0)),
        _ => (None, Millis(0)),
    };
    // What ends alone is over with it, whenever that was.
    let since = if granted.is_some_and(Release::stands_alone) { Millis(0) } else { since };
    let mut due = 0;
    if let Some(Release { provider, identity_mark, .. }) = granted {
        let ending;
        (ending, due) = tx.grants_ending(provider, identity_mark, since).await?;
        if ending {
            return Ok(Saved::Ending);
        }
    }
    let (state, shown, live): (_, &[u8], _) = match change {
        Change::Step { shown, live, .. } => (AttemptState::Live, shown, *live),
        // What the provider remembered is not needed any more, so it is not kept.
        Change::Connected(_) => (AttemptState::Connected, b"", false),
        Change::Failed { .. } => (AttemptState::Ended, b"", false),
    };
    match tx.save_attempt(&attempt.id, attempt.version, state, shown, live, *now).await {
        Ok(()) => {}
        Err(store::Error::Conflict) => return Ok(Saved::Lost),
        Err(error) => return Err(error),
    }
    if let (Some(Release { provider, identity_mark, .. }), true) = (granted, due > 0)
        && !tx.keep_grants(provider, identity_mark, since).await?
    {
        // Somebody began to end it at this moment: the next round says so.
        return Err(store::Error::Conflict);
    }
    if !matches!(change, Change::Connected(_) | Change::Step { grant: Grant::Stays, .. }) {
        tx.let_go_of_held(&attempt.id, *now).await?;
    }
    tx.wake(Wake::Attempt(attempt.id.as_str().to_owned()));
    let mut update = SessionUpdate::from(&session);
    update.connects -= unused;
    match change {
        Change::Step { name, refusal, way_back, grant, chosen, .. } => {
            if let Some(way_back) = way_back {
                tx.insert_return(way_back, &attempt.id, attempt.version + 1).await?;
            }
            if let Some(release) = grant.release() {
                tx.insert_release(release).await?;
            }
            if let Some(chosen) = chosen {
                tx.choose_provider(&attempt.id, &chosen.provider, &chosen.method).await?;
                update.provider = Some(chosen.provider.clone()).filter(|slug| slug != choose::CHOOSING);
            }
            if let Some(code) = refusal {
                update.cause = Some(code.clone());
                let facts = [("provider", &*attempt.provider), ("step", name), ("cause", code)];
                tx.append_session_event(id, EventKind::StepFailed, &facts).await?;
            }
        }
        Change::Failed { code } => {
            end(&mut update, SessionState::Failed, *now);
            update.cause = Some(code.clone());
            let facts = [("provider", &*attempt.provider), ("cause", code)];
            let event = tx.append_session_event(id, EventKind::SessionFailed, &facts).await?;
            ending::tell(id, &event, tx).await?;
        }
        Change::Connected(signed) => match &signed.finish {
            Some(code) => finish::hold(&session, signed, code, *now, &mut update, tx).await?,
            None => finish::complete(&session, signed, *now, &mut update, tx).await?,
        },
    }
    // Nobody else writes this row inside our transaction, and events only raise its event number.
    tx.update_session(id, session.version, &update).await?;
    Ok(Saved::Done)
}

pub(super) fn end(update: &mut SessionUpdate, state: SessionState, now: Millis) {
    update.state = state;
    update.ended_at = Some(now);
}
