//! Connected accounts. Details (the public part, with the product's name for the person) and secret are the
//! caller's bytes, each sealed on its own.

use sqlx::AssertSqlSafe;
use sqlx::any::AnyRow;
use sqlx::query::{Query, QueryScalar};
use zeroize::Zeroizing;

use super::checks::{self, Hold, Watch};
use super::columns::Columns;
use super::conditions::{conditions, placeholders};
use super::error::{Error, Result};
use super::{Db, Tx};
use crate::kernel::clock::Millis;
use crate::kernel::ids::AccountId;
use crate::kernel::words::Status;

const TABLE: &str = "accounts";
const DETAILS: &str = "details";
const SECRET: &str = "secret";

/// A connected account. Its secret is not read along.
#[derive(Clone, Debug)]
pub struct Account {
    /// Its id, for good.
    pub id: AccountId,
    /// The provider.
    pub provider: String,
    /// How it is.
    pub status: Status,
    /// Why it is so: a stable code.
    pub cause: Option<String>,
    /// The mark of the provider's id of the person.
    pub identity_mark: String,
    /// The mark of the product's own name for the person.
    pub name_mark: Option<String>,
    /// The public part; sealed at rest.
    pub details: Zeroizing<Vec<u8>>,
    /// The number of its latest event.
    pub seq: i64,
    /// Raised by every change.
    pub version: i64,
    /// When it was first connected.
    pub created_at: Millis,
    /// When it last changed.
    pub updated_at: Millis,
    /// When its status last changed.
    pub status_at: Millis,
    /// When its session was handed out to a backend, where only one may be online with it.
    pub handed_out_at: Option<Millis>,
    /// What is known from looking at it.
    pub watch: Watch,
}

/// A successful sign-in to an account that exists.
#[derive(Clone, Debug)]
pub struct AccountUpdate {
    /// The new status.
    pub status: Status,
    /// Why it is so.
    pub cause: Option<String>,
    /// The new public part.
    pub details: Zeroizing<Vec<u8>>,
    /// The new secret.
    pub secret: Zeroizing<Vec<u8>>,
    /// When.
    pub at: Millis,
    /// What is known from looking at it.
    pub watch: Watch,
}

/// Which accounts to list, oldest first.
#[derive(Clone, Debug, Default)]
pub struct AccountFilter {
    /// Only those with this name's mark.
    pub name_mark: Option<String>,
    /// Only those after this one (its id).
    pub after: Option<String>,
    /// Leave out this many of them.
    pub offset: i64,
    /// At most this many.
    pub limit: i64,
}

impl AccountFilter {
    /// The conditions, and what they compare with.
    pub(super) fn conditions(&self) -> (String, Vec<&str>) {
        conditions(&[("name_mark =", self.name_mark.as_deref()), ("id >", self.after.as_deref())])
    }
}

/// A row of an account's id and its provider.
pub(super) fn lift_provider(row: &AnyRow) -> Result<(AccountId, String)> {
    let mut columns = Columns::of("accounts", row);
    Ok((columns.word(|id| id.parse().ok())?, columns.text()?))
}

macro_rules! select {
    ($tail:literal) => {
        concat!(
            "SELECT id, version, provider, status, cause, identity_mark, name_mark, details, seq, created_at, ",
            "updated_at, status_at, handed_out_at, check_lane, check_at, client, watch FROM accounts ",
            $tail
        )
    };
}

impl Db {
    fn lift_account(&self, row: &AnyRow) -> Result<Account> {
        self.lift_account_from(&mut Columns::of(TABLE, row))
    }

    fn lift_account_from(&self, columns: &mut Columns<'_>) -> Result<Account> {
        let id: AccountId = columns.word(|id| id.parse().ok())?;
        let version = columns.int()?;
        Ok(Account {
            version,
            provider: columns.text()?,
            status: columns.word(Status::parse)?,
            cause: columns.maybe_text()?,
            identity_mark: columns.text()?,
            name_mark: columns.maybe_text()?,
            details: self.open(TABLE, DETAILS, id.as_str(), version, &columns.bytes()?)?,
            seq: columns.int()?,
            created_at: columns.time()?,
            updated_at: columns.time()?,
            status_at: columns.time()?,
            handed_out_at: columns.maybe_time()?,
            watch: Watch::lift(columns)?,
            id,
        })
    }

