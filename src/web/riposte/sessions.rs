//! Sessions: making, reading, listing, taking back, and beginning one in the caller's browser.

use std::collections::{BTreeMap, HashMap};

use axum::body::Body;
use axum::extract::{Query, Request, State};
use axum::http::StatusCode;
use axum::http::header::SET_COOKIE;
use serde_json::Value;

use super::super::Web;
use super::super::api::{Caller, envelope, json_body, refused, reply};
use super::super::extract::Segment;
use super::super::postpress::quoted;
use super::super::repeats;
use super::super::steps::not_had;
use super::super::wizard::Browser;
use super::{Answer, Params, SPELLING, paged};
use crate::connect::{Claim, CreatedSession, Door, Error, Goal, NewSession, SessionView, View};
use crate::contract::{Action, Answer as Given, StepKind};
use crate::dialects::envelope::Kind;
use crate::dialects::riposte as words;
use crate::kernel::clock::Millis;
use crate::kernel::ids::{AccountId, SessionId};
use crate::kernel::reference::Reference;
use crate::kernel::words::{Dialect, Purpose};

/// `POST /auth/sessions`: 200 with the person's link.
pub(super) async fn create(State(web): State<Web>, caller: Caller, request: Request<Body>) -> Answer {
    let (web, caller) = (&web, &caller);
    let key = repeats::key(caller, request.headers())?;
    repeats::once(web, caller, key, request, StatusCode::OK, |body, way| async move {
        let asked = words::read_session(&body).map_err(|envelope| caller.refuse(envelope))?;
        web.notice(&asked.unknown);
        let (named, email) =
            (asked.explicit.then(|| asked.providers.first().cloned()).flatten(), asked.email.clone());
        let reply = |created: &CreatedSession| {
            let (session, origin) = (&created.session, web.settings.public_url.origin());
            let secret = created.secret.reveal();
            let url = format!("{origin}/auth/authorize?session={}&state={secret}", session.id);
            let (named, email) = (named.as_deref(), email.as_deref());
            words::session_created(session.id.as_str(), &url, session.expires_at, named, email)
        };
        let new = new_session(web, asked);
        repeats::create(web, caller, new, way.turn(), (StatusCode::OK, &SPELLING), &reply).await
    })
    .await
}

/// What a read request asks the use case for.
fn new_session(web: &Web, asked: words::SessionRequest) -> NewSession {
    let request = crate::connect::Request {
        name: asked.custom_user_id,
        user_label: asked.user_label,
        email: asked.email,
        notify_url: asked.notify_url,
        success_redirect_url: Some(asked.redirect_uri.clone()),
        failure_redirect_url: Some(asked.redirect_uri),
        bypass_success_screen: true,
        force_consent: asked.force_consent,
        require_finish: asked.require_finish,
    };
    NewSession {
        dialect: Dialect::Riposte,
        goal: Goal::Create { providers: asked.providers, explicit: asked.explicit },
        expires_at: Millis(web.connect.clock().now().0.saturating_add(asked.lives)),
        told: words::TOLD.to_vec(),
        request,
    }
}

/// `GET /auth/sessions`: newest first, `page`, `limit`, `customUserId`.
pub(super) async fn list(State(web): State<Web>, caller: Caller, Query(params): Params) -> Answer {
    if let Some(text) = params.get("reference") {
        let found = quoted(&web, &caller, text).await?;
        let (told, _) = paged(&caller, &HashMap::new())?;
        let total = i64::from(found.is_some());
        return Ok(reply(
            StatusCode::OK,
            &words::session_list(found.iter().map(session).collect(), told, total),
        ));
    }
    let (told, page) = paged(&caller, &params)?;
    let name = params.get("customUserId").map(String::as_str);
    let (found, total) = web
        .connect
        .session_page(Dialect::Riposte, name, page)
        .await
        .map_err(|error| caller.fail(error, &SPELLING))?;
    Ok(reply(StatusCode::OK, &words::session_list(found.iter().map(session).collect(), told, total)))
}

/// `GET /auth/sessions/{code}`.
pub(super) async fn read(State(web): State<Web>, caller: Caller, Segment(code): Segment) -> Answer {
    let id = id(&code).ok_or_else(|| caller.refuse(missing()))?;
    let view = web.connect.session(&id).await.map_err(|error| caller.fail(error, &SPELLING))?;
    Ok(reply(StatusCode::OK, &session(&view)))
}

/// `GET /auth/sessions/{code}/events`: what happened in it, with the reference that its pages showed the person to quote.
pub(super) async fn story(State(web): State<Web>, caller: Caller, Segment(code): Segment) -> Answer {
    let id = id(&code).ok_or_else(|| caller.refuse(missing()))?;
    let view = web.connect.session(&id).await.map_err(|error| caller.fail(error, &SPELLING))?;
    let events = web.connect.timeline(&id).await.map_err(|error| caller.fail(error, &SPELLING))?;
    let items = events.iter().map(|event| words::session_event(event.kind, event.at, &event.facts)).collect();
    let reference = Reference::of_session(&view.session.id).to_string();
    Ok(reply(StatusCode::OK, &words::session_events(id.as_str(), &reference, items)))
}

/// `DELETE /auth/sessions/{code}`: takes the link back.
pub(super) async fn cancel(State(web): State<Web>, caller: Caller, Segment(code): Segment) -> Answer {
    let id = id(&code).ok_or_else(|| caller.refuse(missing()))?;
    let view = web.connect.revoke_session(&id).await.map_err(|error| caller.fail(error, &SPELLING))?;
    Ok(reply(StatusCode::OK, &words::session_cancelled(view.session.id.as_str())))
}

