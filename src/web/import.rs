//! `POST /v1/accounts/import`: brings an account here that was connected elsewhere, so that its person need not sign in
//! again. One account a call; a backend that moves many sends several calls at once.

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::post;
use serde_json::Value;
use zeroize::Zeroizing;

use super::Web;
use super::api::{Caller, PLAIN, Refused, reply};
use super::credentials::{refusal, write_down};
use super::repeats;
use crate::connect::{Error, Import, ImportedAccount, Replying};
use crate::contract::State as Sealed;
use crate::dialects::import as words;
use crate::kernel::words::AuditAction;

pub(super) fn routes() -> Router<Web> {
    let one = || Router::new().route("/accounts/import", post(import));
    Router::new().nest("/v1", one()).nest("/api/v1", one())
}

async fn import(State(web): State<Web>, caller: Caller, request: Request<Body>) -> Result<Response, Refused> {
    let key = repeats::key(&caller, request.headers())?;
    let asks = caller.clone();
    // It goes on when the caller hangs up, and keeps its key meanwhile: what the provider gives in exchange is to be had
    // once, and whatever comes of it is written down.
    let import = tokio::spawn(async move { import_once(&web, &caller, key, request).await });
    import.await.unwrap_or_else(|error| {
        Err(asks.fail(Error::Internal(format!("importing an account: {error}")), &PLAIN))
    })
}

async fn import_once(
    web: &Web,
    caller: &Caller,
    key: Option<String>,
    request: Request<Body>,
) -> Result<Response, Refused> {
    repeats::once(web, caller, key, request, StatusCode::CREATED, |body, way| async move {
        let asked = words::read(&body).map_err(|envelope| caller.refuse(envelope))?;
        web.notice(&asked.unknown);
        let (provider, name, by) = (asked.provider, asked.name, caller.asker());
        let new = Import { provider, name, credentials: Sealed(asked.credentials), by };
        let turn = way.turn().map(|turn| (turn, bytes as fn(&ImportedAccount) -> _));
        let done = import_now(web, caller, new, turn).await?;
        Ok(reply(StatusCode::CREATED, &said(&done)))
    })
    .await
}

async fn import_now(
    web: &Web,
    caller: &Caller,
    new: Import,
    turn: Option<Replying>,
) -> Result<ImportedAccount, Refused> {
    let done = web.connect.import(new, turn).await.map_err(|error| caller.fail(error, &PLAIN));
    if let Err(refused) = &done {
        let (outcome, cause) = refusal(refused);
        write_down(web, caller, AuditAction::AccountImport, None, outcome, Some(cause)).await?;
    }
    done
}

fn said(done: &ImportedAccount) -> Value {
    words::imported(done.id.as_str(), &done.provider, &done.label, done.created)
}

fn bytes(done: &ImportedAccount) -> Result<Zeroizing<Vec<u8>>, Error> {
    let bytes = serde_json::to_vec(&said(done)).map(Zeroizing::new);
    bytes.map_err(|error| Error::Internal(format!("writing a reply: {error}")))
}
