//! Endpoints: URLs that want events. One lives with a session (its `notify_url`) or stands by itself until it is
//! deleted, with the events and, where it asks for some only, the accounts that it wants to hear of.

use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;
use zeroize::Zeroizing;

use super::accounts::lift_provider;
use super::columns::Columns;
use super::error::{Error, Result};
use super::{Db, Event, Tx};
use crate::kernel::clock::Millis;
use crate::kernel::ids::{AccountId, EndpointId, SessionId};
use crate::kernel::words::{DeliveryState, Dialect, EndpointState, EventKind, Status};

const TABLE: &str = "endpoints";
const TARGET: &str = "target";

/// What an endpoint wants to hear of: a kind of event, perhaps only where an account came to a certain status. Stored as
/// the kind's word, with the status behind a colon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Wanted {
    /// The kind.
    pub kind: EventKind,
    /// The status.
    pub status: Option<Status>,
}

impl Wanted {
    /// Events of this kind by which an account came to this status.
    pub fn with(kind: EventKind, status: Status) -> Self {
        Self { kind, status: Some(status) }
    }

    fn fits(self, kind: EventKind, status: Option<&str>) -> bool {
        self.kind == kind && self.status.is_none_or(|wanted| status.is_none_or(|is| is == wanted.as_str()))
    }
}

impl From<EventKind> for Wanted {
    fn from(kind: EventKind) -> Self {
        Self { kind, status: None }
    }
}

impl From<Wanted> for String {
    fn from(Wanted { kind, status }: Wanted) -> Self {
        status.map_or_else(|| kind.to_string(), |status| format!("{kind}:{status}"))
    }
}

impl TryFrom<String> for Wanted {
    type Error = &'static str;

    fn try_from(text: String) -> std::result::Result<Self, Self::Error> {
        let (kind, status) =
            text.split_once(':').map_or((&*text, None), |(kind, status)| (kind, Some(status)));
        let kind = EventKind::parse(kind).ok_or("no kind of event")?;
        let status = status.map(|status| Status::parse(status).ok_or("no status")).transpose()?;
        Ok(Self { kind, status })
    }
}

/// Whether a list of wishes holds an event; an empty one holds every event.
fn wants(wanted: &[Wanted], event: &Event) -> bool {
    let status = event.facts.get("status").map(String::as_str);
    wanted.is_empty() || wanted.iter().any(|one| one.fits(event.kind, status))
}

/// A URL that wants events.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Its id.
    pub id: EndpointId,
    /// Raised by every change.
    pub version: i64,
    /// Whose words it is told in.
    pub dialect: Dialect,
    /// The session it lives and ends with; `None` when it stands by itself.
    pub session_id: Option<SessionId>,
    /// What shares its few places at a time, so that nothing else waits for it.
    pub lane: String,
    /// What it wants to hear of; nothing named: all.
    pub wanted: Vec<Wanted>,
    /// Where and how to call; the caller's bytes, sealed at rest.
    pub target: Zeroizing<Vec<u8>>,
    /// Where it stands.
    pub state: EndpointState,
    /// Whether it hears only of the accounts that it names.
    pub some_accounts: bool,
    /// When it was made.
    pub created_at: Millis,
}

impl Endpoint {
    /// Whether it wants this event.
    pub fn wants(&self, event: &Event) -> bool {
        wants(&self.wanted, event)
    }
}

macro_rules! select {
    ($tail:literal) => {
        concat!(
            "SELECT id, version, dialect, session_id, lane, kinds, target, state, some_accounts, created_at ",
            "FROM endpoints ",
            $tail
        )
    };
}

impl Db {
    fn lift_endpoint(&self, row: &AnyRow) -> Result<Endpoint> {
        let mut columns = Columns::of(TABLE, row);
        let id: EndpointId = columns.word(|id| id.parse().ok())?;
        let version = columns.int()?;
        Ok(Endpoint {
            version,
            dialect: columns.word(Dialect::parse)?,
            session_id: columns.maybe_word(|id| id.parse().ok())?,
            lane: columns.text()?,
            wanted: columns.json()?,
            target: self.open(TABLE, TARGET, id.as_str(), version, &columns.bytes()?)?,
            state: columns.word(EndpointState::parse)?,
            some_accounts: columns.int()? != 0,
            created_at: columns.time()?,
            id,
        })
    }

