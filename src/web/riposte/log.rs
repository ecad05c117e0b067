//! `/events`: the log of what endpoints and sessions' `notifyUrl`s were told, and telling it once more.

use axum::extract::{Query, State};
use axum::http::StatusCode;

use super::super::Web;
use super::super::api::{Caller, reply};
use super::super::extract::Segment;
use super::super::webhooks::{endpoint_named, logged, replay_delivery};
use super::{Answer, Params, SPELLING, paged};
use crate::connect::DeliveryQuery;
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
    let items = found.iter().map(|view| words::logged(&logged(view))).collect();
    Ok(reply(StatusCode::OK, &words::log(items, told, total)))
}

/// `POST /events/{deliveryId}/replay`: once more, with the same id and the same bytes.
pub(super) async fn replay(State(web): State<Web>, caller: Caller, Segment(id): Segment) -> Answer {
    let id = replay_delivery(&web, &caller, &id).await?;
    Ok(reply(StatusCode::OK, &words::on_its_way(id.as_str())))
}
