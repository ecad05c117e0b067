//! Endpoints: making, listing, reading, changing and deleting them, trying one out, exchanging its secret, and sending
//! it once more what happened since a time.

use axum::body::Body;
use axum::extract::{Query, Request, State};
use axum::http::StatusCode;
use serde_json::Value;

use super::super::Web;
use super::super::api::{Caller, Refused, json_body, reply};
use super::super::extract::Segment;
use super::super::repeats;
use super::{Answer, Params, SPELLING, paged};
use crate::connect::{EndpointChange, EndpointView, Error, NewEndpoint, Wanted};
use crate::dialects::calls::{read_secret, read_since};
use crate::dialects::riposte as words;
use crate::kernel::ids::EndpointId;
use crate::kernel::secret::Secret;
use crate::kernel::words::{Dialect, EndpointState, EventKind};

const DIALECT: Dialect = Dialect::Riposte;

/// `POST /webhooks/endpoints`: 200 with the endpoint and, this once, its secret.
pub(super) async fn create(State(web): State<Web>, caller: Caller, request: Request<Body>) -> Answer {
    let (web, caller) = (&web, &caller);
    let key = repeats::key(caller, request.headers())?;
    repeats::once(web, caller, key, request, StatusCode::OK, |body, way| async move {
        let asked = words::read_endpoint(&body).map_err(|envelope| caller.refuse(envelope))?;
        web.notice(&asked.unknown);
        let new = NewEndpoint {
            dialect: DIALECT,
            url: asked.url.unwrap_or_default(),
            name: asked.description.flatten(),
            wanted: wanted(asked.event_types.unwrap_or_default()),
            headers: asked.headers.unwrap_or_default(),
            secret: asked.secret.map(Secret::new),
            spelling: Value::Null,
            accounts: asked.account_ids.flatten(),
            enabled: asked.is_active.unwrap_or(true),
        };
        let made = |made: &EndpointView| endpoint(made, made.target.secret.as_ref());
        repeats::create_endpoint(web, caller, new, way.turn(), (StatusCode::OK, &SPELLING), &made).await
    })
    .await
}

fn wanted(kinds: Vec<EventKind>) -> Vec<Wanted> {
    kinds.into_iter().map(Wanted::from).collect()
}

/// `GET /webhooks/endpoints`: oldest first, `page`, `limit`.
pub(super) async fn list(State(web): State<Web>, caller: Caller, Query(params): Params) -> Answer {
    let (told, page) = paged(&caller, &params)?;
    let (skip, limit) = (usize::try_from((page.number - 1) * page.limit), usize::try_from(page.limit));
    let found = web.connect.endpoints(DIALECT, None, skip.unwrap_or(usize::MAX), limit.unwrap_or(0)).await;
    let (found, total) = found.map_err(|error| caller.fail(error, &SPELLING))?;
    let items = found.iter().map(|view| endpoint(view, None)).collect();
    let total = i64::try_from(total).unwrap_or(i64::MAX);
    Ok(reply(StatusCode::OK, &words::endpoint_list(items, told, total)))
}

/// `GET /webhooks/endpoints/{id}`.
pub(super) async fn read(State(web): State<Web>, caller: Caller, Segment(id): Segment) -> Answer {
    let id = endpoint_id(&caller, &id)?;
    let view = web.connect.endpoint(DIALECT, &id).await.map_err(|error| caller.fail(error, &SPELLING))?;
    Ok(reply(StatusCode::OK, &endpoint(&view, None)))
}

/// `PATCH /webhooks/endpoints/{id}`: what is not given stays.
pub(super) async fn change(
    State(web): State<Web>,
    caller: Caller,
    Segment(id): Segment,
    request: Request<Body>,
) -> Answer {
    let id = endpoint_id(&caller, &id)?;
    let body = json_body(&caller.request, request).await?;
    let asked = words::read_change(&body).map_err(|envelope| caller.refuse(envelope))?;
    web.notice(&asked.unknown);
    let change = EndpointChange {
        url: asked.url,
        name: asked.description,
        wanted: asked.event_types.map(wanted),
        headers: asked.headers,
        accounts: asked.account_ids,
        enabled: asked.is_active,
    };
    let view = web.connect.update_endpoint(DIALECT, &id, change).await;
    let view = view.map_err(|error| caller.fail(error, &SPELLING))?;
    Ok(reply(StatusCode::OK, &endpoint(&view, None)))
}

