//! What follows when a person has signed in: the account is there at once, or, where its backend asked for that, once the
//! backend has redeemed the code that the browser carried home. Until then nothing works and nobody is told; an account
//! that exists stays as it is, with what repairs it kept aside. A code that is not redeemed in time takes all of it back.

use std::time::Duration;

use super::settle::{SignedIn, end};
use super::{Connect, Error, Result, decode, ending, releases};
use crate::kernel::clock::Millis;
use crate::kernel::figures::figures;
use crate::kernel::ids::{AccountId, SessionId};
use crate::kernel::random::{Token, hash};
use crate::kernel::words::{EventKind, Purpose, SessionState, Status};
use crate::store::{
    self, Account, AccountUpdate, Aside, Finish, Release, Session, SessionUpdate, Tx, Wake, Watch,
};

/// How long a code works.
const WAITS: Duration = Duration::from_secs(600);
/// The cause of an account whose backend has still to finish.
pub(super) const PENDING: &str = "finish_pending";
/// The cause of a session whose code ran out.
pub(super) const LATE: &str = "finish_expired";

/// What came of redeeming a code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// The account.
    pub account: AccountId,
    /// Whether an account was repaired by a reconnect.
    pub repaired: bool,
    /// The product's own name for the person.
    pub name: Option<String>,
}

/// What became of a code in its transaction.
enum Redeemed {
    Done(AccountId, EventKind),
    /// It is another session's, or nobody's.
    Wrong,
    /// The session has ended, by this very code perhaps.
    Ended,
    /// The account was deleted meanwhile.
    Gone,
}

/// A code that somebody redeems.
struct Redeeming {
    id: SessionId,
    hash: String,
    /// How the account is watched over from now on.
    watch: Option<Watch>,
    /// What gives the grant back that was kept aside.
    gives_back: Option<Release>,
    now: Millis,
}

/// A sign-in to be taken back.
struct Abandoning {
    id: SessionId,
    state: SessionState,
    kind: EventKind,
    cause: &'static str,
    /// The account that only this sign-in has made, and what gives its grant back.
    fresh: Option<(Account, Option<Release>)>,
    /// Whether it was kept aside when it was read.
    was_aside: bool,
    /// What gives back the grant that was kept aside.
    aside: Option<Release>,
    now: Millis,
}

impl Connect {
    /// The code of a session's sign-in: the same one for as long as the same browser holds the session, so that it can be
    /// shown again. Nobody can make it without our key.
    pub(super) fn finish_code(&self, session: &Session) -> Token {
        let (claim_no, cookie) = (session.claim_no.to_string(), session.cookie_hash.as_deref());
        let of = [session.id.as_str(), &claim_no, cookie.unwrap_or_default()];
        Token::made(self.marker.mark("finish", &of))
    }

    /// Redeems a session's code, once: its account is working from now on, and whoever wants to hear of it is told.
    ///
    /// # Errors
    /// `NotFound("session")`, `Invalid` (field `finish_code`), `Ended` when it was redeemed before or ran out,
    /// `NotFound("account")` when the account was deleted meanwhile, `Unavailable`.
    pub async fn finish(&self, id: &SessionId, code: &str) -> Result<Finished> {
        let waits = self.store.read().await?.finish(id).await?;
        let aside = waits.and_then(|waits| waits.aside.map(|aside| (waits.provider, aside)));
        // How it is watched over follows from the secret; a provider that was switched off says nothing of it.
        let (watch, gives_back) = match &aside {
            Some((slug, aside)) => (
                self.first_watch(slug, &decode(&aside.secret)?).ok(),
                self.release_of(slug, &aside.details, &aside.secret)?,
            ),
            None => (None, None),
        };
        let redeeming = Redeeming { id: id.clone(), hash: hash(code), watch, gives_back, now: self.now() };
        let done = self.store.write(redeeming, |redeeming, tx| Box::pin(redeem(redeeming, tx))).await;
        let done = match done {
            Err(store::Error::NotFound) => return Err(Error::NotFound("session")),
            done => done?,
        };
        match done {
            Redeemed::Done(account, kind) => {
                figures().ended(SessionState::Connected.as_str());
                tracing::info!(session.id = %id, account.id = %account, "a sign-in was finished");
                let name = self.session(id).await?.request.name;
                Ok(Finished { account, repaired: kind == EventKind::AccountReconnected, name })
            }
            Redeemed::Wrong => {
                tracing::warn!(session.id = %id, "a finish code was refused");
                Err(Error::invalid("finish_code", "is not the one that this session's browser was given"))
            }
            Redeemed::Ended => Err(Error::Ended),
            Redeemed::Gone => {
                let (state, kind) = (SessionState::Failed, EventKind::SessionFailed);
                self.abandon(id, state, kind, "account_deleted").await?;
                Err(Error::NotFound("account"))
            }
        }
    }

