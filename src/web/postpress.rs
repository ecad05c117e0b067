//! The postpress dialect's routes, under `/v1` and `/api/v1`.

use std::collections::HashMap;

use axum::Router;
use axum::body::Body;
use axum::extract::{Query, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use serde_json::Value;

use super::Web;
use super::api::{Caller, Refused, Spelling, health, json_body, reply};
use super::extract::Segment;
use super::repeats;
use super::webhooks;
use crate::connect::{AccountView, CreatedSession, Error, Goal, NewSession, SessionView};
use crate::dialects::envelope::Kind;
use crate::dialects::postpress::{self as words, LinkGoal, LinkRequest};
use crate::kernel::ids::{AccountId, SessionId};
use crate::kernel::reference::Reference;
use crate::kernel::words::Dialect;

pub(super) type Answer = Result<Response, Refused>;
pub(super) type Params = Query<HashMap<String, String>>;

pub(super) fn routes() -> Router<Web> {
    let api = |object: &'static str| {
        let create = move |web: State<Web>, caller: Caller, request: Request| {
            create_link(web, caller, request, object)
        };
        Router::new()
            .route("/hosted/accounts/link", post(create).get(list_links))
            .route("/hosted/accounts/link/{id}", get(read_link).delete(cancel_link))
            .route("/hosted/accounts/link/{id}/finish", post(finish))
            .route("/hosted/accounts/link/{id}/events", get(link_events))
            .route("/accounts", get(list_accounts).post(not_served))
            .route(
                "/accounts/{id}",
                get(read_account).delete(delete_account).post(not_served).patch(not_served),
            )
            .route("/accounts/checkpoint", post(not_served))
            .route("/accounts/checkpoint/resend", post(not_served))
            .route("/accounts/{id}/sync", get(not_served))
            .route("/accounts/{id}/restart", post(not_served))
    };
    // Each family of clients checks its own spelling of the object.
    Router::new()
        .nest("/v1", api("HostedAuthURL"))
        .nest("/api/v1", api("HostedAuthUrl"))
        .merge(webhooks::routes())
}

/// The dialect's spelling of the core's words.
pub(super) const SPELLING: Spelling = Spelling {
    field: |name| match name {
        "expires_at" => "expiresOn",
        "account" => "reconnect_account",
        "url" => "request_url",
        "accounts" => "account_ids",
        "endpoint" => "id",
        other => other,
    },
    provider: words::link_tag,
};

async fn create_link(
    State(web): State<Web>,
    caller: Caller,
    request: Request<Body>,
    object: &'static str,
) -> Answer {
    let (web, caller) = (&web, &caller);
    let key = repeats::key(caller, request.headers())?;
    repeats::once(web, caller, key, request, StatusCode::CREATED, |body, way| async move {
        let asked = words::read_link(&body).map_err(|envelope| caller.refuse(envelope))?;
        web.notice(&asked.unknown);
        let new = new_session(asked).ok_or_else(|| {
            caller.refuse(
                Kind::ResourceNotFound.detail("reconnect_account names no account: there is no such account"),
            )
        })?;
        let reply = |created: &CreatedSession| {
            let url = format!("{}/connect/{}", web.settings.public_url.origin(), created.secret.reveal());
            let session = &created.session;
            words::link_created(object, &url, session.id.as_str(), session.expires_at)
        };
        repeats::create(web, caller, new, way.turn(), (StatusCode::CREATED, &SPELLING), &reply).await
    })
    .await
}

/// What a read request asks the use case for; `None` when the account to repair cannot exist.
pub fn new_session(asked: LinkRequest) -> Option<NewSession> {
    let goal = match asked.goal {
        LinkGoal::Create { providers, explicit } => Goal::Create { providers, explicit },
        LinkGoal::Reconnect(id) => Goal::Reconnect(id.parse().ok()?),
    };
    let request = crate::connect::Request {
        name: asked.name,
        user_label: asked.user_label,
        email: asked.email,
        notify_url: asked.notify_url,
        success_redirect_url: asked.success_redirect_url,
        failure_redirect_url: asked.failure_redirect_url,
        bypass_success_screen: asked.bypass_success_screen,
        force_consent: false,
        require_finish: asked.require_finish,
    };
    let (dialect, told) = (Dialect::Postpress, words::TOLD.to_vec());
    Some(NewSession { dialect, goal, expires_at: asked.expires_at, told, request })
}

async fn list_links(State(web): State<Web>, caller: Caller, Query(params): Params) -> Answer {
    if let Some(text) = params.get("reference") {
        let found = quoted(&web, &caller, text).await?;
        return Ok(reply(StatusCode::OK, &words::link_list(found.iter().map(link).collect(), Value::Null)));
    }
    let page = page(&caller, &params)?;
    let name = params.get("name").map(String::as_str);
    let found = web.connect.sessions(Some(Dialect::Postpress), name, page.last_id, page.limit).await;
    let mut found = found.map_err(|error| caller.fail(error, &SPELLING))?;
    let cursor = words::next_cursor(&mut found, page.limit, |view| view.session.id.to_string());
    Ok(reply(StatusCode::OK, &words::link_list(found.iter().map(link).collect(), cursor)))
}

/// The session whose person quotes this reference, of either dialect: support has nothing else at hand.
pub(super) async fn quoted(web: &Web, caller: &Caller, text: &str) -> Result<Option<SessionView>, Refused> {
    let Some(reference) = Reference::parse(text) else {
        let detail = "reference must be what a page showed, such as 7Q4K-M2XD";
        return Err(caller.refuse(Kind::InvalidParameters.detail(detail)));
    };
    match web.connect.session_by_reference(&reference).await {
        Ok(view) => Ok(Some(view)),
        Err(Error::NotFound(_)) => Ok(None),
        Err(error) => Err(caller.fail(error, &SPELLING)),
    }
}

