//! `POST /v1/accounts/{id}/credentials`: what lets a backend act for an account's person right now, renewed first where
//! it is about to run out. It wants a key with a scope of its own, and is the one reply that carries something secret.

use std::str::FromStr;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::post;

use super::Web;
use super::api::{PLAIN, Refused, Trusted, json_body, reply};
use super::extract::Segment;
use crate::dialects::credentials as words;
use crate::dialects::envelope::Kind;
use crate::kernel::ids::AccountId;

pub(super) fn routes() -> Router<Web> {
    let one = || Router::new().route("/accounts/{id}/credentials", post(read));
    Router::new().nest("/v1", one()).nest("/api/v1", one())
}

async fn read(
    State(web): State<Web>,
    Trusted(caller): Trusted,
    Segment(id): Segment,
    request: Request<Body>,
) -> Result<Response, Refused> {
    let missing = || caller.refuse(Kind::ResourceNotFound.detail("there is no such account"));
    let id = AccountId::from_str(&id).map_err(|_| missing())?;
    let body = json_body(&caller.request, request).await?;
    let (fresh, unknown) = words::read(&body).map_err(|envelope| caller.refuse(envelope))?;
    web.notice(&unknown);
    let given = web.connect.credentials(&id, fresh).await.map_err(|error| caller.fail(error, &PLAIN))?;
    let said = match &given {
        Ok(given) => words::active(given.account.id.as_str(), &given.account.provider, &given.credentials),
        Err(missing) => {
            let account = &missing.account;
            words::needs_reconnect(account.id.as_str(), &account.provider, account.cause.as_deref())
        }
    };
    tracing::info!(
        account.id = %id,
        key.id = %caller.key,
        request.id = caller.request.0,
        active = given.is_ok(),
        "credentials were read"
    );
    Ok(reply(StatusCode::OK, &said))
}