    /// The endpoint with this id.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn endpoint(&mut self, id: &EndpointId) -> Result<Option<Endpoint>> {
        let found =
            sqlx::query(select!("WHERE id = $1")).bind(id.as_str()).fetch_optional(self.conn()).await?;
        found.as_ref().map(|row| self.lift_endpoint(row)).transpose()
    }

    /// The endpoint that lives with this session, if it has one.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn endpoint_of(&mut self, session: &SessionId) -> Result<Option<Endpoint>> {
        let found = sqlx::query(select!("WHERE session_id = $1"))
            .bind(session.as_str())
            .fetch_optional(self.conn())
            .await?;
        found.as_ref().map(|row| self.lift_endpoint(row)).transpose()
    }

    /// The endpoints of a dialect that stand by themselves, oldest first.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn standing_endpoints(&mut self, dialect: Dialect) -> Result<Vec<Endpoint>> {
        let rows = sqlx::query(select!("WHERE session_id IS NULL AND dialect = $1 ORDER BY id"))
            .bind(dialect.as_str())
            .fetch_all(self.conn())
            .await?;
        rows.iter().map(|row| self.lift_endpoint(row)).collect()
    }

    /// How many endpoints stand by themselves, of both dialects.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn count_standing_endpoints(&mut self) -> Result<i64> {
        let all = "SELECT COUNT(*) FROM endpoints WHERE session_id IS NULL";
        Ok(sqlx::query_scalar(all).fetch_one(self.conn()).await?)
    }

    /// The accounts that an endpoint names and that there are, each with its provider.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn accounts_of_endpoint(&mut self, id: &EndpointId) -> Result<Vec<(AccountId, String)>> {
        let rows = sqlx::query(
            "SELECT a.id, a.provider FROM endpoint_accounts n JOIN accounts a ON a.id = n.account_id \
             WHERE n.endpoint_id = $1 ORDER BY a.id",
        )
        .bind(id.as_str())
        .fetch_all(self.conn())
        .await?;
        rows.iter().map(lift_provider).collect()
    }

    /// Whether an endpoint hears of this account, or of what concerns none.
    ///
    /// # Errors
    /// `Unavailable`.
    pub(super) async fn hears_of(&mut self, endpoint: &Endpoint, account: Option<&str>) -> Result<bool> {
        if !endpoint.some_accounts {
            return Ok(true);
        }
        let named = "SELECT COUNT(*) FROM endpoint_accounts WHERE endpoint_id = $1 AND account_id = $2";
        let named: i64 = sqlx::query_scalar(named)
            .bind(endpoint.id.as_str())
            .bind(account.unwrap_or_default())
            .fetch_one(self.conn())
            .await?;
        Ok(named > 0)
    }
}

