//! One try at a delivery: what it tells is rendered, or sent as it was rendered before, signed, called, and the try
//! written down. The body is kept from the first try on, so every later one sends the same bytes.

use std::time::Duration;

use hyper::Method;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use tokio::time::Instant;
use tracing::Span;

use super::schedule;
use super::sign::Signer;
use crate::connect::{self, Connect, Telling, ToTell};
use crate::dialects::{postpress, riposte};
use crate::kernel::clock::Millis;
use crate::kernel::egress::{Egress, Request};
use crate::kernel::figures::figures;
use crate::kernel::random::Random;
use crate::kernel::secret::Secret;
use crate::kernel::traces;
use crate::kernel::words::{DeliveryState, Dialect, EndpointState};
use crate::store::{self, Delivery, Try, Tx};

/// How long a receiver may take.
const CALL: Duration = Duration::from_secs(30);
/// Why nothing is sent of an event that the endpoint's dialect has no word for; there is nothing to be sorry about.
const NO_WORD: &str = "nothing_to_tell";
/// How much of an answer is kept.
const KEPT: usize = 4096;

/// Makes calls.
#[derive(Clone)]
pub(super) struct Caller {
    connect: Connect,
    egress: Egress,
    random: Random,
    /// For endpoints without a secret of their own.
    signer: Signer,
}

/// A call, ready to be sent.
struct Prepared {
    telling: Box<Telling>,
    content_type: &'static str,
    body: Vec<u8>,
}

impl Caller {
    pub(super) fn new(connect: Connect, egress: Egress, random: Random, secret: &Secret) -> Self {
        Self { connect, egress, random, signer: Signer::new(secret) }
    }

    /// One try, written down; says whether the call was taken.
    pub(super) async fn deliver(&self, delivery: Delivery) -> store::Result<bool> {
        let began = Instant::now();
        let at = self.connect.clock().now();
        let number = delivery.tries + 1;
        let mut tried = Try { number, at, took: 0, status: None, problem: None, answer: None };
        let mut wish = None;
        let ending = match self.prepare(&delivery).await {
            // Written down like every try that failed, so that it is listed, and given up at last.
            Err(connect::Error::Internal(why)) => {
                tracing::error!(delivery.id = %delivery.id, why, "what a delivery needs cannot be read");
                tried.problem = Some("row_unreadable".to_owned());
                Ending::Again
            }
            Err(error) => {
                return Err(store::Error::Unavailable { what: error.to_string(), retry: false });
            }
            Ok(Err(nothing)) => {
                tried.problem = Some(nothing.to_owned());
                if nothing == NO_WORD { Ending::Taken } else { Ending::Never }
            }
            Ok(Ok(prepared)) => self.call(&delivery, prepared, &mut tried, &mut wish).await,
        };
        tried.took = i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX);
        let wait = schedule::delay(number - delivery.tried_before, wish, &self.random);
        let (state, due_at) = match (ending, wait) {
            (Ending::Taken, _) => {
                tracing::info!(delivery.id = %delivery.id, tries = number, "delivered");
                (DeliveryState::Done, at)
            }
            (Ending::Again, Some(wait)) => (DeliveryState::Due, self.connect.clock().now().after(wait)),
            (Ending::Never, _) => (DeliveryState::Dead, at),
            (Ending::Again, None) | (Ending::Gone, _) => {
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
        let finish = Finish { gone: ending == Ending::Gone, delivery, state, due_at, tried };
        self.connect.store().write(finish, |finish, tx| Box::pin(written(finish, tx))).await?;
        Ok(ending == Ending::Taken)
    }

    /// Sends it and reads the answer into the try.
    async fn call(
        &self,
        delivery: &Delivery,
        prepared: Prepared,
        tried: &mut Try,
        wish: &mut Option<Duration>,
    ) -> Ending {
        let Prepared { telling, content_type, body } = prepared;
        let host = telling.url.host_str().unwrap_or_default().to_owned();
        let exact = telling.standing && telling.dialect == Dialect::Postpress;
        let headers = self.headers(delivery, &telling, content_type, &body, tried.at);
        let request = Request {
            method: Method::POST,
            url: telling.url,
            headers,
            body: body.into(),
            time_limit: CALL,
            size_limit: KEPT,
        };
        // Once the head is there it was answered; trouble with the body only cuts what is kept of it.
        match self.egress.call(request).await {
            Ok(answer) => {
                *wish = retry_after(&answer.headers, self.connect.clock().now());
                tried.status = Some(i64::from(answer.status.as_u16()));
                tried.answer = Some(answer.body);
                Ending::of_status(answer.status.as_u16(), exact)
            }
            Err(error) => {
                tracing::info!(delivery.id = %delivery.id, host, problem = error.code(), "a call failed");
                tried.problem = Some(error.code().to_owned());
                Ending::Again
            }
        }
    }

    /// The endpoint's own headers, and over them what nobody else may set.
    fn headers(
        &self,
        delivery: &Delivery,
        telling: &Telling,
        content_type: &'static str,
        body: &[u8],
        at: Millis,
    ) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        for (name, value) in &telling.headers {
            if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), value.parse::<HeaderValue>()) {
                headers.insert(name, value);
            }
        }
        let own: Vec<_> = telling.secrets.iter().map(Signer::new).collect();
        let signers = if own.is_empty() { std::slice::from_ref(&self.signer) } else { &own };
        super::sign::standard(&mut headers, signers, delivery.id.as_str(), at, body);
        if telling.dialect == Dialect::Riposte {
            super::sign::riposte(&mut headers, signers, at, body);
        }
        let place = traces::current().or_else(|| delivery.trace.clone());
        if let Some(value) = place.and_then(|place| HeaderValue::from_str(place.as_str()).ok()) {
            headers.insert("traceparent", value);
        }
        headers
    }

    /// What to send; otherwise the code of why there is nothing.
    async fn prepare(&self, delivery: &Delivery) -> connect::Result<Result<Prepared, &'static str>> {
        let telling = match self.connect.telling(delivery).await? {
            ToTell::Call(telling) => telling,
            ToTell::Nothing(why) => return Ok(Err(why)),
        };
        let content_type = match telling.dialect {
            Dialect::Postpress if telling.standing => postpress::content_type(&telling.spelling),
            _ => "application/json",
        };
        if let Some(body) = &delivery.body {
            return Ok(Ok(Prepared { telling, content_type, body: body.to_vec() }));
        }
        let event = &telling.event;
        let name = telling.name.as_deref();
        let rendered = match telling.dialect {
            Dialect::Postpress if telling.standing => postpress::webhook_body(&postpress::Telling {
                spelling: &telling.spelling,
                kind: event.kind,
                subject: &event.subject,
                facts: &event.facts,
                name,
                purpose: telling.purpose,
            }),
            Dialect::Postpress => postpress::notify_body(event.kind, &event.subject, name),
            Dialect::Riposte => riposte::event_body(&riposte::Telling {
                delivery: delivery.id.as_str(),
                kind: event.kind,
                subject: &event.subject,
                facts: &event.facts,
                at: event.at,
                custom_user_id: name,
            }),
        };
        let Some(body) = rendered else { return Ok(Err(NO_WORD)) };
        self.connect
            .store()
            .write((delivery.id.clone(), body.clone()), |(id, body), tx| Box::pin(tx.keep_body(id, body)))
            .await?;
        Ok(Ok(Prepared { telling, content_type, body }))
    }
}

