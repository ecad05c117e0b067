//! Saving what follows from an answer: one transaction in which the attempt's version, the session's claim and
//! the session's being open are checked once more, and in which the facts become true together with their events.

use std::sync::Arc;

use zeroize::Zeroizing;

use super::attempts::Shown;
use super::ending;
use super::{Connect, Details, Error, Result, decode, encode};
use crate::contract::{Begin, Connected, Next, Notice, State, Step, Text, Tone};
use crate::kernel::clock::Millis;
use crate::kernel::figures::figures;
use crate::kernel::ids::{AccountId, SessionId};
use crate::kernel::words::{AttemptState, EventKind, Purpose, SessionState, Status};
use crate::store::{self, Account, AccountUpdate, Attempt, Session, SessionUpdate, Tx, Wake};

/// What a provider's answer comes to.
pub(super) enum Outcome {
    /// Another step, or the same with what was wrong.
    Step { step: Box<Step>, state: State },
    /// Signed in, as the right person.
    Connected(Box<SignedIn>),
    /// It ends here.
    Failed { code: String },
}

/// A completed sign-in, ready for its row.
pub(super) struct SignedIn {
    pub(super) account: Account,
    pub(super) secret: Zeroizing<Vec<u8>>,
}

/// An outcome and where it belongs. The attempt has the version that the call was made under.
pub(super) struct Settling {
    pub(super) session: SessionId,
    pub(super) attempt: Attempt,
    pub(super) outcome: Outcome,
    /// How many of the connections that were set aside for the call it did not make.
    pub(super) unused: i64,
}

/// The same, ready to be written.
struct Saving {
    session: SessionId,
    attempt: Attempt,
    change: Change,
    unused: i64,
    now: Millis,
}

enum Change {
    Step { shown: Zeroizing<Vec<u8>>, name: String, refusal: Option<String> },
    Connected(Box<SignedIn>),
    Failed { code: String },
}

impl Connect {
    /// Turns a sign-in into an account's row, or into a step that names both accounts when a reconnect ended
    /// with another identity.
    pub(super) async fn recognise(
        &self,
        session: &Session,
        attempt: &Attempt,
        signed: Connected,
    ) -> Result<Outcome> {
        let now = self.now();
        let identity_mark = self.identity_mark(&attempt.provider, &signed.identity);
        let request: super::Request = decode(&session.request)?;
        let mut name = request.name;
        let mut name_mark = session.name_mark.clone();
        if let Some(target) = self.target_account(session).await? {
            if target.identity_mark != identity_mark {
                return self.other_identity(session, attempt, &target, &signed).await;
            }
            // A reconnect keeps the name that the account was made with.
            let details: Details = decode(&target.details)?;
            name = details.name;
            name_mark = target.name_mark;
        } else if session.purpose == Purpose::Reconnect {
            return Ok(Outcome::Failed { code: "account_deleted".to_owned() });
        }
        let details = Details { name, identity: signed.identity, profile: signed.profile };
        let account = Account {
            id: AccountId::new(now, self.random()),
            provider: attempt.provider.clone(),
            status: Status::Ok,
            cause: None,
            identity_mark,
            name_mark,
            details: encode(&details)?,
            seq: 0,
            version: 1,
            created_at: now,
            updated_at: now,
            status_at: now,
        };
        Ok(Outcome::Connected(Box::new(SignedIn { account, secret: encode(&signed.secret)? })))
    }

    async fn target_account(&self, session: &Session) -> Result<Option<Account>> {
        match (session.purpose, &session.account_id) {
            (Purpose::Reconnect, Some(id)) => Ok(self.store.read().await?.account(id).await?),
            _ => Ok(None),
        }
    }

    /// The wrong account was signed in to: both are named, and the person may choose again.
    async fn other_identity(
        &self,
        session: &Session,
        attempt: &Attempt,
        target: &Account,
        signed: &Connected,
    ) -> Result<Outcome> {
        let provider = self.provider(&attempt.provider)?;
        let method = *provider.about().methods.first().ok_or(Error::ProviderUnavailable)?;
        let request: super::Request = decode(&session.request)?;
        let repaired = self.target(session).await?;
        let begin = Begin { method, email: None, target: repaired, force_consent: request.force_consent };
        let expected: Details = decode(&target.details)?;
        match provider.begin(&self.cx, begin).await {
            Ok(Next::Step { mut step, state }) => {
                // A sign-in name at another server: the names would read the same.
                let same = expected.profile.label == signed.profile.label;
                let key = if same { "notice.same_label" } else { "notice.wrong_account" };
                let text = Text::key(key)
                    .with("expected", &*expected.profile.label)
                    .with("found", &*signed.profile.label);
                let advice =
                    Some(Text::key(format!("{key}_advice")).with("expected", &*expected.profile.label));
                step.notice =
                    Some(Notice { code: "wrong_account".to_owned(), tone: Tone::Refused, text, advice });
                Ok(Outcome::Step { step, state })
            }
            Ok(_) => Err(Error::internal("beginning again", "the provider gave no step")),
            Err(trouble) => Err(Error::internal("beginning again", trouble)),
        }
    }

