//! Endpoints that stand by themselves: URLs of the product's that are told what happens to its accounts and sessions,
//! until they are deleted. Each has a secret of its own that its calls are signed with.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;
use zeroize::Zeroizing;

use super::{Broken, Connect, Error, Result, Turn, decode, encode};
use crate::kernel::clock::Millis;
use crate::kernel::ids::{AccountId, EndpointId};
use crate::kernel::secret::Secret;
use crate::kernel::words::{Dialect, EndpointState};
use crate::store::{Db, Endpoint, Wanted};

/// How many endpoints may stand, of both dialects together: each is looked at whenever something happens.
pub const MOST_ENDPOINTS: i64 = 100;
/// How many accounts an endpoint may name.
const MOST_ACCOUNTS: usize = 500;
/// How many former secrets may sign beside the newest: more are exchanged by somebody who knows what they do.
const MOST_FORMER: usize = 3;

/// Where an endpoint is called and how, as it is sealed.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Target {
    /// The URL.
    pub url: String,
    /// With a session: the product's own name for the person. Otherwise what its owner calls it.
    pub name: Option<String>,
    /// Headers that go along with every call.
    pub headers: Vec<(String, String)>,
    /// What its calls are signed with; `None`: the server's own secret.
    pub secret: Option<Secret>,
    /// What they are signed with besides, the newest first, each until a time of its own.
    pub former: Vec<(Secret, Millis)>,
    /// How its dialect spells what it is told; the dialect's own words.
    pub spelling: Value,
}

/// An endpoint to be made.
#[derive(Clone, Debug)]
pub struct NewEndpoint {
    /// The API that asks.
    pub dialect: Dialect,
    /// The URL.
    pub url: String,
    /// What its owner calls it.
    pub name: Option<String>,
    /// What it wants to hear of; nothing named: all.
    pub wanted: Vec<Wanted>,
    /// Headers that go along with every call.
    pub headers: Vec<(String, String)>,
    /// What its calls are signed with; made here when absent.
    pub secret: Option<Secret>,
    /// How its dialect spells what it is told.
    pub spelling: Value,
    /// The ids of the accounts it wants to hear of; `None`: all, future ones included.
    pub accounts: Option<Vec<String>>,
    /// Whether it is called.
    pub enabled: bool,
}

/// What shall change of an endpoint; `None` stays as it is.
#[derive(Clone, Debug, Default)]
pub struct EndpointChange {
    /// The URL.
    pub url: Option<String>,
    /// What its owner calls it; `Some(None)` takes the name away.
    pub name: Option<Option<String>>,
    /// What it wants to hear of.
    pub wanted: Option<Vec<Wanted>>,
    /// Headers that go along with every call.
    pub headers: Option<Vec<(String, String)>>,
    /// The accounts it wants to hear of; `Some(None)`: all.
    pub accounts: Option<Option<Vec<String>>>,
    /// Whether it is called.
    pub enabled: Option<bool>,
}

/// An endpoint as its owner reads it. Its secrets are in it; a dialect leaves them out.
#[derive(Clone, Debug)]
pub struct EndpointView {
    /// The endpoint.
    pub endpoint: Endpoint,
    /// Where it is called and how.
    pub target: Target,
    /// The accounts it names that exist, each with its provider; `None`: it hears of all.
    pub accounts: Option<Vec<(AccountId, String)>>,
}

/// What makes the reply of a call that has taken its turn, before its effect is committed.
pub type EndpointReply<'a> = &'a (dyn Fn(&EndpointView) -> Result<Zeroizing<Vec<u8>>> + Send + Sync);