    /// The account with this id.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn account(&mut self, id: &AccountId) -> Result<Option<Account>> {
        let found =
            sqlx::query(select!("WHERE id = $1")).bind(id.as_str()).fetch_optional(self.conn()).await?;
        found.as_ref().map(|row| self.lift_account(row)).transpose()
    }

    /// The account with this id, its secret and who holds it.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn account_secret(
        &mut self,
        id: &AccountId,
    ) -> Result<Option<(Account, Zeroizing<Vec<u8>>, Option<Hold>)>> {
        // Two statements would see two versions.
        let found = sqlx::query(concat!(
            "SELECT id, version, provider, status, cause, identity_mark, name_mark, details, seq, created_at, ",
            "updated_at, status_at, handed_out_at, check_lane, check_at, client, watch, secret, busy_by, busy_until \
             FROM accounts WHERE id = $1"
        ))
        .bind(id.as_str())
        .fetch_optional(self.conn())
        .await?;
        let Some(row) = found else { return Ok(None) };
        let mut columns = Columns::of(TABLE, &row);
        let account = self.lift_account_from(&mut columns)?;
        let secret = self.open(TABLE, SECRET, id.as_str(), account.version, &columns.bytes()?)?;
        Ok(Some((account, secret, checks::hold(&mut columns)?)))
    }

    /// The account of this identity that was connected under this name.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn account_by_identity(
        &mut self,
        provider: &str,
        identity_mark: &str,
        name_mark: &str,
    ) -> Result<Option<Account>> {
        let found = sqlx::query(select!("WHERE provider = $1 AND identity_mark = $2 AND name_mark = $3"))
            .bind(provider)
            .bind(identity_mark)
            .bind(name_mark)
            .fetch_optional(self.conn())
            .await?;
        found.as_ref().map(|row| self.lift_account(row)).transpose()
    }

    /// Accounts, oldest first.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn accounts(&mut self, filter: &AccountFilter) -> Result<Vec<Account>> {
        let (conditions, values) = filter.conditions();
        let (limit, offset) = (values.len() + 1, values.len() + 2);
        let head = select!("");
        let sql = format!("{head}{conditions} ORDER BY id LIMIT ${limit} OFFSET ${offset}");
        let query = values.into_iter().fold(sqlx::query(AssertSqlSafe(sql)), Query::bind);
        let rows = query.bind(filter.limit).bind(filter.offset).fetch_all(self.conn()).await?;
        rows.iter().map(|row| self.lift_account(row)).collect()
    }

    /// How many accounts a filter fits, whatever its page.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn count_accounts(&mut self, filter: &AccountFilter) -> Result<i64> {
        let whole = AccountFilter { after: None, ..filter.clone() };
        let (conditions, values) = whole.conditions();
        let sql = AssertSqlSafe(format!("SELECT COUNT(*) FROM accounts {conditions}"));
        let query = values.into_iter().fold(sqlx::query_scalar(sql), QueryScalar::bind);
        Ok(query.fetch_one(self.conn()).await?)
    }

    /// Those of these accounts that there are, each with its provider.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn providers_of(&mut self, ids: &[AccountId]) -> Result<Vec<(AccountId, String)>> {
        let sql = format!("SELECT id, provider FROM accounts WHERE id IN ({})", placeholders(ids.len()));
        let query = ids.iter().fold(sqlx::query(AssertSqlSafe(sql)), |query, id| query.bind(id.as_str()));
        let rows = query.persistent(false).fetch_all(self.conn()).await?;
        rows.iter().map(lift_provider).collect()
    }
}

