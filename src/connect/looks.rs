//! Asking a provider about an account that one holds, and writing down what it said: by renewing where credentials have an
//! end, by signing in where they have none. A backend that wants credentials and the loop that watches over accounts do
//! it by the same way, so each counts for the other.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::turns::{self, After, HOLD, RENEW, Reply, Writing};
use super::watch::{Rules, Said, Standing, Verdict, judge, next_look};
use super::{Connect, Details, Error, Result, decode, encode};
use crate::contract::{Actor, Checked, Context, Outlook, Provider, Renewed, State, Trouble};
use crate::kernel::clock::Millis;
use crate::kernel::figures::figures;
use crate::kernel::words::EventKind;
use crate::store::{self, Account, AccountUpdate, Tx, Watch};

/// How long one call to a provider may take.
const CALL: Duration = Duration::from_secs(58);
/// How often a new secret is tried to be written that the database would not take.
const INSIST: Duration = Duration::from_millis(250);
/// How long that goes on.
const PERSIST: Duration = Duration::from_secs(600);

/// The cause of an account that is refused after a renewal whose end nobody learned: the process was killed in it, or its
/// answer was lost.
const INTERRUPTED: &str = "refresh_interrupted";
/// The cause of an account whose grant is another client's.
pub(super) const ANOTHER_CLIENT: &str = "oauth_client_changed";

/// An account that is held.
pub(super) struct Held {
    pub account: Account,
    pub secret: State,
    /// The holder's word for itself.
    pub by: String,
    /// Whether somebody began to ask and never said how it ended.
    pub interrupted: bool,
    /// When hold was taken.
    pub since: Instant,
}

/// What a look came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Looked {
    /// There was a definite answer.
    Answered,
    /// Nobody was asked, or what came of it is another's to learn.
    NotAsked,
    /// There was no definite answer.
    Silent(Trouble),
}

/// A provider's answer.
enum Answer {
    Fresh(State, BTreeMap<String, Value>),
    /// Fresh, and refused.
    Short(State, BTreeMap<String, Value>, String, Actor),
    Fine,
    Refused {
        cause: String,
        actor: Actor,
        sure: bool,
    },
    Silent(Trouble),
}

/// What is written down.
struct Note {
    account: Account,
    by: String,
    verdict: Verdict,
    secret: Zeroizing<Vec<u8>>,
    /// Whether the account itself changes.
    changes: bool,
    writing: Writing,
    at: Millis,
}

impl Connect {
    /// Asks about an account as the only one who does. `planned` is for looks that are due; others say nothing of the
    /// account when there is no answer.
    pub(super) async fn look_after(&self, mut held: Held, planned: bool) -> Result<Looked> {
        let provider = self.provider(&held.account.provider)?.clone();
        let unreadable = |trouble: Trouble| Error::internal("reading a secret", trouble);
        let outlook = provider.outlook(&held.secret).map_err(unreadable)?;
        let begun = Instant::now();
        let Some(answer) = self.ask_about(&held, &*provider, &outlook).await else {
            return Ok(Looked::NotAsked);
        };
        figures().provider(&held.account.provider, begun.elapsed());
        let renews = outlook.renews;
        let (reply, outlook, secret) = match &answer {
            Answer::Fresh(secret, details) | Answer::Short(secret, details, ..) => {
                held.account.details = changed(&held.account.details, details)?;
                (Reply::Good, provider.outlook(secret).map_err(unreadable)?, Some(secret.clone()))
            }
            Answer::Fine => (Reply::Good, outlook, None),
            Answer::Refused { .. } => (Reply::Refused, outlook, None),
            // A secret that is used once may have been used, whoever never learned it.
            Answer::Silent(trouble) => {
                let maybe_used = renews && trouble.actor == Actor::Nobody;
                (Reply::Silent { maybe_used }, outlook, None)
            }
        };
        let interrupted = held.interrupted && renews;
        let writing = turns::writing(reply, interrupted);
        let outcome = match &answer {
            Answer::Silent(trouble) => Looked::Silent(trouble.clone()),
            // Only that client could ask.
            Answer::Refused { cause, .. } if cause == ANOTHER_CLIENT => Looked::NotAsked,
            _ => Looked::Answered,
        };
        let said = match answer {
            Answer::Fresh(..) | Answer::Fine => Said::Fine(outlook),
            Answer::Short(_, _, cause, actor) => Said::Refused { cause, actor, sure: true },
            Answer::Refused { cause, actor, sure } => {
                // Whoever was cut off may have been given what replaced the secret that is refused now.
                let lost = writing == (Writing::Break { interrupted: true }) && cause != ANOTHER_CLIENT;
                Said::Refused { cause: if lost { INTERRUPTED.to_owned() } else { cause }, actor, sure }
            }
            Answer::Silent(trouble) if !planned => {
                let unknown = writing == (Writing::LetGo { unknown: true });
                self.let_go(&held.account, &held.by, unknown).await?;
                return Ok(Looked::Silent(trouble));
            }
            Answer::Silent(trouble) => Said::Silent { code: trouble.code.to_owned(), actor: trouble.actor },
        };
        self.write_down(held, secret, &said, writing, renews).await?;
        Ok(outcome)
    }

