//! Telling the backends: due deliveries are leased, called, and their tries written down.
//!
//! A delivery's body is rendered on its first try and kept, so every retry is the same to the byte. Deliveries to
//! one host share a lane with a few places, so a slow host holds up nobody else. A lease that nobody works on is
//! freed only after it was seen unchanged for the lease and a quarter on this node's own clock of passing time,
//! so clocks that disagree cannot make two nodes call at once.

use std::collections::HashMap;
use std::time::Duration;

use hyper::Method;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use tokio::sync::{broadcast, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::{Instrument, Span};
use url::Url;

use super::schedule;
use super::sign::Signer;
use crate::connect::Target;
use crate::dialects::{postpress, riposte};
use crate::kernel::clock::Clock;
use crate::kernel::egress::{Egress, Request};
use crate::kernel::figures::figures;
use crate::kernel::ids::DeliveryId;
use crate::kernel::random::{Random, Token};
use crate::kernel::secret::Secret;
use crate::kernel::traces;
use crate::kernel::words::{DeliveryState, Dialect};
use crate::store::{self, Delivery, Due, Store, Try, Wake};

/// How long a receiver may take.
const CALL: Duration = Duration::from_secs(30);
/// How long a lease lasts: longer than any call it covers.
const LEASE: Duration = Duration::from_secs(40);
/// Calls at once on this node, and to one host.
const PLACES: usize = 64;
const LANE_PLACES: usize = 4;
/// How much of an answer is kept.
const KEPT: usize = 4096;
/// How long nothing happens at most before the rows are looked at again.
const POLL: Duration = Duration::from_secs(1);
/// How often leases are looked at.
const WATCH: Duration = Duration::from_secs(5);

/// What the loop needs.
#[derive(Clone)]
pub struct Deliver {
    store: Store,
    egress: Egress,
    clock: Clock,
    random: Random,
    signer: Signer,
    /// This process's name on its leases; never reused.
    node: String,
}

/// Leases that nobody on this node is working on: holder, version, and since when they look so.
type Watched = HashMap<DeliveryId, (String, i64, Instant)>;

/// The calls under way on this node.
#[derive(Default)]
struct Calls {
    tasks: JoinSet<()>,
    /// What each task is working on: the delivery and its lane.
    work: HashMap<tokio::task::Id, (DeliveryId, String)>,
}

impl Calls {
    fn in_lane(&self, lane: &str) -> usize {
        self.work.values().filter(|(_, known)| known == lane).count()
    }

    fn works_on(&self, id: &DeliveryId) -> bool {
        self.work.values().any(|(known, _)| known == id)
    }

    fn start(&mut self, deliver: Deliver, delivery: Delivery, lane: String) {
        let id = delivery.id.clone();
        let span = tracing::info_span!(
            target: traces::TARGET,
            "webhook.deliver",
            otel.kind = "client",
            delivery.id = %delivery.id,
            about = delivery.subject,
            try = delivery.tries + 1,
            result = tracing::field::Empty,
            http.response.status_code = tracing::field::Empty,
        );
        let span = traces::below(span, delivery.trace.as_ref());
        let work = async move {
            let id = delivery.id.clone();
            if let Err(error) = deliver.deliver(delivery).await {
                tracing::warn!(delivery.id = %id, error = %error, "a delivery's try could not be written down");
            }
        };
        let task = self.tasks.spawn(work.instrument(span));
        self.work.insert(task.id(), (id, lane));
    }

    /// Waits for a call to end; forever when there is none.
    async fn ended(&mut self) {
        let id = match self.tasks.join_next_with_id().await {
            None => return std::future::pending().await,
            Some(Ok((id, ()))) => id,
            Some(Err(error)) => {
                tracing::error!(error = %error, "a delivery's task ended badly");
                error.id()
            }
        };
        self.work.remove(&id);
    }
}

impl Deliver {
    /// Puts it together. `secret` signs every call.
    pub fn new(store: Store, egress: Egress, clock: Clock, random: Random, secret: &Secret) -> Self {
        let node = Token::new(&random).hash();
        Self { store, egress, clock, random, signer: Signer::new(secret), node }
    }

    /// Runs until told to stop; calls under way are finished then.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut wakes = self.store.wakes();
        let mut calls = Calls::default();
        let mut watched = Watched::new();
        let mut watched_at = Instant::now();
        while !*stop.borrow() {
            if let Err(error) = self.fill(&mut calls).await {
                tracing::warn!(error = %error, "deliveries could not be claimed");
                tokio::time::sleep(POLL).await;
            }
            if watched_at.elapsed() >= WATCH {
                watched_at = Instant::now();
                if let Err(error) = self.free_the_lost(&mut watched, &calls).await {
                    tracing::warn!(error = %error, "leases could not be looked at");
                }
            }
            tokio::select! {
                _ = stop.changed() => {}
                () = told(&mut wakes) => {}
                // Whatever was missed, the rows tell.
                () = tokio::time::sleep(POLL) => {}
                () = calls.ended() => {}
            }
        }
        while calls.tasks.join_next().await.is_some() {}
    }

    /// Starts calls while there are places.
    async fn fill(&self, calls: &mut Calls) -> store::Result<()> {
        if calls.tasks.len() >= PLACES {
            return Ok(());
        }
        let due = self.store.read().await?.due_lanes(self.clock.now(), 256).await?;
        for lane in due {
            let free = LANE_PLACES.saturating_sub(calls.in_lane(&lane)).min(PLACES - calls.tasks.len());
            if free == 0 {
                continue;
            }
            let now = self.clock.now();
            let limit = i64::try_from(free).unwrap_or(1);
            let due = Due { by: self.node.clone(), now, until: now.after(LEASE), lane: lane.clone(), limit };
            let claimed = self.store.write(due, |due, tx| Box::pin(tx.claim_deliveries(due))).await;
            // A row that cannot be read holds up its own lane, not everybody else's.
            let claimed = claimed.unwrap_or_else(|error| {
                tracing::error!(error = %error, "the deliveries of a lane could not be claimed");
                Vec::new()
            });
            for delivery in claimed {
                calls.start(self.clone(), delivery, lane.clone());
            }
        }
        Ok(())
    }

    /// Frees what is leased and worked on by nobody: what dead nodes held, and what this node claimed or tried
    /// without being able to write it down. Whoever has a place claims it then.
    async fn free_the_lost(&self, watched: &mut Watched, calls: &Calls) -> store::Result<()> {
        let leased = self.store.read().await?.leased_deliveries().await?;
        let mut seen = Watched::new();
        for (id, holder, version) in leased {
            if holder == self.node && calls.works_on(&id) {
                continue;
            }
            let since = match watched.get(&id) {
                Some((known, at, since)) if *known == holder && *at == version => *since,
                _ => Instant::now(),
            };
            seen.insert(id, (holder, version, since));
        }
        *watched = seen;
        let lost = watched.iter().filter(|(_, (_, _, since))| since.elapsed() > LEASE + LEASE / 4);
        for (id, (holder, version, _)) in lost {
            let context = (id.clone(), *version, holder.clone());
            let freed = self
                .store
                .write(context, |(id, version, holder), tx| Box::pin(tx.free_delivery(id, *version, holder)))
                .await;
            match freed {
                Ok(()) => {
                    tracing::info!(delivery.id = %id, "a delivery was taken from a holder that is gone");
                }
                Err(store::Error::Conflict) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// One try, written down.
    async fn deliver(&self, delivery: Delivery) -> store::Result<()> {
        let began = Instant::now();
        let at = self.clock.now();
        let number = delivery.tries + 1;
        let mut tried = Try { number, at, took: 0, status: None, problem: None, answer: None };
        let mut wish = None;
        let outcome = match self.prepare(&delivery).await {
            // Written down like every try that failed, so that it is listed, and given up at last.
            Err(store::Error::Corrupt { table, what }) => {
                tracing::error!(delivery.id = %delivery.id, table, what, "what a delivery needs cannot be read");
                tried.problem = Some("row_unreadable".to_owned());
                Ending::Again
            }
            Err(error) => return Err(error),
            Ok(None) => {
                tried.problem = Some("nothing_to_tell".to_owned());
                Ending::Final
            }
            Ok(Some((url, body))) => {
                let mut headers = self.signer.headers(delivery.id.as_str(), at, &body);
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                let place = traces::current().or_else(|| delivery.trace.clone());
                if let Some(value) = place.and_then(|place| HeaderValue::from_str(place.as_str()).ok()) {
                    headers.insert("traceparent", value);
                }
                let host = url.host_str().unwrap_or_default().to_owned();
                let request = Request {
                    method: Method::POST,
                    url,
                    headers,
                    body: body.into(),
                    time_limit: CALL,
                    size_limit: KEPT,
                };
                match self.egress.send(request).await {
                    Ok(answer) => {
                        wish = retry_after(&answer.headers);
                        tried.status = Some(i64::from(answer.status.as_u16()));
                        tried.answer = Some(answer.body);
                        Ending::of_status(answer.status.as_u16())
                    }
                    Err(error) => {
                        tracing::info!(delivery.id = %delivery.id, host, problem = error.code(), "a call failed");
                        tried.problem = Some(error.code().to_owned());
                        Ending::Again
                    }
                }
            }
        };
        tried.took = i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX);
        let wait = schedule::delay(number, wish, &self.random);
        let (state, due_at) = match (outcome, wait) {
            (Ending::Taken, _) => {
                tracing::info!(delivery.id = %delivery.id, tries = number, "delivered");
                (DeliveryState::Done, at)
            }
            (Ending::Again, Some(wait)) => (DeliveryState::Due, self.clock.now().after(wait)),
            (Ending::Again, None) | (Ending::Final, _) => {
                tracing::error!(delivery.id = %delivery.id, tries = number, "a delivery was given up");
                (DeliveryState::Dead, at)
            }
        };
        figures().tried(state.as_str(), began.elapsed());
        let span = Span::current();
        span.record("result", state.as_str());
        if let Some(status) = tried.status {
            span.record("http.response.status_code", status);
        }
        self.store
            .write((delivery, state, due_at, tried), |(delivery, state, due_at, tried), tx| {
                Box::pin(tx.finish_try(delivery, *state, *due_at, tried))
            })
            .await
    }

    /// Where to call and what to send; `None` when there is nothing to tell any more.
    async fn prepare(&self, delivery: &Delivery) -> store::Result<Option<(Url, Vec<u8>)>> {
        let mut db = self.store.read().await?;
        let Some(endpoint) = db.endpoint(&delivery.endpoint_id).await? else { return Ok(None) };
        let event = db.event(&delivery.event_id).await?;
        drop(db);
        let Ok(target) = serde_json::from_slice::<Target>(&endpoint.target) else { return Ok(None) };
        let Ok(url) = Url::parse(&target.url) else { return Ok(None) };
        if let Some(body) = &delivery.body {
            return Ok(Some((url, body.to_vec())));
        }
        let Some(event) = event else { return Ok(None) };
        let rendered = match endpoint.dialect {
            Dialect::Postpress => postpress::notify_body(event.kind, &event.subject, target.name.as_deref()),
            Dialect::Riposte => riposte::event_body(&riposte::Telling {
                delivery: delivery.id.as_str(),
                kind: event.kind,
                subject: &event.subject,
                facts: &event.facts,
                at: event.at,
                custom_user_id: target.name.as_deref(),
            }),
        };
        let Some(body) = rendered else { return Ok(None) };
        self.store
            .write((delivery.id.clone(), body.clone()), |(id, body), tx| Box::pin(tx.keep_body(id, body)))
            .await?;
        Ok(Some((url, body)))
    }
}

/// What a try comes to.
enum Ending {
    Taken,
    Again,
    Final,
}

impl Ending {
    /// Any 2xx is taken; 410 says never again; everything else, redirects included, may pass.
    fn of_status(status: u16) -> Self {
        match status {
            200..=299 => Self::Taken,
            410 => Self::Final,
            _ => Self::Again,
        }
    }
}

/// `Retry-After` in seconds; its other form, a date, is left unread.
fn retry_after(headers: &HeaderMap) -> Option<u64> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()
}

/// Returns when there may be something to deliver.
async fn told(wakes: &mut broadcast::Receiver<Wake>) {
    loop {
        match wakes.recv().await {
            Ok(Wake::Deliveries) | Err(_) => return,
            Ok(Wake::Attempt(_)) => {}
        }
    }
}