/// A try's end, to be written down.
struct Finish {
    delivery: Delivery,
    state: DeliveryState,
    due_at: Millis,
    tried: Try,
    /// Whether the endpoint said that it is no more.
    gone: bool,
}

/// Writes a try down. An endpoint that is gone is not called any more, and what was on its way to it is given up.
async fn written(finish: &Finish, tx: &mut Tx) -> store::Result<()> {
    let Finish { delivery, state, due_at, tried, gone } = finish;
    tx.finish_try(delivery, *state, *due_at, tried).await?;
    if *gone && let Some(mut endpoint) = tx.endpoint(&delivery.endpoint_id).await? {
        if endpoint.state == EndpointState::Enabled {
            endpoint.state = EndpointState::Gone;
            tx.update_endpoint(&endpoint).await?;
            tracing::warn!(endpoint.id = %endpoint.id, "an endpoint answered that it is gone; it is not called any more");
        }
        tx.give_up_deliveries(&endpoint.id).await?;
    }
    Ok(())
}

/// What a try comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Taken,
    Again,
    /// The endpoint is no more.
    Gone,
    /// There is nothing to tell.
    Never,
}

impl Ending {
    /// Any 2xx is taken, or 200 alone; 410 says never again; everything else, redirects included, may pass.
    fn of_status(status: u16, exact: bool) -> Self {
        match status {
            200 => Self::Taken,
            201..=299 if !exact => Self::Taken,
            410 => Self::Gone,
            _ => Self::Again,
        }
    }
}

/// `Retry-After` in either of its forms: seconds, or a date.
fn retry_after(headers: &HeaderMap, now: Millis) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = httpdate::parse_http_date(text).ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
    Some(Millis(i64::try_from(at.as_millis()).ok()?).since(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_is_read_in_both_of_its_forms() {
        let read = |text: &'static str| {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(text))]);
            retry_after(&headers, Millis(784_111_770_000))
        };
        assert_eq!(read(" 120 "), Some(Duration::from_secs(120)));
        assert_eq!(read("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::from_secs(7)));
        assert_eq!(read("Sun, 06 Nov 1994 08:40:00 GMT"), Some(Duration::ZERO));
        assert_eq!((read("soon"), read("-5")), (None, None));
    }

    #[test]
    fn where_200_is_asked_for_no_other_status_will_do() {
        assert_eq!(Ending::of_status(200, true), Ending::Taken);
        assert_eq!(Ending::of_status(204, false), Ending::Taken);
        for status in [201, 204, 302, 404, 500] {
            assert_eq!(Ending::of_status(status, true), Ending::Again, "{status}");
        }
        assert_eq!(Ending::of_status(410, true), Ending::Gone);
    }
}