impl Connect {
    /// Makes an endpoint. With a turn its reply is kept in the same transaction, for the call to come again.
    ///
    /// # Errors
    /// `Invalid` (fields `url`, `accounts`), `TooMany`, `Conflict` when the call lost its turn meanwhile, `Unavailable`.
    pub async fn create_endpoint(
        &self,
        new: NewEndpoint,
        once: Option<(Turn, EndpointReply<'_>)>,
    ) -> Result<EndpointView> {
        self.check_url(&new.url)?;
        let named = self.existing(new.accounts.as_deref()).await?;
        let now = self.now();
        let id = EndpointId::new(now, self.random());
        let target = Target {
            url: new.url,
            name: new.name,
            headers: new.headers,
            secret: Some(new.secret.unwrap_or_else(|| self.fresh_secret())),
            former: Vec::new(),
            spelling: new.spelling,
        };
        let endpoint = Endpoint {
            version: 1,
            dialect: new.dialect,
            session_id: None,
            // Its own, not its host's: another endpoint at the same host may well answer.
            lane: self.marker.mark("lane", &[id.as_str()]),
            wanted: new.wanted,
            target: encode(&target)?,
            state: if new.enabled { EndpointState::Enabled } else { EndpointState::Disabled },
            some_accounts: named.is_some(),
            created_at: now,
            id,
        };
        let view = EndpointView { endpoint, target, accounts: named };
        let done = once.map(|(turn, reply)| reply(&view).map(|reply| (turn, reply))).transpose()?;
        let context = (view.endpoint.clone(), ids(view.accounts.as_deref()), done);
        let made = self.store.write(context, |(endpoint, named, done), tx| {
            Box::pin(async move {
                if tx.count_standing_endpoints().await? >= MOST_ENDPOINTS {
                    return Ok(false);
                }
                tx.insert_endpoint(endpoint).await?;
                tx.name_accounts(&endpoint.id, named).await?;
                if let Some((turn, reply)) = done {
                    turn.finish_alone(reply, tx).await?;
                }
                Ok(true)
            })
        });
        if made.await? { Ok(view) } else { Err(Error::TooMany("endpoints", MOST_ENDPOINTS)) }
    }

    /// A dialect's endpoints, oldest first: `limit` of those behind one of them (its id), after `skip` of them; and how
    /// many there are in all, at most [`MOST_ENDPOINTS`].
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn endpoints(
        &self,
        dialect: Dialect,
        after: Option<&str>,
        skip: usize,
        limit: usize,
    ) -> Result<(Vec<EndpointView>, usize)> {
        let mut db = self.store.read().await?;
        let found = db.standing_endpoints(dialect).await?;
        let all = found.len();
        let behind = found.into_iter().filter(|one| after.is_none_or(|after| one.id.as_str() > after));
        let mut views = Vec::new();
        for endpoint in behind.skip(skip).take(limit) {
            views.push(view(&mut db, endpoint).await?);
        }
        Ok((views, all))
    }

    /// One of a dialect's endpoints.
    ///
    /// # Errors
    /// `NotFound("webhook")`, `Unavailable`.
    pub async fn endpoint(&self, dialect: Dialect, id: &EndpointId) -> Result<EndpointView> {
        let mut db = self.store.read().await?;
        let found = db.endpoint(id).await?;
        let found = found.filter(|one| one.session_id.is_none() && one.dialect == dialect);
        view(&mut db, found.ok_or(Error::NotFound("webhook"))?).await
    }

    /// Changes an endpoint. One that is switched off gets nothing more of what is on its way to it; one that is switched
    /// on again can be sent that by [`Connect::recover`].
    ///
    /// # Errors
    /// `NotFound("webhook")`, `Invalid` (fields `url`, `accounts`), `Conflict` when it changed at the same moment,
    /// `Unavailable`.
    pub async fn update_endpoint(
        &self,
        dialect: Dialect,
        id: &EndpointId,
        change: EndpointChange,
    ) -> Result<EndpointView> {
        let EndpointView { mut endpoint, mut target, accounts } = self.endpoint(dialect, id).await?;
        if let Some(url) = change.url {
            self.check_url(&url)?;
            target.url = url;
        }
        target.name = change.name.unwrap_or(target.name);
        target.headers = change.headers.unwrap_or(target.headers);
        endpoint.wanted = change.wanted.unwrap_or(endpoint.wanted);
        endpoint.state = match change.enabled {
            Some(true) => EndpointState::Enabled,
            Some(false) => EndpointState::Disabled,
            None => endpoint.state,
        };
        let named = match change.accounts {
            Some(wanted) => Some(self.existing(wanted.as_deref()).await?),
            None => None,
        };
        if let Some(named) = &named {
            endpoint.some_accounts = named.is_some();
        }
        let accounts_set = named.as_ref().map(|named| ids(named.as_deref()));
        endpoint.target = encode(&target)?;
        self.store
            .write((endpoint.clone(), accounts_set), |(endpoint, named), tx| {
                Box::pin(async move {
                    tx.update_endpoint(endpoint).await?;
                    if let Some(named) = named {
                        tx.name_accounts(&endpoint.id, named).await?;
                    }
                    if endpoint.state != EndpointState::Enabled {
                        tx.give_up_deliveries(&endpoint.id).await?;
                    }
                    Ok(())
                })
            })
            .await?;
        endpoint.version += 1;
        Ok(EndpointView { endpoint, target, accounts: named.unwrap_or(accounts) })
    }

    /// Deletes an endpoint, and gives up what was on its way to it.
    ///
    /// # Errors
    /// `NotFound("webhook")`, `Unavailable`.
    pub async fn delete_endpoint(&self, dialect: Dialect, id: &EndpointId) -> Result<()> {
        self.endpoint(dialect, id).await?;
        let deleted = self.store.write(id.clone(), |id, tx| Box::pin(tx.delete_endpoint(id))).await?;
        if deleted { Ok(()) } else { Err(Error::NotFound("webhook")) }
    }

    /// Gives an endpoint another secret, `fresh` or one made here. For `overlap` its calls are signed with the former
    /// one, too, and with what was exchanged before for as long as was said then; no overlap ends them all. Gives the
    /// endpoint with its new secret; with a turn its reply is kept in the same transaction.
    ///
    /// # Errors
    /// `NotFound("webhook")`, `Conflict` when it changed at the same moment or the call lost its turn, `Unavailable`.
    pub async fn rotate_secret(
        &self,
        dialect: Dialect,
        id: &EndpointId,
        (fresh, overlap): (Option<Secret>, Duration),
        once: Option<(Turn, EndpointReply<'_>)>,
    ) -> Result<EndpointView> {
        let mut view = self.endpoint(dialect, id).await?;
        let now = self.now();
        let target = &mut view.target;
        let replaced = target.secret.replace(fresh.unwrap_or_else(|| self.fresh_secret()));
        target.former.retain(|(_, until)| *until > now);
        target.former.splice(0..0, replaced.map(|secret| (secret, now.after(overlap))));
        target.former.truncate(if overlap.is_zero() { 0 } else { MOST_FORMER });
        view.endpoint.target = encode(&view.target)?;
        let done = once.map(|(turn, reply)| reply(&view).map(|reply| (turn, reply))).transpose()?;
        let changed = self.store.write((view.endpoint.clone(), done), |(endpoint, done), tx| {
            Box::pin(async move {
                tx.update_endpoint(endpoint).await?;
                match done {
                    Some((turn, reply)) => turn.finish_alone(reply, tx).await,
                    None => Ok(()),
                }
            })
        });
        changed.await?;
        view.endpoint.version += 1;
        Ok(view)
    }

    fn check_url(&self, url: &str) -> Result<()> {
        let parsed = Url::parse(url).map_err(|_| Error::invalid("url", "must be an absolute URL"))?;
        match parsed.host_str() {
            Some(host) if self.cx.egress.may_reach(host) => Ok(()),
            // Refused again on the address when it is called; saying so now spares the product a silent wait.
            Some(_) => Err(Error::invalid("url", super::sessions::OUT_OF_REACH)),
            None => Err(Error::invalid("url", "must be an absolute http or https URL")),
        }
    }

    /// The accounts of these ids, each with its provider.
    async fn existing(&self, named: Option<&[String]>) -> Result<Option<Vec<(AccountId, String)>>> {
        let Some(named) = named else { return Ok(None) };
        if named.len() > MOST_ACCOUNTS {
            return Err(Error::invalid("accounts", format!("must name at most {MOST_ACCOUNTS} accounts")));
        }
        let asked: Vec<AccountId> = named.iter().filter_map(|text| text.parse().ok()).collect();
        let known = self.store.read().await?.providers_of(&asked).await?;
        let (mut found, mut missing) = (Vec::new(), Vec::new());
        for text in named {
            match known.iter().find(|(id, _)| id.as_str() == text) {
                Some(one) if found.contains(one) => {}
                Some(one) => found.push(one.clone()),
                None => missing.push(text.chars().take(40).collect::<String>()),
            }
        }
        if missing.is_empty() {
            return Ok(Some(found));
        }
        missing.truncate(5);
        let rule = format!("must be ids of accounts; there are none with: {}", missing.join(", "));
        Err(Error::Invalid(vec![Broken { field: "accounts", rule }]))
    }

    fn fresh_secret(&self) -> Secret {
        Secret::new(format!("whsec_{}", STANDARD.encode(self.random().bytes::<32>())))
    }
}

async fn view(db: &mut Db, endpoint: Endpoint) -> Result<EndpointView> {
    let target = decode(&endpoint.target)?;
    let accounts =
        if endpoint.some_accounts { Some(db.accounts_of_endpoint(&endpoint.id).await?) } else { None };
    Ok(EndpointView { endpoint, target, accounts })
}

fn ids(named: Option<&[(AccountId, String)]>) -> Vec<AccountId> {
    named.unwrap_or_default().iter().map(|(id, _)| id.clone()).collect()
}
