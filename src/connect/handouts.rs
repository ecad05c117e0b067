//! Sessions that may be online once: whose they are. A backend that reads one has it for itself, and nobody looks at its
//! account, until the backend gives it back, says that it is dead, or the account is connected anew.

use super::looks::write_standing;
use super::watch::Said;
use super::{AccountView, Connect, Error, Result};
use crate::contract::Actor;
use crate::kernel::ids::AccountId;
use crate::kernel::words::{Owner, Status};
use crate::store::{self, Account};

/// What a backend says of a session that it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is not online with it any more.
    Returned,
    /// The provider has ended it.
    Dead {
        /// Why: a stable code.
        cause: String,
    },
}

impl Connect {
    /// Who may be online with an account's session; `None` where several may, or where its provider was switched off.
    pub(super) fn owner(&self, account: &Account) -> Option<Owner> {
        let once = self.provider(&account.provider).is_ok_and(|provider| provider.online_once());
        once.then_some(if account.handed_out_at.is_some() { Owner::Consumer } else { Owner::Vestibule })
    }

    /// Notes that a session which only one may be online with is the backend's from now on; `false` while somebody looks at
    /// it, or when it is another one by now.
    pub(super) async fn hand_out(&self, id: &AccountId, version: i64) -> Result<bool> {
        let context = (id.clone(), version, self.now());
        let noted =
            self.store.write(context, |(id, version, now), tx| Box::pin(tx.hand_out(id, *version, *now)));
        Ok(noted.await?)
    }

    /// Takes a backend's word about a session that it was given: this server looks at the account again from now on, at
    /// once where the session came back. One that is said to be dead breaks the account. Nothing changes where none was
    /// handed out.
    ///
    /// # Errors
    /// `NotFound("account")`, `ProviderUnavailable`, `Invalid` (field `account`) where sessions may be used by several
    /// and (field `cause`) for a cause of something else, `Conflict`, `Unavailable`.
    pub async fn session_back(&self, id: &AccountId, fate: Fate) -> Result<AccountView> {
        for _ in 0..5 {
            let found = self.store.read().await?.account_secret(id).await?;
            let (account, secret, _) = found.ok_or(Error::NotFound("account"))?;
            if !self.provider(&account.provider)?.online_once() {
                return Err(Error::invalid(
                    "account",
                    "is of a provider whose sessions several may use, so that none is handed out or given back",
                ));
            }
            // Whoever does not have it cannot know what became of it.
            let Some(handed_out) = account.handed_out_at else { return self.read_account(account) };
            let verdict = match &fate {
                Fate::Dead { cause } => {
                    let said = Said::Refused { cause: cause.clone(), actor: Actor::Person, sure: true };
                    let verdict = self.judged(&account, &said, false);
                    if verdict.standing.status != Status::Credentials {
                        return Err(Error::invalid(
                            "cause",
                            "is a word for something other than a dead session",
                        ));
                    }
                    Some(verdict)
                }
                Fate::Returned => None,
            };
            let context = (account, secret, verdict, (handed_out, self.now()));
            let back = self.store.write(context, |(account, secret, verdict, (handed_out, now)), tx| {
                Box::pin(async move {
                    if !tx.take_back(&account.id, account.version, *handed_out).await? {
                        return Err(store::Error::Conflict);
                    }
                    match verdict {
                        Some(verdict) => write_standing(account, verdict, secret, *now, false, tx).await,
                        None => tx.look_soon(&account.id, *now).await,
                    }
                })
            });
            match back.await {
                Ok(()) => {
                    tracing::info!(account.id = %id, dead = fate != Fate::Returned, "a session was given back");
                    return self.account(id).await;
                }
                // Looked at, linked anew or deleted at the same moment.
                Err(store::Error::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::Conflict)
    }
}
