//! Grants that nobody uses any more are ended at their provider. A provider ends all that a person granted to the same
//! client at once, so nothing is ended while another account of theirs is connected, and a sign-in that completes while
//! one is being ended asks the person once more instead of keeping what is void.

use std::time::Duration;

use super::{Connect, Details, Result, decode, encode};
use crate::contract::{Context, State};
use crate::kernel::ids::ReleaseId;
use crate::kernel::words::ReleaseState;
use crate::store::Release;

/// How long one call to a provider may take; shorter than [`LEASE`].
const CALL: Duration = Duration::from_secs(30);
/// How long one is held for being asked about.
const LEASE: Duration = Duration::from_secs(60);
/// How long it is remembered that one was ended: longer than any sign-in takes to be saved.
const REMEMBERED: Duration = Duration::from_secs(300);
/// The pause after the first try that had no answer; it doubles with each.
const PAUSE: Duration = Duration::from_secs(10);
/// The longest pause.
const LONGEST: Duration = Duration::from_secs(6 * 3600);
/// How often a provider is asked; with the pauses above, over two days.
const TRIES: i64 = 20;

impl Connect {
    /// What gives a grant back, where its provider takes grants back.
    pub(super) fn release(&self, slug: &str, identity: &str, secret: &State) -> Result<Option<Release>> {
        if !self.provider(slug)?.revokes() {
            return Ok(None);
        }
        let now = self.now();
        Ok(Some(Release {
            id: ReleaseId::new(now, self.random()),
            provider: slug.to_owned(),
            identity_mark: self.identity_mark(slug, identity),
            secret: encode(secret)?,
            state: ReleaseState::Due,
            tries: 0,
            due_at: now,
            version: 1,
            created_at: now,
        }))
    }

    /// What gives back the grant of an account that goes, by its row. A provider that was switched off since cannot be
    /// asked without its settings, and nothing of an account that is gone is kept for later.
    pub(super) fn release_of(&self, slug: &str, details: &[u8], secret: &[u8]) -> Result<Option<Release>> {
        if self.provider(slug).is_err() {
            tracing::warn!(
                provider = slug,
                "an account goes whose provider is switched off: a grant lives on there"
            );
            return Ok(None);
        }
        let details: Details = decode(details)?;
        self.release(slug, &details.identity, &decode(secret)?)
    }

    /// Puts a grant on its way back.
    pub(super) async fn give_back(&self, release: Option<Release>) -> Result<()> {
        let Some(release) = release else { return Ok(()) };
        self.store.write(release, |release, tx| Box::pin(tx.insert_release(release))).await?;
        Ok(())
    }

    /// Ends grants that are due, at most `limit`; gives how many were looked at.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn end_grants(&self, limit: i64) -> Result<usize> {
        let due = self.store.read().await?.due_releases(self.now(), limit).await?;
        let count = due.len();
        for release in due {
            match self.end_grant(release).await {
                // Another node was quicker.
                Ok(()) | Err(super::Error::Conflict) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(count)
    }

    async fn end_grant(&self, mut release: Release) -> Result<()> {
        if release.state == ReleaseState::Ended {
            self.store.write(release, |release, tx| Box::pin(tx.remove_release(release))).await?;
            return Ok(());
        }
        let now = self.now();
        let context = (release.clone(), now.after(LEASE));
        let begun = self
            .store
            .write(context, |(release, until), tx| {
                Box::pin(async move {
                    if tx.count_identity(&release.provider, &release.identity_mark).await? > 0 {
                        tx.remove_release(release).await?;
                        return Ok(false);
                    }
                    tx.move_release(release, ReleaseState::Ending, release.tries + 1, *until).await?;
                    Ok(true)
                })
            })
            .await?;
        if !begun {
            return Ok(());
        }
        (release.version, release.tries) = (release.version + 1, release.tries + 1);
        let code = match self.revoke(&release).await {
            Ok(()) => {
                tracing::info!(provider = release.provider, "a grant was ended");
                let now = self.now();
                let context = (release, now, now.after(REMEMBERED));
                self.store
                    .write(context, |(release, now, until), tx| {
                        Box::pin(tx.finish_release(release, *now, *until))
                    })
                    .await?;
                return Ok(());
            }
            Err(code) => code,
        };
        let (provider, tries) = (&release.provider, release.tries);
        if tries >= TRIES {
            tracing::error!(provider, tries, cause = code, "a grant could not be ended and is given up");
            self.store.write(release, |release, tx| Box::pin(tx.remove_release(release))).await?;
            return Ok(());
        }
        tracing::warn!(provider, tries, cause = code, "a grant could not be ended; it is tried again");
        let doubled = PAUSE.saturating_mul(1_u32 << (tries - 1).clamp(0, 16));
        let context = (release, self.now().after(doubled.min(LONGEST)));
        self.store
            .write(context, |(release, at), tx| {
                Box::pin(tx.move_release(release, ReleaseState::Due, release.tries, *at))
            })
            .await?;
        Ok(())
    }

    /// Asks the provider; why not is a stable code.
    async fn revoke(&self, release: &Release) -> std::result::Result<(), &'static str> {
        let provider = self.provider(&release.provider).map_err(|_| "provider_unavailable")?;
        let secret: State = decode(&release.secret).map_err(|_| "secret_unreadable")?;
        let cx: Context = self.cx.clone();
        match tokio::time::timeout(CALL, provider.revoke(&cx, secret)).await {
            Ok(asked) => asked.map_err(|trouble| trouble.code),
            Err(_) => Err("timeout"),
        }
    }
}