    /// Takes sign-ins back whose code has run out, at most `limit`; gives how many were looked at.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn give_up_finishes(&self, limit: i64) -> Result<usize> {
        let late = self.store.read().await?.late_finishes(self.now(), limit).await?;
        let mut ended = 0;
        for id in &late {
            match self.abandon(id, SessionState::Failed, EventKind::SessionFailed, LATE).await {
                Ok(_) | Err(Error::Conflict) => ended += 1,
                // One that cannot be read comes first every time, and must not keep the others from their end.
                Err(Error::Internal(why)) => {
                    tracing::error!(session.id = %id, why, "a sign-in that nobody finished could not be given up");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(ended)
    }

    /// Takes back a sign-in that waits for its code; `false` when none does.
    pub(super) async fn abandon(
        &self,
        id: &SessionId,
        state: SessionState,
        kind: EventKind,
        cause: &'static str,
    ) -> Result<bool> {
        // Renewed or repaired at the same moment: the grant to give back is the newer one.
        for _ in 0..3 {
            let mut db = self.store.read().await?;
            let Some(waits) = db.finish(id).await? else { return Ok(false) };
            let found = db.account_secret(&waits.account_id).await?;
            drop(db);
            let was_aside = waits.aside.is_some();
            let fresh = found.filter(|(account, ..)| !was_aside && is_pending(account));
            let fresh = fresh.map(|(account, secret, _)| {
                let release = self.release_of(&account.provider, &account.details, &secret)?;
                Ok::<_, Error>((account, release))
            });
            let fresh = fresh.transpose()?;
            let aside = self.release_of_aside(&waits)?;
            let (id, now) = (id.clone(), self.now());
            let abandoning = Abandoning { id, state, kind, cause, fresh, was_aside, aside, now };
            match self.store.write(abandoning, |abandoning, tx| Box::pin(abandon(abandoning, tx))).await {
                Ok(true) => {
                    figures().ended(state.as_str());
                    tracing::info!(session.id = %waits.session_id, cause, "a sign-in was taken back");
                    return Ok(true);
                }
                Ok(false) => return Ok(false),
                Err(store::Error::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::Conflict)
    }
}

/// Whether an account is there only for a sign-in that waits.
fn is_pending(account: &Account) -> bool {
    account.status == Status::Connecting && account.cause.as_deref() == Some(PENDING)
}

/// The account that a sign-in belongs to, and what happens to it: the reconnect's target, or the account that the
/// product's same name for the person connected to the same identity before.
async fn existing(
    session: &Session,
    fresh: &Account,
    tx: &mut Tx,
) -> store::Result<(Option<Account>, EventKind)> {
    match (session.purpose, &session.account_id, &fresh.name_mark) {
        (Purpose::Reconnect, Some(id), _) => {
            let target = tx.account(id).await?.ok_or(store::Error::Conflict)?;
            Ok((Some(target), EventKind::AccountReconnected))
        }
        (_, _, Some(name)) => {
            let known = tx.account_by_identity(&fresh.provider, &fresh.identity_mark, name).await?;
            Ok((known, EventKind::AccountConnected))
        }
        _ => Ok((None, EventKind::AccountConnected)),
    }
}

/// Makes the account, or repairs the one that it belongs to.
pub(super) async fn complete(
    session: &Session,
    signed: &SignedIn,
    now: Millis,
    update: &mut SessionUpdate,
    tx: &mut Tx,
) -> store::Result<()> {
    let fresh = &signed.account;
    let (known, kind) = existing(session, fresh, tx).await?;
    let account = match known {
        Some(account) => {
            let (details, secret) = (fresh.details.clone(), signed.secret.clone());
            let watch = fresh.watch.clone();
            releases::replace(&account.id, &secret, signed.release.as_ref(), tx).await?;
            let works = AccountUpdate { status: Status::Ok, cause: None, details, secret, at: now, watch };
            tx.update_account(&account.id, account.version, &works).await?;
            account.id
        }
        None => {
            tx.insert_account(fresh, &signed.secret).await?;
            releases::note(&fresh.id, signed.release.as_ref(), tx).await?;
            fresh.id.clone()
        }
    };
    tell(session, &fresh.provider, &account, kind, now, update, tx).await
}

/// Ends the session with its account, and tells of both.
async fn tell(
    session: &Session,
    provider: &str,
    account: &AccountId,
    kind: EventKind,
    now: Millis,
    update: &mut SessionUpdate,
    tx: &mut Tx,
) -> store::Result<()> {
    let id = &session.id;
    end(update, SessionState::Connected, now);
    update.account_id = Some(account.clone());
    update.cause = None;
    let told = [("provider", provider), ("session_id", id.as_str())];
    let event = tx.append_account_event(account, kind, &told).await?;
    ending::tell(id, &event, tx).await?;
    let told = [("provider", provider), ("account_id", account.as_str())];
    tx.append_session_event(id, EventKind::SessionCompleted, &told).await?;
    Ok(())
}

/// Keeps a sign-in until its code, of which this is the hash, is redeemed.
pub(super) async fn hold(
    session: &Session,
    signed: &SignedIn,
    code_hash: &str,
    now: Millis,
    update: &mut SessionUpdate,
    tx: &mut Tx,
) -> store::Result<()> {
    let fresh = &signed.account;
    let (known, _) = existing(session, fresh, tx).await?;
    let (account_id, aside) = match known {
        Some(account) => {
            let (details, secret) = (fresh.details.clone(), signed.secret.clone());
            (account.id, Some(Aside { details, secret }))
        }
        None => {
            let (status, cause) = (Status::Connecting, Some(PENDING.to_owned()));
            let account = Account { status, cause, ..fresh.clone() };
            tx.insert_account(&account, &signed.secret).await?;
            releases::note(&account.id, signed.release.as_ref(), tx).await?;
            (account.id, None)
        }
    };
    let (session_id, provider) = (session.id.clone(), fresh.provider.clone());
    let (code_hash, due_at) = (code_hash.to_owned(), now.after(WAITS));
    let waits = Finish {
        session_id,
        account_id: account_id.clone(),
        provider,
        code_hash,
        aside,
        due_at,
        created_at: now,
    };
    tx.insert_finish(&waits).await?;
    releases::note_waiting(&waits, signed.release.as_ref(), tx).await?;
    end(update, SessionState::Finishing, now);
    update.account_id = Some(account_id);
    update.cause = None;
    let told = [("provider", &*fresh.provider)];
    tx.append_session_event(&session.id, EventKind::SessionFinishing, &told).await?;
    Ok(())
}

async fn redeem(redeeming: &Redeeming, tx: &mut Tx) -> store::Result<Redeemed> {
    let Redeeming { id, hash, watch, gives_back, .. } = redeeming;
    let now = redeeming.now;
    let session = tx.session(id).await?.ok_or(store::Error::NotFound)?;
    match session.state_at(now) {
        SessionState::Finishing => {}
        // Nobody has signed in, so that nobody has its code.
        SessionState::Open => return Ok(Redeemed::Wrong),
        _ => return Ok(Redeemed::Ended),
    }
    let Some(waits) = tx.finish(id).await?.filter(|waits| waits.due_at > now) else {
        return Ok(Redeemed::Ended);
    };
    if waits.code_hash != *hash {
        return Ok(Redeemed::Wrong);
    }
    let Some((account, secret, _)) = tx.account_secret(&waits.account_id).await? else {
        return Ok(Redeemed::Gone);
    };
    tx.remove_finish(id).await?;
    let kept = waits.aside.or_else(|| {
        // Somebody else's code, or a sign-in without one, has repaired it meanwhile; then there is nothing left to do.
        is_pending(&account).then(|| Aside { details: account.details.clone(), secret })
    });
    if let Some(Aside { details, secret }) = kept {
        let watch = watch.as_ref().unwrap_or(&account.watch).clone();
        releases::replace(&account.id, &secret, gives_back.as_ref(), tx).await?;
        let works = AccountUpdate { status: Status::Ok, cause: None, details, secret, at: now, watch };
        tx.update_account(&account.id, account.version, &works).await?;
    }
    let kind = match session.purpose {
        Purpose::Reconnect => EventKind::AccountReconnected,
        Purpose::Create => EventKind::AccountConnected,
    };
    let mut update = SessionUpdate::from(&session);
    tell(&session, &waits.provider, &account.id, kind, now, &mut update, tx).await?;
    tx.update_session(id, session.version, &update).await?;
    wake(&session, tx);
    Ok(Redeemed::Done(account.id, kind))
}

/// Takes a sign-in back; `false` when it does not wait any more and nothing was written.
async fn abandon(abandoning: &Abandoning, tx: &mut Tx) -> store::Result<bool> {
    let Abandoning { id, state, kind, cause, fresh, was_aside, aside, now } = abandoning;
    let Some(waits) = tx.finish(id).await? else { return Ok(false) };
    if waits.aside.is_some() != *was_aside {
        return Err(store::Error::Conflict);
    }
    tx.remove_finish(id).await?;
    if let Some(release) = aside {
        tx.insert_release(release).await?;
    }
    if let Some((account, release)) = fresh {
        match tx.next_finish(&waits).await? {
            // The same person signed in for another session, whose code is still good: the account is kept for that.
            Some(Finish { session_id, aside: Some(Aside { details, secret }), .. }) => {
                let (status, cause) = (Status::Connecting, Some(PENDING.to_owned()));
                let watch = account.watch.clone();
                let update = AccountUpdate { status, cause, details, secret, at: *now, watch };
                tx.update_account(&account.id, account.version, &update).await?;
                tx.take_waiting_grant(&account.id, &session_id).await?;
                tx.empty_finish(&session_id).await?;
                if let Some(release) = release.as_ref().filter(|one| one.stands_alone()) {
                    tx.insert_release(release).await?;
                }
            }
            _ => {
                let facts = [("provider", &*account.provider), ("cause", cause)];
                tx.append_account_event(&account.id, EventKind::AccountDeleted, &facts).await?;
                if let Some(release) = release {
                    tx.insert_release(release).await?;
                }
                tx.delete_account(&account.id, account.version).await?;
            }
        }
    }
    // A session that was swept has nobody to tell.
    let Some(session) = tx.session(id).await? else { return Ok(true) };
    let mut update = SessionUpdate::from(&session);
    end(&mut update, *state, *now);
    update.cause = Some((*cause).to_owned());
    if session.purpose == Purpose::Create {
        update.account_id = None;
    }
    tx.update_session(id, session.version, &update).await?;
    let facts = [("provider", &*waits.provider), ("cause", cause)];
    let event = tx.append_session_event(id, *kind, &facts).await?;
    ending::tell(id, &event, tx).await?;
    wake(&session, tx);
    Ok(true)
}

fn wake(session: &Session, tx: &mut Tx) {
    if let Some(attempt) = &session.attempt_id {
        tx.wake(Wake::Attempt(attempt.as_str().to_owned()));
    }
}
