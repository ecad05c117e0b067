//! `/events`: the log of what endpoints and sessions' `notifyUrl`s were told, and telling it once more.

use axum::extract::{Query, State};
use axum::http::StatusCode;
use serde_json::Value;

use super::super::Web;
use super::super::api::{Caller, reply};
use super::super::extract::Segment;
use super::super::webhooks::{endpoint_named, replay_delivery};
use super::{Answer, Params, SPELLING, paged};
use crate::connect::{DeliveryQuery, DeliveryView};
use crate::dialects::calls::{read_about, read_state};
use crate::dialects::riposte as words;

/// `GET /events`: newest first, `page`, `limit`, `endpointId`, `status`, `about`.
pub(super) async fn list(State(web): State<Web>, caller: Caller, Query(params): Params) -> Answer {
    let (told, page) = paged(&caller, &params)?;
    let text = |name: &str| params.get(name).map(String::as_str);
    let state = read_state("status", text("status")).map_err(|envelope| caller.refuse(envelope))?;
    let endpoint = endpoint_named(&caller, "endpointId", text("endpointId"))?;
    let subject = read_about(text("about")).map_err(|envelope| caller.refuse(envelope))?;
    let query = DeliveryQuery { state, subject, endpoint };
    let found = web.connect.delivery_page(query, page).await;
    let (found, total) = found.map_err(|error| caller.fail(error, &SPELLING))?;
    Ok(reply(StatusCode::OK, &words::log(found.iter().map(entry).collect(), told, total)))
}

/// `POST /events/{deliveryId}/replay`: once more, with the same id and the same bytes.
pub(super) async fn replay(State(web): State<Web>, caller: Caller, Segment(id): Segment) -> Answer {
    let id = replay_delivery(&web, &caller, &id).await?;
    Ok(reply(StatusCode::OK, &words::on_its_way(id.as_str())))
}

fn entry(view: &DeliveryView) -> Value {
    let delivery = &view.delivery;
    let attempts = view.tries.iter().map(|one| {
        words::attempt(one.at, one.took, one.status, one.problem.as_deref(), one.answer.as_deref())
    });
    words::logged(&words::LoggedWords {
        id: delivery.id.as_str(),
        endpoint: delivery.endpoint_id.as_str(),
        kind: view.event.as_ref().map(|event| event.kind),
        about: &delivery.subject,
        state: delivery.state,
        body: delivery.body.as_ref().map(|body| body.as_slice()),
        created_at: delivery.created_at,
        due_at: delivery.due_at,
        ended_at: delivery.ended_at,
        attempts: attempts.collect(),
    })
}