    /// Asks once, and says all the while that the holder lives. `None` when the hold was lost: what would come of the
    /// call is another's to learn.
    async fn ask_about(&self, held: &Held, provider: &dyn Provider, outlook: &Outlook) -> Option<Answer> {
        if !turns::may_ask(held.since.elapsed()) {
            return None;
        }
        let (cx, secret): (&Context, State) = (&self.cx, held.secret.clone());
        let call = async {
            if outlook.renews {
                match provider.renew(cx, secret).await {
                    Ok(Renewed::Fresh { secret, details }) => Answer::Fresh(secret, details),
                    Ok(Renewed::Short { secret, details, cause, actor }) => {
                        Answer::Short(secret, details, cause, actor)
                    }
                    Ok(Renewed::Gone { cause, actor }) => Answer::Refused { cause, actor, sure: true },
                    Err(trouble) => Answer::Silent(trouble),
                }
            } else {
                match provider.check(cx, secret).await {
                    Ok(Checked::Fine) => Answer::Fine,
                    Ok(Checked::Refused { cause, actor, sure }) => Answer::Refused { cause, actor, sure },
                    Err(trouble) => Answer::Silent(trouble),
                }
            }
        };
        let call = tokio::time::timeout(CALL, call);
        tokio::pin!(call);
        let slow = Trouble { code: "timeout", actor: Actor::Nobody };
        loop {
            tokio::select! {
                answer = &mut call => return Some(answer.unwrap_or(Answer::Silent(slow))),
                () = tokio::time::sleep(RENEW) => {
                    let context = (held.account.id.clone(), held.by.clone(), self.now().after(HOLD));
                    let kept = self
                        .store
                        .write(context, |(id, by, until), tx| Box::pin(tx.keep_hold(id, by, Some(*until))))
                        .await;
                    // A database that is away for a moment does not end the call; a repair in between does.
                    if matches!(kept, Err(store::Error::Conflict)) {
                        return None;
                    }
                }
            }
        }
    }