/// `DELETE /webhooks/endpoints/{id}`.
pub(super) async fn delete(State(web): State<Web>, caller: Caller, Segment(id): Segment) -> Answer {
    let id = endpoint_id(&caller, &id)?;
    web.connect.delete_endpoint(DIALECT, &id).await.map_err(|error| caller.fail(error, &SPELLING))?;
    Ok(reply(StatusCode::OK, &words::endpoint_deleted(id.as_str())))
}

/// `POST /webhooks/endpoints/{id}/test`: sends `webhook.test`; what came of it stands in the log.
pub(super) async fn test(
    State(web): State<Web>,
    caller: Caller,
    Segment(id): Segment,
    request: Request<Body>,
) -> Answer {
    let (web, caller) = (&web, &caller);
    let id = endpoint_id(caller, &id)?;
    let key = repeats::key(caller, request.headers())?;
    repeats::once(web, caller, key, request, StatusCode::OK, |_, way| async move {
        let sent = web.connect.test_endpoint(DIALECT, &id).await;
        let sent = sent.map_err(|error| caller.fail(error, &SPELLING))?;
        repeats::kept(web, caller, way.turn(), StatusCode::OK, &words::on_its_way(sent.as_str())).await
    })
    .await
}

/// `POST /webhooks/endpoints/{id}/secret`: another secret, shown this once; for a while the former one signs, too.
pub(super) async fn rotate(
    State(web): State<Web>,
    caller: Caller,
    Segment(id): Segment,
    request: Request<Body>,
) -> Answer {
    let (web, caller) = (&web, &caller);
    let id = endpoint_id(caller, &id)?;
    let key = repeats::key(caller, request.headers())?;
    repeats::once(web, caller, key, request, StatusCode::OK, |body, way| async move {
        let (fresh, overlap, unknown) =
            read_secret(&body, "overlapHours").map_err(|envelope| caller.refuse(envelope))?;
        web.notice(&unknown);
        let words = |secret: &str| words::secret_rotated(id.as_str(), secret);
        let asked = (fresh.map(Secret::new), overlap);
        repeats::rotate_secret(web, caller, (DIALECT, &id), asked, way.turn(), (&SPELLING, &words)).await
    })
    .await
}

/// `POST /webhooks/endpoints/{id}/replay`: once more what happened since a time.
pub(super) async fn replay(
    State(web): State<Web>,
    caller: Caller,
    Segment(id): Segment,
    request: Request<Body>,
) -> Answer {
    let (web, caller) = (&web, &caller);
    let id = endpoint_id(caller, &id)?;
    let key = repeats::key(caller, request.headers())?;
    repeats::once(web, caller, key, request, StatusCode::OK, |body, way| async move {
        let (since, unknown) = read_since(&body).map_err(|envelope| caller.refuse(envelope))?;
        web.notice(&unknown);
        let replayed = web.connect.recover(DIALECT, &id, since).await;
        let (deliveries, more) = replayed.map_err(|error| caller.fail(error, &SPELLING))?;
        repeats::kept(web, caller, way.turn(), StatusCode::OK, &words::replayed(deliveries, more)).await
    })
    .await
}

fn endpoint_id(caller: &Caller, text: &str) -> Result<EndpointId, Refused> {
    text.parse().map_err(|_| caller.fail(Error::NotFound("webhook"), &SPELLING))
}

fn endpoint(view: &EndpointView, secret: Option<&Secret>) -> Value {
    let (endpoint, target) = (&view.endpoint, &view.target);
    let told = words::EndpointWords {
        id: endpoint.id.as_str(),
        url: &target.url,
        description: target.name.as_deref(),
        event_types: endpoint.wanted.iter().map(|wanted| wanted.kind).collect(),
        headers: &target.headers,
        accounts: view.accounts.as_ref().map(|all| all.iter().map(|(id, _)| id.as_str()).collect()),
        is_active: endpoint.state == EndpointState::Enabled,
        gone: endpoint.state == EndpointState::Gone,
        created_at: endpoint.created_at,
    };
    words::endpoint(&told, secret.map(Secret::reveal))
}
