//! The postpress dialect's webhooks and the log of calls, under `/v1` and `/api/v1`.

use axum::Router;
use axum::body::Body;
use axum::extract::{Query, Request, State};
use axum::http::StatusCode;
use axum::routing::{get, patch, post};
use serde_json::Value;

use super::Web;
use super::api::{Caller, Refused, json_body, reply};
use super::extract::Segment;
use super::postpress::{Answer, Params, SPELLING, page};
use super::repeats;
use crate::connect::{DeliveryQuery, DeliveryView, EndpointChange, EndpointView, Error, NewEndpoint, Wanted};
use crate::dialects::calls;
use crate::dialects::envelope::Kind;
use crate::dialects::postpress as words;
use crate::kernel::ids::{DeliveryId, EndpointId};
use crate::kernel::secret::Secret;
use crate::kernel::words::{Dialect, EndpointState};

const DIALECT: Dialect = Dialect::Postpress;

pub(super) fn routes() -> Router<Web> {
    let api = || {
        Router::new()
            .route("/webhooks", get(list).post(create))
            .route("/webhooks/{id}", patch(change).delete(remove))
            .route("/webhooks/{id}/secret", post(rotate))
            .route("/webhooks/{id}/replay", post(replay))
            .route("/webhooks/deliveries", get(log))
            .route("/webhooks/deliveries/{id}/replay", post(replay_one))
    };
    Router::new().nest("/v1", api()).nest("/api/v1", api())
}

async fn create(State(web): State<Web>, caller: Caller, request: Request<Body>) -> Answer {
    let (web, caller) = (&web, &caller);
    let key = repeats::key(caller, request.headers())?;
    repeats::once(web, caller, key, request, StatusCode::CREATED, |body, way| async move {
        let asked = words::read_webhook(&body).map_err(|envelope| caller.refuse(envelope))?;
        web.notice(&asked.unknown);
        let new = NewEndpoint {
            dialect: DIALECT,
            url: asked.url,
            name: asked.name,
            wanted: asked.wanted.into_iter().map(|(kind, status)| Wanted { kind, status }).collect(),
            headers: asked.headers,
            secret: None,
            spelling: asked.spelling,
            accounts: asked.account_ids,
            enabled: asked.enabled,
        };
        let created = |made: &EndpointView| words::webhook_created(made.endpoint.id.as_str(), secret(made));
        repeats::create_endpoint(web, caller, new, way.turn(), (StatusCode::CREATED, &SPELLING), &created)
            .await
    })
    .await
}

/// The secret of an endpoint that was just given it.
fn secret(made: &EndpointView) -> &str {
    made.target.secret.as_ref().map(Secret::reveal).unwrap_or_default()
}

async fn list(State(web): State<Web>, caller: Caller, Query(params): Params) -> Answer {
    let page = page(&caller, &params)?;
    let limit = usize::try_from(page.limit).unwrap_or(0) + 1;
    let found = web.connect.endpoints(DIALECT, page.last_id.as_deref(), 0, limit).await;
    let (mut found, _) = found.map_err(|error| caller.fail(error, &SPELLING))?;
    let cursor = words::next_cursor(&mut found, page.limit, |view| view.endpoint.id.to_string());
    Ok(reply(StatusCode::OK, &words::webhook_list(found.iter().map(webhook).collect(), cursor)))
}

/// `PATCH /v1/webhooks/{id}`: what is not given stays.
async fn change(
    State(web): State<Web>,
    caller: Caller,
    Segment(id): Segment,
    request: Request<Body>,
) -> Answer {
    let id = webhook_id(&caller, &id)?;
    let body = json_body(&caller.request, request).await?;
    let asked = words::read_webhook_change(&body).map_err(|envelope| caller.refuse(envelope))?;
    web.notice(&asked.unknown);
    let change = EndpointChange {
        url: asked.url,
        name: asked.name,
        headers: asked.headers,
        accounts: asked.account_ids,
        enabled: asked.enabled,
        wanted: None,
    };
    let view = web.connect.update_endpoint(DIALECT, &id, change).await;
    let view = view.map_err(|error| caller.fail(error, &SPELLING))?;
    Ok(reply(StatusCode::OK, &webhook(&view)))
}

async fn remove(State(web): State<Web>, caller: Caller, Segment(id): Segment) -> Answer {
    let id = webhook_id(&caller, &id)?;
    web.connect.delete_endpoint(DIALECT, &id).await.map_err(|error| caller.fail(error, &SPELLING))?;
    Ok(reply(StatusCode::OK, &words::webhook_deleted()))
}

async fn rotate(
    State(web): State<Web>,
    caller: Caller,
    Segment(id): Segment,
    request: Request<Body>,
) -> Answer {
    let (web, caller) = (&web, &caller);
    let id = webhook_id(caller, &id)?;
    let key = repeats::key(caller, request.headers())?;
    repeats::once(web, caller, key, request, StatusCode::OK, |body, way| async move {
        let (fresh, overlap, unknown) =
            calls::read_secret(&body, "overlap_hours").map_err(|envelope| caller.refuse(envelope))?;
        web.notice(&unknown);
        let words = |secret: &str| words::secret_rotated(id.as_str(), secret);
        let asked = (fresh.map(Secret::new), overlap);
        repeats::rotate_secret(web, caller, (DIALECT, &id), asked, way.turn(), (&SPELLING, &words)).await
    })
    .await
}