    /// Lets go of an account about which there is nothing to say.
    pub(super) async fn let_go(&self, account: &Account, by: &str, unknown: bool) -> Result<()> {
        let context = (account.id.clone(), by.to_owned(), unknown.then_some(Millis(0)));
        let let_go =
            self.store.write(context, |(id, by, until), tx| Box::pin(tx.keep_hold(id, by, *until))).await;
        match let_go {
            Ok(()) | Err(store::Error::Conflict) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn rules(&self, renews: bool) -> Rules {
        let checks = self.limits.checks;
        Rules { checks, every: checks.every(renews), now: self.now(), chance: self.random().fraction() }
    }

    /// What becomes of an account after what was said.
    pub(super) fn judged(&self, account: &Account, said: &Said, renews: bool) -> Verdict {
        let rules = self.rules(renews);
        let (status, cause, mut watch) = (account.status, account.cause.clone(), account.watch.clone());
        if let Said::Fine(outlook) = said {
            watch.lane = lane(&account.provider, outlook);
        }
        judge(&Standing { status, cause, watch }, said, &rules)
    }

    /// How an account is watched over that was connected just now.
    pub(super) fn first_watch(&self, slug: &str, secret: &State) -> Result<Watch> {
        let outlook = self.provider(slug)?.outlook(secret);
        let outlook = outlook.map_err(|trouble| Error::internal("reading a secret", trouble))?;
        let rules = self.rules(outlook.renews);
        Ok(Watch {
            lane: lane(slug, &outlook),
            check_at: next_look(outlook.end.as_ref(), false, &rules),
            checked_at: Some(rules.now),
            ends_at: outlook.end.as_ref().map(|end| end.at),
            client: outlook.client,
            ..Watch::default()
        })
    }

    async fn write_down(
        &self,
        held: Held,
        fresh: Option<State>,
        said: &Said,
        writing: Writing,
        renews: bool,
    ) -> Result<()> {
        let Held { account, secret, by, .. } = held;
        let verdict = self.judged(&account, said, renews);
        figures().checked(&account.provider, verdict.result);
        let standing = &verdict.standing;
        let moved = standing.status != account.status || standing.cause != account.cause;
        if moved {
            let (status, cause) = (standing.status.as_str(), standing.cause.as_deref());
            tracing::info!(account.id = %account.id, status, cause, "an account's status changed");
        }
        let changes = moved || fresh.is_some() || !verdict.events.is_empty();
        let secret = encode(fresh.as_ref().unwrap_or(&secret))?;
        let note = Note { account, by, verdict, secret, changes, writing, at: self.now() };
        self.insist(note, fresh.is_some()).await
    }

    /// Writes until it is written, or there is no more point in it. A secret that a provider gave is to be had once, so a
    /// database that is away or full is waited for.
    async fn insist(&self, note: Note, precious: bool) -> Result<()> {
        let (note, begun) = (std::sync::Arc::new(note), Instant::now());
        let mut told = false;
        loop {
            let written = self.store.write(note.clone(), |note, tx| Box::pin(write_note(note, tx))).await;
            match written {
                Ok(()) => return Ok(()),
                // Repaired, deleted or taken over meanwhile: what stands there is newer than what came of this. Should
                // it still be held, nobody knows what this use of the secret did to it.
                Err(store::Error::Conflict | store::Error::NotFound) => {
                    let noted = turns::after(note.writing, true, false) == After::Noted;
                    return self.let_go(&note.account, &note.by, noted).await;
                }
                Err(error) if precious && begun.elapsed() < PERSIST => {
                    if !std::mem::replace(&mut told, true) {
                        let id = &note.account.id;
                        tracing::error!(account.id = %id, error = %error, "a renewed secret could not be written yet");
                    }
                    tokio::time::sleep(INSIST).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Whom looking asks: a provider, or a host below it.
fn lane(slug: &str, outlook: &Outlook) -> String {
    match outlook.peer.as_str() {
        "" => slug.to_owned(),
        peer => format!("{slug}/{peer}"),
    }
}

/// Writes a look down, with its events.
async fn write_note(note: &Note, tx: &mut Tx) -> store::Result<()> {
    let Note { account, by, verdict, .. } = note;
    let (id, standing) = (&account.id, &verdict.standing);
    if !note.changes {
        let unknown = turns::after(note.writing, true, true) == After::Noted;
        return tx.finish_look(id, account.version, by, &standing.watch, unknown).await;
    }
    let holding = match tx.holds(id, by).await {
        Ok(()) => true,
        Err(store::Error::Conflict) if !note.writing.guard().holder => false,
        Err(error) => return Err(error),
    };
    let after = turns::after(note.writing, holding, true);
    write_standing(account, verdict, &note.secret, note.at, after == After::AsItIs, tx).await?;
    if after == After::Noted {
        tx.leave_unknown(id).await?;
    }
    Ok(())
}

/// Writes how an account stands from now on, if it has the version that was read, with its events. `held` leaves whatever
/// hold there is.
pub(super) async fn write_standing(
    account: &Account,
    verdict: &Verdict,
    secret: &Zeroizing<Vec<u8>>,
    at: Millis,
    held: bool,
    tx: &mut Tx,
) -> store::Result<()> {
    let standing = &verdict.standing;
    let update = AccountUpdate {
        status: standing.status,
        cause: standing.cause.clone(),
        details: account.details.clone(),
        secret: secret.clone(),
        at,
        watch: standing.watch.clone(),
    };
    match held {
        true => tx.update_held_account(&account.id, account.version, &update).await?,
        false => tx.update_account(&account.id, account.version, &update).await?,
    }
    for (kind, facts) in &verdict.events {
        append(account, *kind, facts, tx).await?;
    }
    Ok(())
}

async fn append(
    account: &Account,
    kind: EventKind,
    facts: &[(&'static str, String)],
    tx: &mut Tx,
) -> store::Result<()> {
    let mut all = vec![("provider", &*account.provider)];
    all.extend(facts.iter().map(|(name, value)| (*name, value.as_str())));
    tx.append_account_event(&account.id, kind, &all).await?;
    Ok(())
}

/// An account's sealed details with what renewing changed of the public ones.
fn changed(sealed: &[u8], public: &BTreeMap<String, Value>) -> Result<Zeroizing<Vec<u8>>> {
    let mut details: Details = decode(sealed)?;
    for (name, value) in public {
        match value {
            Value::Null => details.profile.details.remove(name),
            value => details.profile.details.insert(name.clone(), value.clone()),
        };
    }
    encode(&details)
}