impl Tx {
    /// Adds an account; `account.version` counts from one.
    ///
    /// # Errors
    /// `Conflict` when this identity is connected under the same name already, `Unavailable`.
    pub async fn insert_account(&mut self, account: &Account, secret: &[u8]) -> Result<()> {
        let id = account.id.as_str();
        let details = self.seal(TABLE, DETAILS, id, account.version, &account.details);
        let secret = self.seal(TABLE, SECRET, id, account.version, secret);
        sqlx::query(
            "INSERT INTO accounts (id, provider, status, cause, identity_mark, name_mark, details, secret, seq, version, \
             created_at, updated_at, status_at, check_lane, check_at, client, watch) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)",
        )
        .bind(id)
        .bind(&*account.provider)
        .bind(account.status.as_str())
        .bind(account.cause.as_deref())
        .bind(&*account.identity_mark)
        .bind(account.name_mark.as_deref())
        .bind(details)
        .bind(secret)
        .bind(account.seq)
        .bind(account.version)
        .bind(account.created_at.0)
        .bind(account.updated_at.0)
        .bind(account.status_at.0)
        .bind(&*account.watch.lane)
        .bind(account.watch.check_at.0)
        .bind(account.watch.client.as_deref())
        .bind(account.watch.text())
        .execute(self.conn())
        .await?;
        Ok(())
    }

    /// Changes an account in place and ends whatever hold there is, if it still has the version that was read. A session that
    /// was handed out is not this one.
    ///
    /// # Errors
    /// `Conflict` when somebody else was quicker or it was deleted, `Unavailable`.
    pub async fn update_account(
        &mut self,
        id: &AccountId,
        read_version: i64,
        update: &AccountUpdate,
    ) -> Result<()> {
        self.update_held_account(id, read_version, update).await?;
        let sql = "UPDATE accounts SET busy_by = NULL, busy_until = NULL, handed_out_at = NULL WHERE id = $1";
        sqlx::query(sql).bind(id.as_str()).execute(self.conn()).await?;
        Ok(())
    }

    /// The same, and leaves whatever hold there is.
    ///
    /// # Errors
    /// See [`Tx::update_account`].
    pub async fn update_held_account(
        &mut self,
        id: &AccountId,
        read_version: i64,
        update: &AccountUpdate,
    ) -> Result<()> {
        let version = read_version + 1;
        let details = self.seal(TABLE, DETAILS, id.as_str(), version, &update.details);
        let secret = self.seal(TABLE, SECRET, id.as_str(), version, &update.secret);
        let done = sqlx::query(
            "UPDATE accounts SET status_at = CASE WHEN status = $1 THEN status_at ELSE $5 END, status = $1, cause = $2, \
             details = $3, secret = $4, updated_at = $5, version = $6, check_lane = $9, check_at = $10, client = $11, \
             watch = $12 WHERE id = $7 AND version = $8",
        )
        .bind(update.status.as_str())
        .bind(update.cause.as_deref())
        .bind(details)
        .bind(secret)
        .bind(update.at.0)
        .bind(version)
        .bind(id.as_str())
        .bind(read_version)
        .bind(&*update.watch.lane)
        .bind(update.watch.check_at.0)
        .bind(update.watch.client.as_deref())
        .bind(update.watch.text())
        .execute(self.conn())
        .await?;
        if done.rows_affected() == 1 { Ok(()) } else { Err(Error::Conflict) }
    }

    /// Removes an account and its secret for good, if it still has the version that was read.
    ///
    /// # Errors
    /// `Conflict` when it changed or went meanwhile, `Unavailable`.
    pub async fn delete_account(&mut self, id: &AccountId, read_version: i64) -> Result<()> {
        let done = sqlx::query("DELETE FROM accounts WHERE id = $1 AND version = $2")
            .bind(id.as_str())
            .bind(read_version)
            .execute(self.conn())
            .await?;
        if done.rows_affected() == 1 { Ok(()) } else { Err(Error::Conflict) }
    }
}
