//! What providers say by themselves about people's accounts (security events): taken once each, whoever sends them how
//! often, and turned into statuses of the accounts that they are about.

use super::looks::write_standing;
use super::watch::Said;
use super::{Connect, Result, decode};
use crate::contract::{Actor, NotTaken, SecurityEvent, Weight};
use crate::kernel::random;
use crate::store::{self, Tx};

/// An account whose provider has answered so much later than an event was issued has outlived it: a person may have
/// signed in again before the event arrived.
const OUTLIVED: std::time::Duration = std::time::Duration::from_secs(60);
/// How often it is tried again when accounts change at the same moment.
const ROUNDS: usize = 5;

impl Connect {
    /// Takes a security event for a provider.
    ///
    /// # Errors
    /// `ProviderUnavailable`, `Unavailable`; inside, why the event is not taken.
    pub async fn security_event(&self, slug: &str, token: &str) -> Result<std::result::Result<(), NotTaken>> {
        let provider = self.provider(slug)?.clone();
        let event = match provider.security_event(&self.cx, token).await {
            Ok(event) => event,
            Err(why) => {
                tracing::warn!(provider = slug, code = why.code(), "a security event was not taken");
                return Ok(Err(why));
            }
        };
        let id = random::hash(&format!("{slug}\n{}", event.id));
        let mut last = store::Error::Conflict;
        for _ in 0..ROUNDS {
            let context = (self.clone(), slug.to_owned(), id.clone(), event.clone());
            let taken = self
                .store
                .write(context, |(connect, slug, id, event), tx| Box::pin(take(connect, slug, id, event, tx)))
                .await;
            match taken {
                Ok(Some(changed)) => {
                    tracing::info!(provider = slug, accounts = changed, "a security event was taken");
                    return Ok(Ok(()));
                }
                Ok(None) => return Ok(Ok(())),
                Err(store::Error::Conflict) => {}
                Err(error) => last = error,
            }
        }
        Err(last.into())
    }
}

/// Writes an event down; gives how many accounts it changed, or `None` when it was taken before.
async fn take(
    connect: &Connect,
    slug: &str,
    id: &str,
    event: &SecurityEvent,
    tx: &mut Tx,
) -> store::Result<Option<usize>> {
    let now = connect.now();
    if !tx.note_security_event(id, now).await? {
        return Ok(None);
    }
    let mut changed = 0;
    for alert in &event.alerts {
        let mark = connect.identity_mark(slug, &alert.identity);
        for account in tx.identity_accounts(slug, &mark).await? {
            let Some((account, secret, _)) = tx.account_secret(&account).await? else { continue };
            let outlived = account.watch.checked_at.is_some_and(|at| at > event.at.after(OUTLIVED));
            match alert.weight {
                Weight::Ended(cause) if !outlived => {
                    let said = Said::Refused { cause: cause.to_owned(), actor: Actor::Person, sure: true };
                    let renews = renews(connect, slug, &secret);
                    let verdict = connect.judged(&account, &said, renews);
                    write_standing(&account, &verdict, &secret, now, false, tx).await?;
                    changed += 1;
                }
                Weight::Ended(_) | Weight::Look => tx.look_soon(&account.id, now).await?,
            }
        }
    }
    Ok(Some(changed))
}

fn renews(connect: &Connect, slug: &str, secret: &[u8]) -> bool {
    let outlook = connect.provider(slug).ok().zip(decode(secret).ok());
    outlook
        .and_then(|(provider, secret)| provider.outlook(&secret).ok())
        .is_some_and(|outlook| outlook.renews)
}