/// `POST /auth/sessions/{code}/finish`: redeems the code that the browser brought.
pub(super) async fn finish(
    State(web): State<Web>,
    caller: Caller,
    Segment(code): Segment,
    request: Request<Body>,
) -> Answer {
    let id = id(&code).ok_or_else(|| caller.refuse(missing()))?;
    let body = json_body(&caller.request, request).await?;
    let (proof, unknown) = words::read_finish(&body).map_err(|envelope| caller.refuse(envelope))?;
    web.notice(&unknown);
    let done = web.connect.finish(&id, proof.reveal()).await;
    let done = done.map_err(|error| caller.fail(error, &SPELLING))?;
    let said = words::session_finished(id.as_str(), done.account.as_str(), done.name.as_deref());
    Ok(reply(StatusCode::OK, &said))
}

/// `POST /auth/sessions/{code}/start`: a claim for the caller's browser, keyed by session and state. Its reply sets
/// the cookie and says where to go on. A backend that calls it has the cookie, and its person's browser has not.
pub(super) async fn start(
    State(web): State<Web>,
    browser: Browser,
    Segment(code): Segment,
    request: Request<Body>,
) -> Answer {
    let request_id = browser.request.clone();
    let refuse = |envelope| refused(Some(&request_id), envelope);
    if !browser.is_no_stranger(&web) {
        let detail = "this call must come from a page of this server, or from no page at all";
        return Err(refuse(Kind::InsufficientPrivileges.detail(detail)));
    }
    let body = json_body(&request_id, request).await?;
    let asked = words::read_start(&body).map_err(refuse)?;
    web.notice(&asked.unknown);
    let id = id(&code).ok_or_else(|| refuse(missing()))?;
    let door = Door::Pair(&id, &asked.state);
    let fail = |error| match error {
        Error::NotFound("link") => refuse(missing()),
        error => refuse(envelope(error, &SPELLING, &request_id)),
    };
    let cookie_of = |id: &_| browser.cookie_of(id);
    let look = web.connect.look(door, cookie_of, browser.before()).await.map_err(fail)?;
    if !look.view.session.providers.contains(&asked.provider) {
        let detail = format!(
            "provider {} is not among those this session can connect",
            words::provider_name(&asked.provider)
        );
        return Err(refuse(Kind::InvalidParameters.detail(detail)));
    }
    let claim = web.connect.claim(door, cookie_of, browser.before(), asked.takeover, &browser.host).await;
    match claim.map_err(fail)? {
        Claim::Held { id, cookie, expires_at } => {
            let held =
                cookie.as_ref().map(|cookie| cookie.reveal().to_owned()).or_else(|| browser.cookie_of(&id));
            let begun = begin(&web, &id, held.as_deref(), cookie.is_some(), &asked).await.map_err(fail)?;
            let url = begun.unwrap_or_else(|| format!("{}/wizard/{id}", web.settings.public_url.origin()));
            let mut response = reply(StatusCode::OK, &words::started(&url, &asked.provider, expires_at));
            let now = web.connect.clock().now();
            let set = cookie.and_then(|cookie| browser.set_cookie(&id, &cookie, expires_at, now));
            if let Some(set) = set {
                response.headers_mut().append(SET_COOKIE, set);
            }
            Ok(response)
        }
        Claim::Refused(look) => Err(refuse(not_had(look.standing))),
    }
}

/// Brings a session that was just claimed to the provider asked for, with the address. Gives where the provider's own
/// pages begin, where it has some; otherwise the person goes on with ours.
async fn begin(
    web: &Web,
    id: &SessionId,
    held: Option<&str>,
    fresh: bool,
    asked: &words::StartRequest,
) -> Result<Option<String>, Error> {
    let (session, view) = web.connect.view(id, held).await?;
    let View::Step { version, provider, step, .. } = view else { return Ok(None) };
    let creates = session.session.purpose == Purpose::Create;
    let is_redirect = step.kind == StepKind::Redirect;
    let email = asked.email.as_deref();
    let seen = if provider != asked.provider || (creates && is_redirect && email.is_some()) {
        web.connect.take_provider(id, held, version, &asked.provider, email).await?.1
    } else if is_redirect && !fresh {
        // The address that stands may have been used.
        let answer = Given { action: Action::Submit, fields: BTreeMap::new() };
        web.connect.answer(id, held, version, answer).await?.1
    } else {
        if let Some(email) = email {
            web.connect.offer_address(id, held, email).await?;
        }
        web.connect.view(id, held).await?.1
    };
    Ok(match seen {
        View::Step { step, .. } if step.kind == StepKind::Redirect => step.url,
        _ => None,
    })
}

fn id(code: &str) -> Option<SessionId> {
    code.parse().ok()
}

fn missing() -> crate::dialects::envelope::Envelope {
    Kind::ResourceNotFound.detail("there is no such session")
}

fn session(view: &SessionView) -> Value {
    let session = &view.session;
    words::session(&words::SessionWords {
        code: session.id.as_str(),
        state: view.state,
        cause: session.cause.as_deref(),
        provider: session.provider.as_deref(),
        email: view.request.email.as_deref(),
        custom_user_id: view.request.name.as_deref(),
        redirect_uri: view.request.success_redirect_url.as_deref(),
        account_id: session.account_id.as_ref().map(AccountId::as_str),
        created_at: session.created_at,
        opened_at: session.claimed_at,
        expires_at: session.expires_at,
        ended_at: session.ended_at,
    })
}
