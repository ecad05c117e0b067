//! Looking at the accounts that are due: which lanes there are, taking some of one, looking at one, and letting go of what
//! a dead node held. The loop that does it is `workers::watch`.

use std::time::Duration;

use tokio::time::Instant;

use super::looks::{ANOTHER_CLIENT, Held, Outcome};
use super::turns::{self, HOLD, Turn};
use super::{Connect, Error, Result, decode};
use crate::contract::Trouble;
use crate::kernel::ids::AccountId;
use crate::kernel::random::Token;
use crate::kernel::unchanged::Unchanged;
use crate::kernel::words::Status;
use crate::store::{self, Hold, Looking};

/// How long an account that cannot be looked at is left alone: its provider was switched off, or its row is damaged.
const LATER: Duration = Duration::from_secs(6 * 3600);

/// An account that was taken to be looked at.
#[derive(Clone, Debug)]
pub struct DueAccount {
    /// Which.
    pub id: AccountId,
    by: String,
    interrupted: bool,
    since: Instant,
}

/// Holds of others as this node saw them.
pub type Watched = Unchanged<AccountId, Hold>;

impl Connect {
    /// The lanes in which something is due now. What a clock that was wrong put too far ahead becomes due again.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn due_lanes(&self) -> Result<Vec<String>> {
        let now = self.now();
        let lanes = self.store.read().await?.check_lanes().await?;
        let beyond = self.limits.checks.beyond(now);
        for lane in lanes.iter().filter(|lane| lane.last > beyond) {
            let context = (lane.name.clone(), beyond, now);
            let brought = self
                .store
                .write(context, |(lane, beyond, now), tx| Box::pin(tx.look_again(lane, *beyond, *now)))
                .await?;
            tracing::warn!(
                lane = lane.name,
                accounts = brought,
                "checks lay too far ahead; was the clock wrong?"
            );
        }
        Ok(lanes
            .into_iter()
            .filter(|lane| lane.first <= now || lane.last > beyond)
            .map(|lane| lane.name)
            .collect())
    }

    /// Takes accounts of a lane that are due, at most `limit`.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn take_due(&self, lane: &str, limit: usize) -> Result<Vec<DueAccount>> {
        let (now, since) = (self.now(), Instant::now());
        let by = Token::new(self.random()).hash();
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let looking = Looking { lane: lane.to_owned(), now, limit, by: by.clone(), until: now.after(HOLD) };
        let taken = self.store.write(looking, |looking, tx| Box::pin(tx.take_due(looking))).await?;
        let due = |(id, interrupted)| DueAccount { id, by: by.clone(), interrupted, since };
        Ok(taken.into_iter().map(due).collect())
    }

    /// Looks at an account that was taken. What it gives is why there was no answer, where its lane may be to blame.
    ///
    /// # Errors
    /// `Unavailable`, `Internal` when the account itself cannot be read; it is left alone for a while then.
    pub async fn look_at(&self, due: DueAccount) -> Result<Option<Trouble>> {
        let read = self.store.read().await?.account_secret(&due.id).await;
        let found = match read {
            Ok(found) => found,
            Err(error @ store::Error::Corrupt { .. }) => {
                self.put_off(&due).await?;
                return Err(error.into());
            }
            Err(error) => return Err(error.into()),
        };
        // Deleted, or repaired, since it was taken.
        let Some((account, secret, Some(hold))) = found else { return Ok(None) };
        if hold.by != due.by {
            return Ok(None);
        }
        let looked_after = matches!(account.status, Status::Connecting | Status::Stopped);
        if looked_after || self.provider(&account.provider).is_err() {
            self.put_off(&due).await?;
            return Ok(None);
        }
        let secret = decode(&secret)?;
        let DueAccount { by, interrupted, since, .. } = due.clone();
        match self.look_after(Held { account, secret, by, interrupted, since }, true).await {
            Ok(Outcome::Look) => Ok(None),
            Ok(Outcome::Silent(trouble)) => Ok(Some(trouble)),
            Err(error @ Error::Internal { .. }) => {
                self.put_off(&due).await?;
                Err(error)
            }
            Err(error) => Err(error),
        }
    }

    /// Leaves an account alone for a while.
    async fn put_off(&self, due: &DueAccount) -> Result<()> {
        let at = self.now().after(LATER.mul_f64(0.9 + 0.2 * self.random().fraction()));
        let context = (due.clone(), at);
        let put = self
            .store
            .write(context, |(due, at), tx| Box::pin(tx.put_off(&due.id, &due.by, *at, due.interrupted)))
            .await;
        match put {
            Ok(()) | Err(store::Error::Conflict) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Lets go of accounts for holders that are gone: those whose hold this node has seen unchanged for long enough. What
    /// this node looks at itself changes all the while.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn free_held(&self, watched: &mut Watched) -> Result<usize> {
        let held = self.store.read().await?.held_accounts().await?;
        watched.see(held);
        let mut freed = 0;
        for (id, hold, unchanged) in watched.iter() {
            if turns::turn(Some(hold), unchanged) == Turn::Wait {
                continue;
            }
            let context = (id.clone(), hold.clone());
            let done = self.store.write(context, |(id, hold), tx| Box::pin(tx.free_account(id, hold))).await;
            match done {
                Ok(()) => {
                    freed += 1;
                    tracing::info!(account.id = %id, "an account was taken from a holder that is gone");
                }
                Err(store::Error::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(freed)
    }

    /// Has accounts looked at soon whose grant is to another client than the one that is set up now, and those of this
    /// one again that were marked so: the settings have changed.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn look_at_clients(&self) -> Result<()> {
        let now = self.now();
        for provider in self.catalogue.iter() {
            let Some(client) = provider.client() else { continue };
            let slug = provider.about().slug.clone();
            let context = (slug.clone(), client.to_owned(), now);
            let found = self
                .store
                .write(context, |(slug, client, now), tx| {
                    Box::pin(tx.look_at_clients(slug, client, ANOTHER_CLIENT, *now))
                })
                .await?;
            if found > 0 {
                tracing::warn!(
                    provider = slug,
                    accounts = found,
                    "accounts were granted to another OAuth client"
                );
            }
        }
        Ok(())
    }
}
