//! Grants that nobody uses any more are ended at their provider. Most providers end all that a person granted to the same
//! client at once, so nothing is ended while another account of theirs is connected, and a sign-in that completes while
//! one is being ended asks the person once more instead of keeping what is void. Where each grant stands alone, as a linked
//! device does, each that is replaced or left behind is ended for itself.

use std::time::Duration;

use super::{Connect, Details, Result, decode, encode};
use crate::contract::{Context, State};
use crate::kernel::ids::{AccountId, ReleaseId};
use crate::kernel::words::ReleaseState;
use crate::store::{self, ALONE, Attempt, Finish, Release, Session, Tx};

/// How long one call to a provider may take; shorter than [`LEASE`].
const CALL: Duration = Duration::from_secs(30);
/// How long one is held for being asked about.
const LEASE: Duration = Duration::from_secs(60);
/// How long it is remembered that one was ended: longer than any sign-in takes to be saved.
const REMEMBERED: Duration = Duration::from_secs(300);
/// How long after its session's end a grant is ended that an attempt held, should that end not have been written down.
const LATEST: Duration = Duration::from_secs(3600);
/// The pause after the first try that had no answer; it doubles with each.
const PAUSE: Duration = Duration::from_secs(10);
/// The longest pause.
const LONGEST: Duration = Duration::from_secs(6 * 3600);
/// How often a provider is asked; with the pauses above, over two days.
const TRIES: i64 = 20;

/// What becomes of a grant with a step.
#[derive(Clone)]
pub(super) enum Grant {
    /// The step is the same one once more: what the attempt holds, it goes on holding.
    Stays,
    /// Nothing was granted; what the attempt held is not needed any more.
    None,
    /// What was granted will not do.
    Unfit(Release),
    /// It was granted, and the attempt may still make an account of it.
    Held(Release),
}

impl Grant {
    /// What gives the grant back, should the step not come about.
    pub(super) fn release(&self) -> Option<&Release> {
        match self {
            Self::Stays | Self::None => None,
            Self::Unfit(release) | Self::Held(release) => Some(release),
        }
    }

    /// A grant that will not do.
    pub(super) fn unfit(release: Option<Release>) -> Self {
        release.map_or(Self::None, Self::Unfit)
    }
}

impl Connect {
    /// What gives a grant back, where its provider takes grants back.
    pub(super) fn release(&self, slug: &str, identity: &str, secret: &State) -> Result<Option<Release>> {
        let provider = self.provider(slug)?;
        if !provider.revokes() {
            return Ok(None);
        }
        let now = self.now();
        let mark = match provider.own_grant(secret) {
            Some(own) => format!("{ALONE}{}", self.marker.mark("grant", &[slug, &own])),
            None => self.identity_mark(slug, identity),
        };
        Ok(Some(Release {
            id: ReleaseId::new(now, self.random()),
            provider: slug.to_owned(),
            identity_mark: mark,
            secret: encode(secret)?,
            state: ReleaseState::Due,
            tries: 0,
            due_at: now,
            version: 1,
            created_at: now,
            held_by: None,
        }))
    }

    /// What gives back what a person granted before their sign-in is over, unless its attempt makes an account of it. The
    /// session's end makes it due; should that never be written down, its own time does.
    pub(super) fn held(&self, session: &Session, attempt: &Attempt, secret: &State) -> Result<Grant> {
        let release = self.release(&attempt.provider, "", secret)?.filter(Release::stands_alone);
        let due_at = session.expires_at.after(LATEST);
        let held = |release| Release { held_by: Some(attempt.id.clone()), due_at, ..release };
        Ok(release.map(held).map_or(Grant::None, Grant::Held))
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

    /// The same for what waits to repair an account.
    pub(super) fn release_of_aside(&self, finish: &Finish) -> Result<Option<Release>> {
        match &finish.aside {
            Some(aside) => self.release_of(&finish.provider, &aside.details, &aside.secret),
            None => Ok(None),
        }
    }

    /// Puts a grant on its way back.
    pub(super) async fn give_back(&self, release: Option<Release>) -> Result<()> {
        let Some(mut release) = release else { return Ok(()) };
        if release.held_by.take().is_some() {
            release.due_at = self.now();
        }
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
                    if tx.count_uses(release).await? > 0 {
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

/// Notes that an account lives by a new grant, where each ends alone, and puts on its way back what its secret was. `of`
/// gives the new one back.
pub(super) async fn replace(
    account: &AccountId,
    secret: &[u8],
    of: Option<&Release>,
    tx: &mut Tx,
) -> store::Result<()> {
    let Some(of) = of.filter(|of| of.stands_alone()) else { return Ok(()) };
    match tx.account_secret(account).await {
        Ok(Some((_, former, _))) if *former != *secret => {
            // An account from before there were marks has none.
            let mark = tx.own_mark(account).await?.unwrap_or_else(|| format!("{ALONE}{}", of.id));
            let release = Release { secret: former, identity_mark: mark, ..of.clone() };
            tx.insert_release(&release).await?;
        }
        Ok(_) => {}
        // Nobody can end what nobody can read; the new one is to be had all the same.
        Err(error @ store::Error::Corrupt { .. }) => {
            tracing::warn!(account.id = %account, %error, "a former grant lives on at its provider");
        }
        Err(error) => return Err(error),
    }
    tx.note_grant(account, &of.identity_mark).await
}

/// Notes by which grant a new account lives, where each ends alone. `of` gives it back.
pub(super) async fn note(account: &AccountId, of: Option<&Release>, tx: &mut Tx) -> store::Result<()> {
    match of.filter(|of| of.stands_alone()) {
        Some(of) => tx.note_grant(account, &of.identity_mark).await,
        None => Ok(()),
    }
}

/// The same for one that waits for a session's code.
pub(super) async fn note_waiting(finish: &Finish, of: Option<&Release>, tx: &mut Tx) -> store::Result<()> {
    match of.filter(|of| of.stands_alone() && finish.aside.is_some()) {
        Some(of) => tx.note_waiting_grant(&finish.session_id, &of.identity_mark).await,
        None => Ok(()),
    }
}
