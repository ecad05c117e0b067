//! Credentials for backends: what an account's secret gives right now, renewed first where it is about to run out. One
//! call renews at a time for an account, over all nodes; what comes back is kept by compare-and-swap, and a refusal
//! breaks the account only if nobody else has renewed it meanwhile. The rules are in `turns`, the asking in `looks`.

use std::time::Duration;

use tokio::time::Instant;

use super::looks::{Held, Looked};
use super::turns::{self, HOLD, Turn};
use super::{AccountView, Connect, Error, Result, decode};
use crate::contract::{Actor, Credentials, State, Trouble};
use crate::kernel::ids::AccountId;
use crate::kernel::random::Token;
use crate::kernel::words::Status;
use crate::store::{self, Account, Hold};

/// How long credentials must still be good, so that whoever gets them can use them.
const GOOD_FOR: Duration = Duration::from_secs(300);
/// How long somebody else's renewal is waited for.
const WAIT: Duration = Duration::from_secs(20);
/// How often it is looked at meanwhile.
const POLL: Duration = Duration::from_millis(150);

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
    hold: Option<Hold>,
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
        // Somebody else's hold as it was seen first, and since when.
        let mut watched: Option<(Hold, Instant)> = None;
        loop {
            let read = self.read_secret(id).await?;
            let (account, secret) = (&read.account, &read.secret);
            let provider = self.provider(&account.provider)?.clone();
            let version = account.version;
            let view = self.read_account(account.clone())?;
            // A sign-in that waits for its backend is as good as none.
            if matches!(view.status, Status::Credentials | Status::Permissions | Status::Connecting) {
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
            // What cannot be renewed is good as long as it lasts.
            let as_it_is = || provider.outlook(secret).is_ok_and(|outlook| !outlook.renews);
            if credentials.expires_at.is_none() || enough || (lasts(Duration::ZERO) && as_it_is()) {
                if !provider.online_once() || self.hand_out(id, version).await? {
                    return Ok(Ok(Given { account: view, credentials }));
                }
                // Somebody looks at it, connected with the very session.
                if Instant::now() >= deadline {
                    return Err(Error::NoAnswer("timeout"));
                }
                tokio::time::sleep(POLL).await;
                continue;
            }
            let first = *renewed_from.get_or_insert(version);
            // Who asked meanwhile, lived, and let go of the account as it was had no answer. Nobody else would have one now.
            let in_vain = watched.as_ref().is_some_and(|(seen, since)| {
                let let_go = read.hold.as_ref().is_none_or(|hold| hold.by != seen.by || hold.until.0 == 0);
                let_go && seen.until.0 > 0 && since.elapsed() < HOLD && first == version
            });
            let unchanged = match (&watched, &read.hold) {
                (Some((seen, since)), Some(hold)) if seen == hold => since.elapsed(),
                (_, hold) => {
                    watched = hold.clone().map(|hold| (hold, Instant::now()));
                    Duration::ZERO
                }
            };
            let (held, looked) = match turns::turn(read.hold.as_ref(), unchanged) {
                _ if in_vain => (false, Looked::Silent(Trouble { code: "no_answer", actor: Actor::Nobody })),
                Turn::Wait => (true, Looked::NotAsked),
                // Nobody who gives no answer is run over by backends that ask again and again.
                Turn::Take { .. } if !self.peers.admits_one(&account.watch.lane, id) => {
                    (false, Looked::Silent(Trouble { code: "no_answer", actor: Actor::Nobody }))
                }
                Turn::Take { interrupted } => {
                    let lane = account.watch.lane.clone();
                    let looked = self.renew(read, interrupted).await?;
                    self.peers.noted_besides(&lane, id, &looked);
                    (false, looked)
                }
            };
            let code = match looked {
                Looked::Silent(trouble) => trouble.code,
                _ if Instant::now() >= deadline => "timeout",
                _ if held => {
                    tokio::time::sleep(POLL).await;
                    continue;
                }
                _ => continue,
            };
            if fresh || !lasts(Duration::ZERO) {
                return Err(Error::NoAnswer(code));
            }
            tracing::warn!(account.id = %id, cause = code, "credentials could not be renewed yet");
            return Ok(Ok(Given { account: view, credentials }));
        }
    }

    async fn read_secret(&self, id: &AccountId) -> Result<Read> {
        let found = self.store.read().await?.account_secret(id).await?;
        let (account, secret, hold) = found.ok_or(Error::NotFound("account"))?;
        Ok(Read { account, secret: decode(&secret)?, hold })
    }

    /// Renews an account's credentials as the only one who does.
    async fn renew(&self, read: Read, interrupted: bool) -> Result<Looked> {
        let Read { account, secret, hold: seen } = read;
        let by = Token::new(self.random()).hash();
        let hold = Hold { by: by.clone(), until: self.now().after(HOLD) };
        let since = Instant::now();
        let context = (account.id.clone(), account.version, seen, hold);
        let held = self
            .store
            .write(context, |(id, version, seen, hold), tx| {
                Box::pin(tx.hold_account(id, *version, seen.as_ref(), hold))
            })
            .await;
        match held {
            Ok(()) => {}
            Err(store::Error::Conflict) => return Ok(Looked::NotAsked),
            Err(error) => return Err(error.into()),
        }
        let connect = self.clone();
        let held = Held { account, secret, by, interrupted, since };
        // It goes on when the caller goes away: what the provider gives is to be had once.
        let renewal = tokio::spawn(async move { connect.look_after(held, false).await });
        renewal.await.map_err(|error| Error::internal("renewing", error))?
    }
}