async fn read_link(State(web): State<Web>, caller: Caller, Segment(id): Segment) -> Answer {
    let id = session_id(&caller, &id)?;
    let view = web.connect.session(&id).await.map_err(|error| caller.fail(error, &SPELLING))?;
    Ok(reply(StatusCode::OK, &link(&view)))
}

async fn cancel_link(State(web): State<Web>, caller: Caller, Segment(id): Segment) -> Answer {
    let id = session_id(&caller, &id)?;
    let view = web.connect.revoke_session(&id).await.map_err(|error| caller.fail(error, &SPELLING))?;
    Ok(reply(StatusCode::OK, &words::link_cancelled(view.session.id.as_str())))
}

/// Redeems the code that the browser brought: 200; 422 when it was redeemed before or ran out.
async fn finish(
    State(web): State<Web>,
    caller: Caller,
    Segment(id): Segment,
    request: Request<Body>,
) -> Answer {
    let id = session_id(&caller, &id)?;
    let body = json_body(&caller.request, request).await?;
    let (code, unknown) = words::read_finish(&body).map_err(|envelope| caller.refuse(envelope))?;
    web.notice(&unknown);
    let done = web.connect.finish(&id, code.reveal()).await;
    let done = done.map_err(|error| caller.fail(error, &SPELLING))?;
    let said = words::finished(id.as_str(), done.account.as_str(), done.repaired, done.name.as_deref());
    Ok(reply(StatusCode::OK, &said))
}

/// What happened in a link, with the reference that its pages showed the person to quote.
async fn link_events(State(web): State<Web>, caller: Caller, Segment(id): Segment) -> Answer {
    let id = session_id(&caller, &id)?;
    let view = web.connect.session(&id).await.map_err(|error| caller.fail(error, &SPELLING))?;
    let events = web.connect.timeline(&id).await.map_err(|error| caller.fail(error, &SPELLING))?;
    let items = events.iter().map(|event| words::link_event(event.kind, event.at, &event.facts)).collect();
    let reference = Reference::of_session(&view.session.id).to_string();
    Ok(reply(StatusCode::OK, &words::link_events(id.as_str(), &reference, items)))
}

async fn list_accounts(State(web): State<Web>, caller: Caller, Query(params): Params) -> Answer {
    let page = page(&caller, &params)?;
    let name = params.get("name").map(String::as_str);
    let found = web.connect.accounts(name, page.last_id, page.limit).await;
    let mut found = found.map_err(|error| caller.fail(error, &SPELLING))?;
    let cursor = words::next_cursor(&mut found, page.limit, |account| account.id.to_string());
    Ok(reply(StatusCode::OK, &words::account_list(found.iter().map(account).collect(), cursor)))
}

async fn read_account(State(web): State<Web>, caller: Caller, Segment(id): Segment) -> Answer {
    let id = account_id(&caller, &id)?;
    let view = web.connect.account(&id).await.map_err(|error| caller.fail(error, &SPELLING))?;
    Ok(reply(StatusCode::OK, &account(&view)))
}

async fn delete_account(State(web): State<Web>, caller: Caller, Segment(id): Segment) -> Answer {
    let id = account_id(&caller, &id)?;
    web.connect.delete_account(&id).await.map_err(|error| caller.fail(error, &SPELLING))?;
    Ok(reply(StatusCode::OK, &words::account_deleted()))
}

/// A documented route of the original API that this server does not serve.
async fn not_served(caller: Caller) -> Refused {
    caller.refuse(
        Kind::FeatureNotImplemented.detail("this route of the original API is not served by this version"),
    )
}

pub(super) fn page(caller: &Caller, params: &HashMap<String, String>) -> Result<words::Page, Refused> {
    let text = |name: &str| params.get(name).map(String::as_str);
    words::read_page(text("limit"), text("cursor")).map_err(|envelope| caller.refuse(envelope))
}

fn session_id(caller: &Caller, text: &str) -> Result<SessionId, Refused> {
    text.parse().map_err(|_| caller.refuse(Kind::ResourceNotFound.detail("there is no such link")))
}

fn account_id(caller: &Caller, text: &str) -> Result<AccountId, Refused> {
    text.parse().map_err(|_| caller.refuse(Kind::ResourceNotFound.detail("there is no such account")))
}

fn link(view: &SessionView) -> Value {
    let session = &view.session;
    words::link(&words::LinkWords {
        id: session.id.as_str(),
        purpose: session.purpose.as_str(),
        state: view.state,
        cause: session.cause.as_deref(),
        account_id: session.account_id.as_ref().map(AccountId::as_str),
        name: view.request.name.as_deref(),
        providers: &session.providers,
        created_at: session.created_at,
        opened_at: session.claimed_at,
        expires_at: session.expires_at,
        ended_at: session.ended_at,
    })
}

fn account(view: &AccountView) -> Value {
    words::account(&words::AccountWords {
        id: view.id.as_str(),
        provider: &view.provider,
        status: view.status,
        cause: view.cause.as_deref(),
        health: health(view),
        link_name: view.name.as_deref(),
        identity: &view.identity,
        profile: &view.profile,
        created_at: view.created_at,
    })
}

impl Web {
    /// Says once for each field name that it means nothing here: usually a misspelling.
    pub(super) fn notice(&self, unknown: &[String]) {
        const MOST: usize = 200;
        let Ok(mut noticed) = self.noticed.lock() else { return };
        for name in unknown {
            let short: String = name.chars().take(60).collect();
            if noticed.len() < MOST && noticed.insert(short.clone()) {
                tracing::warn!(field = short, "a request has a field that means nothing here; it is ignored");
            }
        }
    }
}