async fn replay(
    State(web): State<Web>,
    caller: Caller,
    Segment(id): Segment,
    request: Request<Body>,
) -> Answer {
    let (web, caller) = (&web, &caller);
    let id = webhook_id(caller, &id)?;
    let key = repeats::key(caller, request.headers())?;
    repeats::once(web, caller, key, request, StatusCode::OK, |body, way| async move {
        let (since, unknown) = calls::read_since(&body).map_err(|envelope| caller.refuse(envelope))?;
        web.notice(&unknown);
        let replayed = web.connect.recover(DIALECT, &id, since).await;
        let (deliveries, more) = replayed.map_err(|error| caller.fail(error, &SPELLING))?;
        repeats::kept(web, caller, way.turn(), StatusCode::OK, &words::webhook_replayed(deliveries, more))
            .await
    })
    .await
}

async fn log(State(web): State<Web>, caller: Caller, Query(params): Params) -> Answer {
    let page = page(&caller, &params)?;
    let text = |name: &str| params.get(name).map(String::as_str);
    let state = calls::read_state("status", text("status")).map_err(|envelope| caller.refuse(envelope))?;
    let endpoint = endpoint_named(&caller, "webhook_id", text("webhook_id"))?;
    let subject = calls::read_about(text("about")).map_err(|envelope| caller.refuse(envelope))?;
    let query = DeliveryQuery { state, subject, endpoint };
    let found = web.connect.deliveries(query, page.last_id, page.limit).await;
    let mut found = found.map_err(|error| caller.fail(error, &SPELLING))?;
    let cursor = words::next_cursor(&mut found, page.limit, |view| view.delivery.id.to_string());
    Ok(reply(
        StatusCode::OK,
        &words::delivery_list(found.iter().map(|view| words::delivery(&logged(view))).collect(), cursor),
    ))
}

/// The endpoint that a list is narrowed to.
pub(super) fn endpoint_named(
    caller: &Caller,
    name: &str,
    text: Option<&str>,
) -> Result<Option<EndpointId>, Refused> {
    text.map(str::parse).transpose().map_err(|_| {
        caller.refuse(Kind::InvalidParameters.detail(format!("{name} must be the id of an endpoint")))
    })
}

async fn replay_one(State(web): State<Web>, caller: Caller, Segment(id): Segment) -> Answer {
    let id = replay_delivery(&web, &caller, &id).await?;
    Ok(reply(StatusCode::OK, &words::delivery_replayed(id.as_str())))
}

/// Sends a delivery once more.
pub(super) async fn replay_delivery(web: &Web, caller: &Caller, text: &str) -> Result<DeliveryId, Refused> {
    let missing = || caller.fail(Error::NotFound("delivery"), &SPELLING);
    let id: DeliveryId = text.parse().map_err(|_| missing())?;
    web.connect.replay(&id).await.map_err(|error| caller.fail(error, &SPELLING))?;
    Ok(id)
}

fn webhook_id(caller: &Caller, text: &str) -> Result<EndpointId, Refused> {
    text.parse().map_err(|_| caller.fail(Error::NotFound("webhook"), &SPELLING))
}

fn webhook(view: &EndpointView) -> Value {
    let (endpoint, target) = (&view.endpoint, &view.target);
    let named = view
        .accounts
        .as_ref()
        .map(|accounts| accounts.iter().map(|(id, slug)| (id.to_string(), slug.clone())).collect::<Vec<_>>());
    words::webhook(&words::WebhookWords {
        id: endpoint.id.as_str(),
        name: target.name.as_deref(),
        url: &target.url,
        enabled: endpoint.state == EndpointState::Enabled,
        gone: endpoint.state == EndpointState::Gone,
        headers: &target.headers,
        accounts: named.as_deref(),
        spelling: &target.spelling,
    })
}

/// A delivery as the log has it, for either dialect.
pub(super) fn logged(view: &DeliveryView) -> calls::LoggedCall<'_> {
    let delivery = &view.delivery;
    let tries = view.tries.iter().map(|one| calls::LoggedTry {
        at: one.at,
        took: one.took,
        status: one.status,
        problem: one.problem.as_deref(),
        answer: one.answer.as_deref(),
    });
    calls::LoggedCall {
        id: delivery.id.as_str(),
        endpoint: delivery.endpoint_id.as_str(),
        kind: view.event.as_ref().map(|event| event.kind),
        about: &delivery.subject,
        state: delivery.state,
        body: delivery.body.as_ref().map(|body| body.as_slice()),
        created_at: delivery.created_at,
        due_at: delivery.due_at,
        ended_at: delivery.ended_at,
        tries: tries.collect(),
    }
}
