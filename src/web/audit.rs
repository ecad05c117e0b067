//! `GET /v1/audit`: who had to do with accounts' secrets, newest first. It wants a key with a scope of its own.

use std::collections::HashMap;

use axum::Router;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;

use super::Web;
use super::api::{Known, PLAIN, Refused, reply};
use crate::connect::AUDIT;
use crate::dialects::audit as words;
use crate::dialects::postpress::{next_cursor, read_page};

pub(super) fn routes() -> Router<Web> {
    Router::new().route("/v1/audit", get(list)).route("/api/v1/audit", get(list))
}

async fn list(
    State(web): State<Web>,
    known: Known,
    Query(params): Query<HashMap<String, String>>,
) -> Result<Response, Refused> {
    let caller = known.allowed(AUDIT)?;
    let text = |name: &str| params.get(name).cloned().filter(|text| !text.is_empty());
    let page = read_page(params.get("limit").map(String::as_str), params.get("cursor").map(String::as_str))
        .map_err(|envelope| caller.refuse(envelope))?;
    let found = web.connect.audit(text("account_id"), text("key_id"), page.last_id, page.limit).await;
    let mut found = found.map_err(|error| caller.fail(error, &PLAIN))?;
    let cursor = next_cursor(&mut found, page.limit, |entry| entry.id.to_string());
    let lines = found.iter().map(|entry| {
        words::line(&words::LineWords {
            id: entry.id.as_str(),
            at: entry.at,
            action: entry.action.as_str(),
            key_id: entry.key_id.as_str(),
            account_id: entry.account_id.as_deref(),
            address: entry.address.as_deref(),
            outcome: entry.outcome.as_str(),
            cause: entry.cause.as_deref(),
            request_id: &entry.request_id,
        })
    });
    Ok(reply(StatusCode::OK, &words::list(lines.collect(), cursor)))
}