impl Tx {
    /// Adds an endpoint.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn insert_endpoint(&mut self, endpoint: &Endpoint) -> Result<()> {
        let target = self.seal(TABLE, TARGET, endpoint.id.as_str(), endpoint.version, &endpoint.target);
        sqlx::query(
            "INSERT INTO endpoints (id, version, dialect, session_id, lane, kinds, target, state, some_accounts, \
             seq, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, $10)",
        )
        .bind(endpoint.id.as_str())
        .bind(endpoint.version)
        .bind(endpoint.dialect.as_str())
        .bind(endpoint.session_id.as_ref().map(SessionId::as_str))
        .bind(&*endpoint.lane)
        .bind(serde_json::json!(endpoint.wanted).to_string())
        .bind(target)
        .bind(endpoint.state.as_str())
        .bind(i64::from(endpoint.some_accounts))
        .bind(endpoint.created_at.0)
        .execute(self.conn())
        .await?;
        Ok(())
    }

    /// Changes an endpoint that still has the version it was read with.
    ///
    /// # Errors
    /// `Conflict` when it changed or was deleted meanwhile, `Unavailable`.
    pub async fn update_endpoint(&mut self, endpoint: &Endpoint) -> Result<()> {
        let version = endpoint.version + 1;
        let target = self.seal(TABLE, TARGET, endpoint.id.as_str(), version, &endpoint.target);
        let done = sqlx::query(
            "UPDATE endpoints SET version = $1, lane = $2, kinds = $3, target = $4, state = $5, some_accounts = $6 \
             WHERE id = $7 AND version = $8",
        )
        .bind(version)
        .bind(&*endpoint.lane)
        .bind(serde_json::json!(endpoint.wanted).to_string())
        .bind(target)
        .bind(endpoint.state.as_str())
        .bind(i64::from(endpoint.some_accounts))
        .bind(endpoint.id.as_str())
        .bind(endpoint.version)
        .execute(self.conn())
        .await?;
        if done.rows_affected() == 1 { Ok(()) } else { Err(Error::Conflict) }
    }

    /// Sets the accounts that an endpoint names.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn name_accounts(&mut self, id: &EndpointId, accounts: &[AccountId]) -> Result<()> {
        sqlx::query("DELETE FROM endpoint_accounts WHERE endpoint_id = $1")
            .bind(id.as_str())
            .execute(self.conn())
            .await?;
        for account in accounts {
            sqlx::query("INSERT INTO endpoint_accounts (endpoint_id, account_id) VALUES ($1, $2)")
                .bind(id.as_str())
                .bind(account.as_str())
                .execute(self.conn())
                .await?;
        }
        Ok(())
    }

    /// Deletes an endpoint that stands by itself; `false` when there is none.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn delete_endpoint(&mut self, id: &EndpointId) -> Result<bool> {
        let done = sqlx::query("DELETE FROM endpoints WHERE id = $1 AND session_id IS NULL")
            .bind(id.as_str())
            .execute(self.conn())
            .await?;
        if done.rows_affected() == 1 {
            self.name_accounts(id, &[]).await?;
            self.give_up_deliveries(id).await?;
        }
        Ok(done.rows_affected() == 1)
    }

    /// Gives up what is on its way to an endpoint that is not called any more; gives how many. One that is being tried
    /// at this moment ends with that try.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn give_up_deliveries(&mut self, id: &EndpointId) -> Result<u64> {
        let now = self.shared.clock.now();
        let done = sqlx::query(
            "UPDATE deliveries SET state = $1, ended_at = $2, version = version + 1 \
             WHERE endpoint_id = $3 AND state = $4 AND leased_by IS NULL AND out_of_order = 0",
        )
        .bind(DeliveryState::Dead.as_str())
        .bind(now.0)
        .bind(id.as_str())
        .bind(DeliveryState::Due.as_str())
        .execute(self.conn())
        .await?;
        Ok(done.rows_affected())
    }

    /// Puts an event on its way to every endpoint that stands by itself and wants it.
    pub(super) async fn tell_all(&mut self, event: &Event, account: Option<&str>) -> Result<()> {
        let rows = sqlx::query(
            "SELECT p.id, p.lane, p.kinds FROM endpoints p WHERE p.session_id IS NULL AND p.state = $1 \
             AND (p.some_accounts = 0 OR EXISTS (SELECT 1 FROM endpoint_accounts n \
             WHERE n.endpoint_id = p.id AND n.account_id = $2)) ORDER BY p.id",
        )
        .bind(EndpointState::Enabled.as_str())
        .bind(account.unwrap_or_default())
        .fetch_all(self.conn())
        .await?;
        for row in &rows {
            let mut columns = Columns::of(TABLE, row);
            let (id, lane): (EndpointId, _) = (columns.word(|id| id.parse().ok())?, columns.text()?);
            let wanted: Vec<Wanted> = columns.json()?;
            if wants(&wanted, event) {
                self.set_on_its_way(event, &id, &lane, false).await?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_is_stored_as_a_word_and_may_name_a_status() {
        let broken = EventKind::AccountBroken;
        let wishes = vec![Wanted::from(EventKind::AccountHealed), Wanted::with(broken, Status::Error)];
        let stored = serde_json::to_string(&wishes).unwrap();
        assert_eq!(stored, r#"["account.healed","account.broken:ERROR"]"#);
        assert_eq!(serde_json::from_str::<Vec<Wanted>>(&stored).unwrap(), wishes);
        assert!(serde_json::from_str::<Wanted>(r#""account.broken:odd""#).is_err());
        assert!(wishes[1].fits(broken, Some("ERROR")) && !wishes[1].fits(broken, Some("STOPPED")));
        assert!(wishes[1].fits(broken, None) && !wishes[0].fits(broken, None));
    }
}
