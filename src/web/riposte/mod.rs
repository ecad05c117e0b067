//! The Riposte dialect's routes for backends: `/auth/sessions`, `/accounts`, `/webhooks` and `/events`, with the same keys and envelopes as
//! the other dialect. The pages a person sees (`/auth/authorize`) are the wizard's.

mod accounts;
mod endpoints;
mod log;
mod sessions;

use std::collections::HashMap;

use axum::Router;
use axum::extract::Query;
use axum::response::Response;
use axum::routing::{get, post};

use super::Web;
use super::api::{Caller, Refused, Spelling};
use crate::connect::Page;
use crate::dialects::riposte as words;

type Answer = Result<Response, Refused>;
type Params = Query<HashMap<String, String>>;

pub(super) fn routes() -> Router<Web> {
    Router::new()
        .route("/auth/sessions", post(sessions::create).get(sessions::list))
        .route("/auth/sessions/{code}", get(sessions::read).delete(sessions::cancel))
        .route("/auth/sessions/{code}/start", post(sessions::start))
        .route("/auth/sessions/{code}/finish", post(sessions::finish))
        .route("/auth/sessions/{code}/events", get(sessions::story))
        .route("/accounts", get(accounts::list))
        .route("/accounts/{id}", get(accounts::read).delete(accounts::delete))
        .route("/webhooks/endpoints", get(endpoints::list).post(endpoints::create))
        .route(
            "/webhooks/endpoints/{id}",
            get(endpoints::read).patch(endpoints::change).delete(endpoints::delete),
        )
        .route("/webhooks/endpoints/{id}/test", post(endpoints::test))
        .route("/webhooks/endpoints/{id}/secret", post(endpoints::rotate))
        .route("/webhooks/endpoints/{id}/replay", post(endpoints::replay))
        .route("/events", get(log::list))
        .route("/events/{id}/replay", post(log::replay))
}

/// The dialect's spelling of the core's words.
const SPELLING: Spelling = Spelling {
    field: |name| match name {
        "expires_at" => "expiresInMinutes",
        "providers" => "provider",
        "notify_url" => "notifyUrl",
        "success_redirect_url" => "redirectUri",
        "finish_code" => "finishCode",
        "accounts" => "accountIds",
        "endpoint" => "id",
        other => other,
    },
    provider: words::provider_name,
};

fn paged(caller: &Caller, params: &HashMap<String, String>) -> Result<(words::Paged, Page), Refused> {
    let text = |name: &str| params.get(name).map(String::as_str);
    let paged = words::read_page(text("page"), text("limit")).map_err(|envelope| caller.refuse(envelope))?;
    Ok((paged, Page { number: paged.page, limit: paged.limit }))
}