    /// Saves an outcome. A save that lost (another browser took over, the session ended) is no error: whoever
    /// looks next sees what stands.
    pub(super) async fn settle(&self, settling: Settling) -> Result<()> {
        let change = match settling.outcome {
            Outcome::Step { step, state } => {
                let (name, refusal) = (step.name.clone(), step.refusal().map(str::to_owned));
                Change::Step { shown: encode(&Shown { step: *step, state })?, name, refusal }
            }
            Outcome::Connected(signed) => Change::Connected(signed),
            Outcome::Failed { code } => Change::Failed { code },
        };
        let saving = Arc::new(Saving {
            session: settling.session,
            attempt: settling.attempt,
            change,
            unused: settling.unused,
            now: self.now(),
        });
        // Two first connections of one identity under one name at the same moment: the second round finds the
        // account that the other one made, and repairs it.
        for _ in 0..3 {
            let saved = self.store.write(saving.clone(), |saving, tx| Box::pin(save(saving, tx))).await;
            match saved {
                Ok(true) => {
                    tell(&saving);
                    return Ok(());
                }
                Ok(false) => {
                    tracing::info!(session.id = %saving.session, "an answer came too late to count");
                    return Ok(());
                }
                Err(store::Error::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
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

/// Writes an outcome down; `false` when it lost and nothing was written.
async fn save(saving: &Saving, tx: &mut Tx) -> store::Result<bool> {
    let Saving { session: id, attempt, change, unused, now } = saving;
    let session = tx.session(id).await?.ok_or(store::Error::NotFound)?;
    if session.state_at(*now) != SessionState::Open || session.claim_no != attempt.claim_no {
        return Ok(false);
    }
    let (state, shown): (_, &[u8]) = match change {
        Change::Step { shown, .. } => (AttemptState::Live, shown),
        // What the provider remembered is not needed any more, so it is not kept.
        Change::Connected(_) => (AttemptState::Connected, b""),
        Change::Failed { .. } => (AttemptState::Ended, b""),
    };
    match tx.save_attempt(&attempt.id, attempt.version, state, shown, *now).await {
        Ok(()) => {}
        Err(store::Error::Conflict) => return Ok(false),
        Err(error) => return Err(error),
    }
    tx.wake(Wake::Attempt(attempt.id.as_str().to_owned()));
    let mut update = SessionUpdate::from(&session);
    update.connects -= unused;
    match change {
        Change::Step { name, refusal, .. } => {
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
        Change::Connected(signed) => {
            let (account, kind) = store_account(&session, signed, *now, tx).await?;
            end(&mut update, SessionState::Connected, *now);
            update.account_id = Some(account.clone());
            update.cause = None;
            let told = [("provider", &*attempt.provider), ("session_id", id.as_str())];
            let event = tx.append_account_event(&account, kind, &told).await?;
            ending::tell(id, &event, tx).await?;
            let told = [("provider", &*attempt.provider), ("account_id", account.as_str())];
            tx.append_session_event(id, EventKind::SessionCompleted, &told).await?;
        }
    }
    // Nobody else writes this row inside our transaction, and events only raise its event number.
    tx.update_session(id, session.version, &update).await?;
    Ok(true)
}

fn end(update: &mut SessionUpdate, state: SessionState, now: Millis) {
    update.state = state;
    update.ended_at = Some(now);
}

/// Makes the account, or repairs the one that it belongs to: the reconnect's target, or the account that the
/// product's same name for the person connected to the same identity before.
async fn store_account(
    session: &Session,
    signed: &SignedIn,
    now: Millis,
    tx: &mut Tx,
) -> store::Result<(AccountId, EventKind)> {
    let fresh = &signed.account;
    let (existing, kind) = match (session.purpose, &session.account_id, &fresh.name_mark) {
        (Purpose::Reconnect, Some(id), _) => {
            let target = tx.account(id).await?.ok_or(store::Error::Conflict)?;
            (Some(target), EventKind::AccountReconnected)
        }
        (_, _, Some(name)) => {
            let known = tx.account_by_identity(&fresh.provider, &fresh.identity_mark, name).await?;
            (known, EventKind::AccountConnected)
        }
        _ => (None, EventKind::AccountConnected),
    };
    match existing {
        Some(account) => {
            let update = AccountUpdate {
                status: Status::Ok,
                cause: None,
                details: fresh.details.clone(),
                secret: signed.secret.clone(),
                at: now,
            };
            tx.update_account(&account.id, account.version, &update).await?;
            Ok((account.id, kind))
        }
        None => {
            tx.insert_account(fresh, &signed.secret).await?;
            Ok((fresh.id.clone(), kind))
        }
    }
}
