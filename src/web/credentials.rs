//! Reading what an account gives, and giving it back. `POST /v1/accounts/{id}/credentials`: what lets a backend act for an account's person right now, renewed first where
//! it is about to run out. It wants a key with a scope of its own, and is the one reply that carries something secret.
//! Whoever asks is in the audit log before they have their answer, whatever it is.

use std::str::FromStr;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::post;
use serde_json::Value;

use super::Web;
use super::api::{Caller, Known, PLAIN, Refused, json_body, reply};
use super::extract::Segment;
use super::postpress::new_session;
use crate::connect::{Audited, CREDENTIALS, Error, Fate, MANAGE, Missing};
use crate::dialects::credentials as words;
use crate::dialects::envelope::{Envelope, Kind};
use crate::dialects::postpress::LinkRequest;
use crate::kernel::ids::AccountId;
use crate::kernel::words::{AuditAction, AuditOutcome, Status};

/// How long a link works that is made along the way, unless its request says otherwise.
const LINK_WORKS: Duration = Duration::from_secs(24 * 3600);

pub(super) fn routes() -> Router<Web> {
    let one = || {
        Router::new()
            .route("/accounts/{id}/credentials", post(read))
            .route("/accounts/{id}/session", post(session_back))
    };
    Router::new().nest("/v1", one()).nest("/api/v1", one())
}

/// `POST /v1/accounts/{id}/session`: a backend gives a session back that it was given, or says that it is dead.
async fn session_back(
    State(web): State<Web>,
    known: Known,
    Segment(id): Segment,
    request: Request<Body>,
) -> Result<Response, Refused> {
    let said = take_back(&web, &known, &id, request).await;
    answered(&web, known.caller(), AuditAction::SessionBack, &id, said).await
}

async fn take_back(web: &Web, known: &Known, text: &str, request: Request<Body>) -> Result<Said, Refused> {
    let caller = known.allowed(CREDENTIALS)?;
    let missing = || caller.refuse(Kind::ResourceNotFound.detail("there is no such account"));
    let id = AccountId::from_str(text).map_err(|_| missing())?;
    let body = json_body(&caller.request, request).await?;
    let said = words::read_back(&body).map_err(|envelope| caller.refuse(envelope))?;
    web.notice(&said.unknown);
    let fate = said.dead.map_or(Fate::Returned, |cause| Fate::Dead { cause });
    let account = web.connect.session_back(&id, fate).await.map_err(|error| caller.fail(error, &PLAIN))?;
    let (id, cause) = (account.id.as_str(), account.cause.as_deref());
    let said = words::session_back(id, &account.provider, account.owner, account.status, cause);
    Ok(Said(said, AuditOutcome::Done, None))
}

/// What is said, and how it is written down.
struct Said(Value, AuditOutcome, Option<String>);

async fn read(
    State(web): State<Web>,
    known: Known,
    Segment(id): Segment,
    request: Request<Body>,
) -> Result<Response, Refused> {
    let said = give(&web, &known, &id, request).await;
    answered(&web, known.caller(), AuditAction::CredentialsRead, &id, said).await
}

/// The answer, once it is written down.
async fn answered(
    web: &Web,
    caller: &Caller,
    action: AuditAction,
    account: &str,
    said: Result<Said, Refused>,
) -> Result<Response, Refused> {
    let (outcome, cause) = match &said {
        Ok(Said(_, outcome, cause)) => (*outcome, cause.as_deref()),
        Err(refused) => {
            let (outcome, cause) = refusal(refused);
            (outcome, Some(cause))
        }
    };
    write_down(web, caller, action, Some(account), outcome, cause).await?;
    Ok(reply(StatusCode::OK, &said?.0))
}

/// How a refusal is written down.
pub(super) fn refusal(refused: &Refused) -> (AuditOutcome, &'static str) {
    let Envelope { status, kind, .. } = refused.envelope();
    (if *status >= 500 { AuditOutcome::Failed } else { AuditOutcome::Refused }, kind)
}

/// Writes down who asked for what and what came of it. Nobody is answered before. Beyond a budget of its key a refusal is
/// only counted, so that a key that may do nothing cannot fill the log.
pub(super) async fn write_down(
    web: &Web,
    caller: &Caller,
    action: AuditAction,
    account: Option<&str>,
    outcome: AuditOutcome,
    cause: Option<&str>,
) -> Result<(), Refused> {
    if outcome == AuditOutcome::Refused && !web.limits.spend_line(&caller.key) {
        return Ok(());
    }
    let cause = cause.map(|cause| cause.trim_start_matches("errors/"));
    let audited = Audited { action, by: &caller.asker(), account, outcome, cause };
    web.connect.write_audit(audited).await.map_err(|error| caller.fail(error, &PLAIN))
}

async fn give(web: &Web, known: &Known, text: &str, request: Request<Body>) -> Result<Said, Refused> {
    let caller = known.allowed(CREDENTIALS)?;
    let missing = || caller.refuse(Kind::ResourceNotFound.detail("there is no such account"));
    let id = AccountId::from_str(text).map_err(|_| missing())?;
    let body = json_body(&caller.request, request).await?;
    let until = web.connect.clock().now().after(LINK_WORKS);
    let asked = words::read(&body, id.as_str(), until).map_err(|envelope| caller.refuse(envelope))?;
    web.notice(&asked.unknown);
    if asked.reconnect.is_some() {
        known.allowed(MANAGE)?;
    }
    match web.connect.credentials(&id, asked.fresh).await.map_err(|error| caller.fail(error, &PLAIN))? {
        Ok(given) => {
            let said = words::active(given.account.id.as_str(), &given.account.provider, &given.credentials);
            Ok(Said(said, AuditOutcome::Done, None))
        }
        Err(Missing { account, .. }) if account.status == Status::Connecting => {
            let said = words::pending(account.id.as_str(), &account.provider, account.cause.as_deref());
            Ok(Said(said, AuditOutcome::Withheld, account.cause))
        }
        Err(Missing { account, missing }) => {
            let link = match asked.reconnect {
                Some(link) => Some(mend(web, caller, link).await?),
                None => None,
            };
            let link = link.as_ref().map(|(id, url, expires_at)| words::Mending {
                id,
                url,
                expires_at: *expires_at,
            });
            let (id, cause) = (account.id.as_str(), account.cause.as_deref());
            let said = words::needs_reconnect(id, &account.provider, cause, &missing, link.as_ref());
            Ok(Said(said, AuditOutcome::Withheld, account.cause))
        }
    }
}

/// Makes the link with which the person signs in again.
async fn mend(
    web: &Web,
    caller: &Caller,
    link: LinkRequest,
) -> Result<(String, String, crate::kernel::clock::Millis), Refused> {
    let gone = || caller.fail(Error::NotFound("account"), &PLAIN);
    let new = new_session(link).ok_or_else(gone)?;
    let made = web.connect.create_session(new, None).await.map_err(|error| caller.fail(error, &PLAIN))?;
    let url = format!("{}/connect/{}", web.settings.public_url.origin(), made.secret.reveal());
    Ok((made.session.id.to_string(), url, made.session.expires_at))
}
