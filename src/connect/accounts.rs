//! Accounts from the backend's side: reading, listing, deleting.

use super::{Connect, Details, Error, Page, Result, decode, encode};
use crate::contract::{Profile, State};
use crate::kernel::clock::Millis;
use crate::kernel::ids::AccountId;
use crate::kernel::words::{EventKind, Owner, Status, UserAction};
use crate::store::{self, Account, AccountFilter};

/// An account as its backend reads it; nothing secret.
#[derive(Clone, Debug)]
pub struct AccountView {
    /// Its id.
    pub id: AccountId,
    /// The provider's slug.
    pub provider: String,
    /// How it is.
    pub status: Status,
    /// Why it is so: a stable code.
    pub cause: Option<String>,
    /// The product's own name for the person.
    pub name: Option<String>,
    /// The provider's own id of the person.
    pub identity: String,
    /// The public part.
    pub profile: Profile,
    /// When it was first connected.
    pub created_at: Millis,
    /// When it last changed.
    pub updated_at: Millis,
    /// When its status last changed.
    pub status_at: Millis,
    /// What somebody has to do for it to work again.
    pub user_action: Option<UserAction>,
    /// When its provider last answered definitely.
    pub checked_at: Option<Millis>,
    /// When it is looked at next.
    pub check_at: Millis,
    /// The next end that is known of.
    pub ends_at: Option<Millis>,
    /// Who may be online with its session, where only one may.
    pub owner: Option<Owner>,
}

impl Connect {
    /// The row of an account that was just proved to work.
    pub(super) fn new_account(
        &self,
        slug: &str,
        identity_mark: String,
        name_mark: Option<String>,
        details: &Details,
        secret: &State,
    ) -> Result<Account> {
        let now = self.now();
        Ok(Account {
            id: AccountId::new(now, self.random()),
            provider: slug.to_owned(),
            status: Status::Ok,
            cause: None,
            identity_mark,
            name_mark,
            details: encode(details)?,
            seq: 0,
            version: 1,
            created_at: now,
            updated_at: now,
            status_at: now,
            handed_out_at: None,
            watch: self.first_watch(slug, secret)?,
        })
    }

    pub(super) fn read_account(&self, account: Account) -> Result<AccountView> {
        let details: Details = decode(&account.details)?;
        let owner = self.owner(&account);
        let watch = account.watch;
        Ok(AccountView {
            id: account.id,
            provider: account.provider,
            status: account.status,
            // While it works: why it could not be looked at lately.
            user_action: watch.user_action.or(watch.trouble.as_ref().map(|_| UserAction::Wait)),
            cause: account.cause.or(watch.trouble),
            name: details.name,
            identity: details.identity,
            profile: details.profile,
            created_at: account.created_at,
            updated_at: account.updated_at,
            status_at: account.status_at,
            checked_at: watch.checked_at,
            check_at: watch.check_at,
            ends_at: watch.ends_at,
            owner,
        })
    }

    /// An account.
    ///
    /// # Errors
    /// `NotFound("account")`, `Unavailable`.
    pub async fn account(&self, id: &AccountId) -> Result<AccountView> {
        let found = self.store.read().await?.account(id).await?;
        self.read_account(found.ok_or(Error::NotFound("account"))?)
    }

    /// Accounts, oldest first; with one more than `limit` when there are more. `name` is compared exactly.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn accounts(
        &self,
        name: Option<&str>,
        after: Option<String>,
        limit: i64,
    ) -> Result<Vec<AccountView>> {
        let filter = AccountFilter {
            name_mark: name.map(|name| self.name_mark(name)),
            after,
            offset: 0,
            limit: limit + 1,
        };
        let found = self.store.read().await?.accounts(&filter).await?;
        found.into_iter().map(|account| self.read_account(account)).collect()
    }

    /// One numbered page of accounts, oldest first, and how many there are in all.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn account_page(&self, name: Option<&str>, page: Page) -> Result<(Vec<AccountView>, i64)> {
        let name_mark = name.map(|name| self.name_mark(name));
        let filter = AccountFilter { name_mark, after: None, offset: page.offset(), limit: page.limit };
        let mut db = self.store.read().await?;
        let (found, total) = (db.accounts(&filter).await?, db.count_accounts(&filter).await?);
        drop(db);
        let views: Result<Vec<_>> = found.into_iter().map(|account| self.read_account(account)).collect();
        Ok((views?, total))
    }

    /// Deletes an account and its secret for good. Its grant is ended at the provider, unless another account uses it.
    ///
    /// # Errors
    /// `NotFound("account")`, `Unavailable`.
    pub async fn delete_account(&self, id: &AccountId) -> Result<()> {
        // Renewed or repaired at the same moment: the grant to end is the newer one.
        for _ in 0..3 {
            let found = self.store.read().await?.account_secret(id).await?;
            let (account, secret, _) = found.ok_or(Error::NotFound("account"))?;
            let release = self.release_of(&account.provider, &account.details, &secret)?;
            let deleted = self
                .store
                .write((account, release), |(account, release), tx| {
                    Box::pin(async move {
                        let id = &account.id;
                        let facts = [("provider", &*account.provider)];
                        tx.append_account_event(id, EventKind::AccountDeleted, &facts).await?;
                        if let Some(release) = release {
                            tx.insert_release(release).await?;
                        }
                        tx.delete_account(id, account.version).await
                    })
                })
                .await;
            match deleted {
                Ok(()) => return Ok(()),
                Err(store::Error::NotFound) => return Err(Error::NotFound("account")),
                Err(store::Error::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::Conflict)
    }
}
