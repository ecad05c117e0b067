//! Looking at the accounts that are due: which lanes there are, taking some of one, looking at one, and letting go of what
//! a dead node held. The loop that does it is `workers::watch`.

use std::collections::HashSet;
use std::time::Duration;

use tokio::time::Instant;

use super::looks::{ANOTHER_CLIENT, Held, Looked};
use super::turns::{self, HOLD, Turn};
use super::{Connect, Error, Result, decode};
use crate::kernel::ids::AccountId;
use crate::kernel::random::Token;
use crate::kernel::unchanged::Unchanged;
use crate::kernel::words::{Owner, Status};
use crate::store::{self, DueLanes, Hold, Looking};

/// How long an account that cannot be looked at is left alone: its provider was switched off, or its row is damaged.
pub(super) const LATER: Duration = Duration::from_secs(6 * 3600);

/// The lanes of so many accounts are found at once, those that are due longest; and so many more lanes by name, where there
/// are more: what is due in one that does not answer must not hide the others.
const LOOKED_THROUGH: i64 = 500;

/// Where the walk through the lanes goes on.
#[derive(Clone, Debug, Default)]
pub struct LaneWalk(String);

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
    /// Lanes in which something is due now, the longest due first; over some calls, all of them. What a clock that was wrong
    /// put too far ahead becomes due again.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn due_lanes(&self, walk: &mut LaneWalk) -> Result<Vec<String>> {
        let now = self.now();
        let beyond = self.limits.checks.beyond(now);
        let mut db = self.store.read().await?;
        if db.first_and_last_look().await?.1.is_some_and(|last| last > beyond) {
            drop(db);
            let brought = self
                .store
                .write((beyond, now), |(beyond, now), tx| Box::pin(tx.look_again(*beyond, *now)))
                .await?;
            tracing::warn!(accounts = brought, "checks lay too far ahead; was the clock wrong?");
            db = self.store.read().await?;
        }
        let DueLanes { mut lanes, more } = db.longest_due(now, LOOKED_THROUGH).await?;
        if more {
            let (walked, next) = db.walk_lanes(&walk.0, LOOKED_THROUGH).await?;
            walk.0 = next.unwrap_or_default();
            lanes.extend(walked.into_iter().filter(|lane| lane.since <= now));
            lanes.sort_by_key(|lane| lane.since);
            let mut seen = HashSet::new();
            lanes.retain(|lane| seen.insert(lane.name.clone()));
        }
        Ok(lanes.into_iter().map(|lane| lane.name).collect())
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

    /// Looks at an account that was taken, and gives what its lane has to do with it.
    ///
    /// # Errors
    /// `Unavailable`, `Internal` when the account itself cannot be read; it is left alone for a while then.
    pub async fn look_at(&self, due: DueAccount) -> Result<Looked> {
        let read = self.store.read().await?.account_secret(&due.id).await;
        let found = match read {
            Ok(found) => found,
            Err(error @ store::Error::Corrupt { .. }) => {
                self.put_off(&due, due.interrupted).await?;
                return Err(error.into());
            }
            Err(error) => return Err(error.into()),
        };
        // Deleted, or repaired, since it was taken.
        let Some((account, secret, Some(hold))) = found else { return Ok(Looked::NotAsked) };
        if hold.by != due.by {
            return Ok(Looked::NotAsked);
        }
        let looked_after = matches!(account.status, Status::Connecting | Status::Stopped);
        if looked_after || self.provider(&account.provider).is_err() {
            self.put_off(&due, due.interrupted).await?;
            return Ok(Looked::NotAsked);
        }
        let secret = decode(&secret)?;
        if self.owner(&account) == Some(Owner::Consumer) {
            self.put_off(&due, due.interrupted).await?;
            return Ok(Looked::NotAsked);
        }
        let DueAccount { by, interrupted, since, .. } = due.clone();
        match self.look_after(Held { account, secret, by, interrupted, since }, true).await {
            Err(error @ Error::Internal { .. }) => {
                self.put_off(&due, due.interrupted).await?;
                Err(error)
            }
            looked => looked,
        }
    }

    /// Leaves an account alone for a while. `unknown` is whether it is not known how the last call about it ended.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn put_off(&self, due: &DueAccount, unknown: bool) -> Result<()> {
        let at = self.now().after(LATER.mul_f64(0.9 + 0.2 * self.random().fraction()));
        let context = (due.clone(), at, unknown);
        let put = self
            .store
            .write(context, |(due, at, unknown), tx| Box::pin(tx.put_off(&due.id, &due.by, *at, *unknown)))
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

    /// Has accounts looked at soon that other settings may have changed: those whose grant is to another client than the one
    /// that is set up now, those of this one that were marked so, and those about which there was no answer because of
    /// our settings.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn look_after_start(&self) -> Result<()> {
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
        let found = self.store.write(now, |now, tx| Box::pin(tx.look_at_settings(*now))).await?;
        if found > 0 {
            tracing::info!(
                accounts = found,
                "accounts that the settings were in the way of are asked about again"
            );
        }
        Ok(())
    }
}
