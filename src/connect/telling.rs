//! What a delivery tells and how: gathered when it is tried, from rows that were written with the event.

use serde_json::Value;
use url::Url;

use super::{Connect, Details, Request, Result, Target, decode};
use crate::kernel::ids::{AccountId, SessionId};
use crate::kernel::secret::Secret;
use crate::kernel::words::{Dialect, EndpointState, EventKind, Purpose};
use crate::store::{Db, Delivery, Event};

/// What a delivery tells and how.
#[derive(Debug)]
pub struct Telling {
    /// Where to call.
    pub url: Url,
    /// Headers of the endpoint's own.
    pub headers: Vec<(String, String)>,
    /// What to sign with, the newest first; none: the server's own secret.
    pub secrets: Vec<Secret>,
    /// Whose words it is told in.
    pub dialect: Dialect,
    /// Whether the endpoint stands by itself, rather than with a session.
    pub standing: bool,
    /// How the dialect spells it.
    pub spelling: Value,
    /// What happened.
    pub event: Event,
    /// The product's own name for the person.
    pub name: Option<String>,
    /// What the event's session was for.
    pub purpose: Option<Purpose>,
}

/// What there is to do about a delivery.
#[derive(Debug)]
pub enum ToTell {
    /// To call.
    Call(Box<Telling>),
    /// Nothing any more, for this reason: a stable code.
    Nothing(&'static str),
}

impl Connect {
    /// What a delivery tells and how.
    ///
    /// # Errors
    /// `Internal` when a row cannot be read, `Unavailable`.
    pub async fn telling(&self, delivery: &Delivery) -> Result<ToTell> {
        let mut db = self.store.read().await?;
        let Some(endpoint) = db.endpoint(&delivery.endpoint_id).await? else {
            return Ok(ToTell::Nothing("endpoint_deleted"));
        };
        // What was asked for one by one goes out all the same.
        match endpoint.state {
            EndpointState::Disabled if !delivery.out_of_order => {
                return Ok(ToTell::Nothing("endpoint_disabled"));
            }
            EndpointState::Gone if !delivery.out_of_order => return Ok(ToTell::Nothing("endpoint_gone")),
            _ => {}
        }
        let Some(event) = db.event(&delivery.event_id).await? else {
            return Ok(ToTell::Nothing("row_unreadable"));
        };
        let target: Target = decode(&endpoint.target)?;
        let Ok(url) = Url::parse(&target.url) else { return Ok(ToTell::Nothing("row_unreadable")) };
        let standing = endpoint.session_id.is_none();
        let about = match standing {
            // Rendered before: who it is about is in it.
            _ if delivery.body.is_some() => About::default(),
            true => about(&mut db, &event).await?,
            false => About { name: target.name, purpose: None },
        };
        let now = self.now();
        let former = target.former.into_iter().filter(|(_, until)| *until > now).map(|(secret, _)| secret);
        Ok(ToTell::Call(Box::new(Telling {
            url,
            headers: target.headers,
            secrets: target.secret.into_iter().chain(former).collect(),
            dialect: endpoint.dialect,
            standing,
            spelling: target.spelling,
            event,
            name: about.name,
            purpose: about.purpose,
        })))
    }
}

/// What the rows know of whom an event is about.
#[derive(Default)]
struct About {
    name: Option<String>,
    purpose: Option<Purpose>,
}

async fn about(db: &mut Db, event: &Event) -> Result<About> {
    if let Ok(id) = event.subject.parse::<SessionId>() {
        let Some(session) = db.session(&id).await? else { return Ok(About::default()) };
        let request: Request = decode(&session.request)?;
        return Ok(About { name: request.name, purpose: Some(session.purpose) });
    }
    let Ok(id) = event.subject.parse::<AccountId>() else { return Ok(About::default()) };
    let details = match db.account(&id).await? {
        Some(account) => Some(account.details),
        // Deleted since: that event kept what was known.
        None => {
            let events = db.events_of(&event.subject).await?;
            match events.iter().find(|one| one.kind == EventKind::AccountDeleted) {
                Some(deleted) => db.last_details(&deleted.id).await?,
                None => None,
            }
        }
    };
    let details: Option<Details> = details.map(|details| decode(&details)).transpose()?;
    Ok(About { name: details.and_then(|details| details.name), purpose: None })
}
