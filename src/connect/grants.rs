//! Credentials for backends: what an account's secret gives right now, renewed first where it is about to run out. One
//! call renews at a time for an account, over all nodes; what comes back is kept by compare-and-swap, and a refusal
//! breaks the account only if nobody else has renewed it meanwhile.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::{AccountView, Connect, Details, Error, Result, decode, encode};
use crate::contract::{Actor, Context, Credentials, Renewed, State, Trouble};
use crate::kernel::clock::Millis;
use crate::kernel::figures::figures;
use crate::kernel::ids::AccountId;
use crate::kernel::random::Token;
use crate::kernel::words::{EventKind, Status};
use crate::store::{self, Account, AccountUpdate};

/// How long credentials must still be good, so that whoever gets them can use them.
const GOOD_FOR: Duration = Duration::from_secs(300);
/// How long one call to a provider may take.
const CALL: Duration = Duration::from_secs(30);
/// How long an account stays held after its holder was last heard of.
const HOLD: Duration = Duration::from_secs(10);
/// How often a holder says that it lives.
const RENEW: Duration = Duration::from_secs(3);
/// How long somebody else's renewal is waited for.
const WAIT: Duration = Duration::from_secs(20);
/// How often it is looked at meanwhile.
const POLL: Duration = Duration::from_millis(150);

/// The cause of an account that is refused after a renewal whose end nobody learned: the process was killed in it, or its
/// answer was lost.
const INTERRUPTED: &str = "refresh_interrupted";

/// An account and what lets a backend act for its person.
#[derive(Clone, Debug)]
pub struct Given {
    /// The account.
    pub account: AccountView,
    /// What it gives.
    pub credentials: Credentials,
}

/// An account whose person has to sign in again first.
#[derive(Clone, Debug)]
pub struct Missing {
    /// The account, with its cause.
    pub account: AccountView,
    /// Scopes that are asked for and were not granted.
    pub missing: Vec<String>,
}

/// An account as it was read to be renewed.
struct Read {
    account: Account,
    secret: State,
    /// Whether somebody renews it at this moment.
    held: bool,
    /// Whether somebody began to and never said how it ended.
    interrupted: bool,
}

/// What a renewal came to.
enum Outcome {
    /// It is worth looking again.
    Look,
    /// There was no definite answer.
    Silent(Trouble),
}

impl Connect {
    /// What lets a backend act for an account's person. `fresh` asks for credentials that were renewed just now.
    ///
    /// # Errors
    /// `NotFound("account")`, `ProviderUnavailable`, `NoAnswer` when they have run out and could not be renewed,
    /// `Unavailable`.
    pub async fn credentials(
        &self,
        id: &AccountId,
        fresh: bool,
    ) -> Result<std::result::Result<Given, Missing>> {
        let deadline = Instant::now() + WAIT;
        let mut renewed_from = None;
        loop {
            let read = self.read_secret(id).await?;
            let (account, secret, held) = (&read.account, &read.secret, read.held);
            let provider = self.provider(&account.provider)?.clone();
            let version = account.version;
            let view = self.read_account(account.clone())?;
            // A sign-in that waits for its backend is as good as none.
            if matches!(view.status, Status::Credentials | Status::Connecting) {
                let credentials = provider.credentials(secret, &view.profile);
                let missing = credentials.map(|credentials| credentials.missing).unwrap_or_default();
                return Ok(Err(Missing { account: view, missing }));
            }
            let unreadable = |trouble| Error::internal("reading a secret", trouble);
            let credentials = provider.credentials(secret, &view.profile).map_err(unreadable)?;
            let lasts = |for_long| credentials.expires_at.is_none_or(|at| at > self.now().after(for_long));
            // What was renewed meanwhile, by whomever, is as good as it gets, even where it lasts for a moment only.
            let renewed = renewed_from.is_some_and(|read| read != version);
            let enough = if renewed { lasts(Duration::ZERO) } else { lasts(GOOD_FOR) && !fresh };
            if credentials.expires_at.is_none() || enough {
                return Ok(Ok(Given { account: view, credentials }));
            }
            renewed_from.get_or_insert(version);
            let outcome = if held { Outcome::Look } else { self.renew(read).await? };
            match outcome {
                Outcome::Silent(trouble) if !fresh && lasts(Duration::ZERO) => {
                    tracing::warn!(account.id = %id, cause = trouble.code, "credentials could not be renewed yet");
                    return Ok(Ok(Given { account: view, credentials }));
                }
                Outcome::Silent(trouble) => return Err(Error::NoAnswer(trouble.code)),
                Outcome::Look if Instant::now() >= deadline => return Err(Error::NoAnswer("timeout")),
                Outcome::Look if held => tokio::time::sleep(POLL).await,
                Outcome::Look => {}
            }
        }
    }

    async fn read_secret(&self, id: &AccountId) -> Result<Read> {
        let found = self.store.read().await?.account_secret(id).await?;
        let (account, secret, held_until) = found.ok_or(Error::NotFound("account"))?;
        let held = held_until.is_some_and(|until| until > self.now());
        Ok(Read { account, secret: decode(&secret)?, held, interrupted: held_until.is_some() && !held })
    }

