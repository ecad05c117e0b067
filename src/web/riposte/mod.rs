//! The Riposte dialect's routes for backends: `/auth/sessions` and `/accounts`, with the same keys and envelopes as
//! the other dialect. The pages a person sees (`/auth/authorize`) are the wizard's.

mod accounts;
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
        .route("/accounts", get(accounts::list))
        .route("/accounts/{id}", get(accounts::read).delete(accounts::delete))
}

/// The dialect's spelling of the core's words.
const SPELLING: Spelling = Spelling {
    field: |name| match name {
        "expires_at" => "expiresInMinutes",
        "providers" => "provider",
        "notify_url" => "notifyUrl",
        "success_redirect_url" => "redirectUri",
        "finish_code" => "finishCode",
        other => other,
    },
    provider: words::provider_name,
};

fn paged(caller: &Caller, params: &HashMap<String, String>) -> Result<(words::Paged, Page), Refused> {
    let text = |name: &str| params.get(name).map(String::as_str);
    let paged = words::read_page(text("page"), text("limit")).map_err(|envelope| caller.refuse(envelope))?;
    Ok((paged, Page { number: paged.page, limit: paged.limit }))
}