    /// Renews an account's credentials as the only one who does.
    async fn renew(&self, read: Read) -> Result<Outcome> {
        let account = &read.account;
        let by = Token::new(self.random()).hash();
        let now = self.now();
        let context = (account.id.clone(), account.version, by.clone(), now, now.after(HOLD));
        let held = self
            .store
            .write(context, |(id, version, by, now, until), tx| {
                Box::pin(tx.hold_account(id, *version, by, *now, *until))
            })
            .await;
        match held {
            Ok(()) => {}
            Err(store::Error::Conflict) => return Ok(Outcome::Look),
            Err(error) => return Err(error.into()),
        }
        let connect = self.clone();
        // It goes on when the caller goes away: what the provider gives is to be had once.
        let renewal = tokio::spawn(async move { connect.renew_held(read, by).await });
        renewal.await.map_err(|error| Error::internal("renewing", error))?
    }

    async fn renew_held(&self, read: Read, by: String) -> Result<Outcome> {
        let Read { account, secret, interrupted, .. } = read;
        let provider = self.provider(&account.provider)?.clone();
        let cx: Context = self.cx.clone();
        let begun = Instant::now();
        let call = tokio::time::timeout(CALL, provider.renew(&cx, secret));
        tokio::pin!(call);
        let asked = loop {
            tokio::select! {
                asked = &mut call => break asked,
                () = tokio::time::sleep(RENEW) => {
                    let context = (account.id.clone(), by.clone(), self.now().after(HOLD));
                    let kept = self
                        .store
                        .write(context, |(id, by, until), tx| Box::pin(tx.keep_hold(id, by, Some(*until))))
                        .await;
                    // A database that is away for a moment does not end the call; a repair in between does.
                    if matches!(kept, Err(store::Error::Conflict)) {
                        return Ok(Outcome::Look);
                    }
                }
            }
        };
        figures().provider(&account.provider, begun.elapsed());
        match asked.unwrap_or(Err(Trouble { code: "timeout", actor: Actor::Nobody })) {
            Ok(Renewed::Fresh { secret, details }) => {
                let account = Account { details: changed(&account.details, details)?, ..account };
                self.keep(account, Status::Ok, None, encode(&secret)?).await?;
                Ok(Outcome::Look)
            }
            Ok(Renewed::Gone { cause }) => {
                // Whoever was cut off may have been given what replaced the secret that is refused now.
                let cause = if interrupted { INTERRUPTED.to_owned() } else { cause };
                tracing::info!(account.id = %account.id, cause, "an account stopped working");
                let found = self.store.read().await?.account_secret(&account.id).await?;
                // A version that has moved on is a race that was lost, and no dead account.
                if let Some((now, secret, _)) = found
                    && now.version == account.version
                {
                    self.keep(account, Status::Credentials, Some(cause), secret).await?;
                }
                Ok(Outcome::Look)
            }
            Err(trouble) => {
                // A secret that is used once may have been used, whoever never learned it.
                let unknown = interrupted || trouble.actor == Actor::Nobody;
                let context = (account.id.clone(), by, unknown.then_some(Millis(0)));
                let let_go = self
                    .store
                    .write(context, |(id, by, until), tx| Box::pin(tx.keep_hold(id, by, *until)))
                    .await;
                match let_go {
                    Ok(()) | Err(store::Error::Conflict) => Ok(Outcome::Silent(trouble)),
                    Err(error) => Err(error.into()),
                }
            }
        }
    }

    /// Writes what came of a renewal, with its event, if the account is still as it was read.
    async fn keep(
        &self,
        account: Account,
        status: Status,
        cause: Option<String>,
        secret: Zeroizing<Vec<u8>>,
    ) -> Result<()> {
        // What waits for its backend is working once that has spoken, and not before.
        let (status, cause) = match account.status {
            Status::Connecting => (account.status, account.cause.clone()),
            _ => (status, cause),
        };
        let breaks = status == Status::Credentials && account.status != status;
        let update =
            AccountUpdate { status, cause, details: account.details.clone(), secret, at: self.now() };
        let kept = self
            .store
            .write((account, update, breaks), |(account, update, breaks), tx| {
                Box::pin(async move {
                    tx.update_account(&account.id, account.version, update).await?;
                    if *breaks {
                        let cause = update.cause.as_deref().unwrap_or_default();
                        let facts = [("provider", &*account.provider), ("cause", cause)];
                        tx.append_account_event(&account.id, EventKind::AccountBroken, &facts).await?;
                    }
                    Ok(())
                })
            })
            .await;
        match kept {
            // Repaired or deleted meanwhile: what stands there is newer than what came of this.
            Ok(()) | Err(store::Error::Conflict) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// An account's sealed details with what renewing changed of the public ones.
fn changed(sealed: &[u8], public: BTreeMap<String, Value>) -> Result<Zeroizing<Vec<u8>>> {
    let mut details: Details = decode(sealed)?;
    for (name, value) in public {
        match value {
            Value::Null => details.profile.details.remove(&name),
            value => details.profile.details.insert(name, value),
        };
    }
    encode(&details)
}
