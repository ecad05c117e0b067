//! The steps API: the wizard for products that draw their own screens. The backend starts a session with its key
//! and gets a token that holds it, as a browser's cookie does; with the token the steps are read and answered.
//! It and the wizard are two mouths on one engine.

mod events;

use axum::Router;
use axum::body::Body;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::StatusCode;
use axum::http::header::{
    ACCEPT_LANGUAGE, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_MAX_AGE, HeaderValue, VARY,
};
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::Value;

use super::Web;
use super::api::{Caller, PLAIN, Refused, bearer, envelope, json_body, refused, reply};
use super::extract::Segment;
use super::front::{OurHost, RequestId};
use super::repeats::{self, Way};
use crate::connect::{CHOOSING, Claim, Door, Error, SessionView, Standing, View};
use crate::contract::{Step, StepKind};
use crate::dialects::envelope::Kind;
use crate::dialects::steps::{self as words, Seen, Shown};
use crate::kernel::ids::SessionId;
use crate::kernel::random::hash;

type Answer = Result<Response, Refused>;

pub(super) fn routes() -> Router<Web> {
    // A page of the product's may call these itself: what counts is the token, which no browser sends by itself.
    let held = Router::new()
        .route("/v1/steps/{session}", get(read).options(may_ask))
        .route("/v1/steps/{session}/answer", post(answer).options(may_ask))
        .route("/v1/steps/{session}/cancel", post(cancel).options(may_ask))
        .route("/v1/steps/{session}/events", get(events::stream).options(may_ask))
        .layer(axum::middleware::from_fn(any_origin));
    Router::new().route("/v1/steps/{session}/start", post(start)).merge(held)
}

/// Lets pages of any origin read the answers (the Fetch standard's CORS protocol).
async fn any_origin(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    response.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    response
}

/// What a browser asks before a page of another origin may send its token.
async fn may_ask() -> Response {
    let headers = [
        (ACCESS_CONTROL_ALLOW_HEADERS, "authorization, content-type, accept-language"),
        (ACCESS_CONTROL_ALLOW_METHODS, "GET, POST"),
        (ACCESS_CONTROL_MAX_AGE, "600"),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}

/// Whoever holds a session: its id and the token, checked by the use case that is called with them.
pub(super) struct Holder {
    request: RequestId,
    id: SessionId,
    token: String,
    locale: String,
    /// The host it came for, in the configured spelling.
    host: String,
}

impl FromRequestParts<Web> for Holder {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Refused> {
        let request = parts.extensions.get::<RequestId>().cloned().unwrap_or(RequestId(String::new()));
        let Ok(Segment(id)) = Segment::from_request_parts(parts, web).await;
        let Some(token) = bearer(&parts.headers) else {
            let detail = "send the token that the session was started with, as Authorization: Bearer";
            return Err(refused(Some(&request), Kind::MissingCredentials.detail(detail)));
        };
        // An id that cannot be is told like one that is not held: who has no token learns nothing.
        let id = id.parse().map_err(|_| refused(Some(&request), words::not_held()))?;
        Ok(Self { request, id, token, locale: locale(web, parts), host: host(parts) })
    }
}

impl Holder {
    fn fail(&self, error: Error) -> Refused {
        let envelope = match error {
            Error::NotFound("session") => words::not_held(),
            error => envelope(error, &PLAIN, &self.request),
        };
        refused(Some(&self.request), envelope)
    }

    /// What this holder sees, as words; `None` when the token does not hold the session.
    async fn words(&self, web: &Web, session: &SessionView, view: &View) -> Result<Option<Value>, Error> {
        let step;
        let shown = match view {
            View::Step { version, provider, step: asked, .. } => {
                let Some(led) = self.led(web, asked).await? else { return Ok(None) };
                step = led;
                Shown::Step { provider: chosen(provider), version: *version, step: &step }
            }
            View::Busy { provider, .. } => Shown::Checking { provider: chosen(provider) },
            View::Connected { account, provider, profile, repaired } => {
                Shown::Connected { account: account.as_str(), provider, profile, repaired: *repaired }
            }
            View::Finishing { provider, code, until } => {
                Shown::Finishing { provider, code: code.reveal(), until: *until }
            }
            View::Ended { cause, .. } => Shown::Ended { cause: cause.as_deref() },
            View::NotYours { .. } => return Ok(None),
        };
        let seen = Seen {
            session: session.session.id.as_str(),
            state: session.state,
            expires_at: session.session.expires_at,
            view: shown,
        };
        Ok(Some(words::session(&seen, |text| web.pages.text(&self.locale, text))))
    }

    /// The step, with the way to where it leads. A browser that goes to a provider's pages comes back to this server,
    /// and must hold the session by then, so it is handed over to it on the way there. `None` when the token does not
    /// hold the session any more.
    async fn led(&self, web: &Web, step: &Step) -> Result<Option<Step>, Error> {
        let mut step = step.clone();
        if step.kind == StepKind::Redirect {
            let Some(token) = web.connect.hand_over(&self.id, Some(&self.token)).await? else {
                return Ok(None);
            };
            step.url = Some(format!("{}/handover/{token}", web.settings.public_url.origin_of(&self.host)));
        }
        Ok(Some(step))
    }

    /// The same; a refusal when the token does not hold the session.
    async fn seen(&self, web: &Web, session: &SessionView, view: &View) -> Result<Value, Refused> {
        let seen = self.words(web, session, view).await.map_err(|error| self.fail(error))?;
        seen.ok_or_else(|| refused(Some(&self.request), words::not_held()))
    }

    async fn reply(&self, web: &Web, (session, view): &(SessionView, View)) -> Answer {
        let mut response = reply(StatusCode::OK, &self.seen(web, session, view).await?);
        response.headers_mut().insert(VARY, HeaderValue::from_static("accept-language"));
        Ok(response)
    }
}

fn locale(web: &Web, parts: &Parts) -> String {
    let languages = parts.headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    web.pages.locale(languages).to_owned()
}

fn host(parts: &Parts) -> String {
    parts.extensions.get::<OurHost>().map(|host| host.0.clone()).unwrap_or_default()
}

/// The provider, once there is one.
fn chosen(provider: &str) -> Option<&str> {
    Some(provider).filter(|slug| *slug != CHOOSING)
}

/// `POST /v1/steps/{session}/start`: 201; 404 unknown; 409 held elsewhere; 410 over.
async fn start(State(web): State<Web>, caller: Caller, request: Request<Body>) -> Answer {
    let (mut parts, body) = request.into_parts();
    let Ok(Segment(id)) = Segment::from_request_parts(&mut parts, &web).await;
    let missing = |caller: &Caller| caller.refuse(Kind::ResourceNotFound.detail("there is no such session"));
    let id: SessionId = id.parse().map_err(|_| missing(&caller))?;
    let (host, locale) = (host(&parts), locale(&web, &parts));
    // Started twice under one idempotency key is started once: the token is made from it, so it comes again.
    let key = repeats::key(&caller, &parts.headers)?;
    let before = key.as_ref().map(|key| hash(&format!("start:{}:{key}", caller.key)));
    let request = Request::from_parts(parts, body);
    let (web, caller, id) = (&web, &caller, &id);
    let (host, locale, before) = (&*host, &*locale, before.as_deref());
    repeats::once(web, caller, key, request, StatusCode::CREATED, |body, way| async move {
        let (takeover, unknown) = words::read_start(&body).map_err(|envelope| caller.refuse(envelope))?;
        web.notice(&unknown);
        // A start that comes again gets its token again while it holds the session, and takes it from nobody.
        let takeover = takeover && !matches!(way, Way::Again);
        let claimed = web.connect.claim(Door::Id(id), |_| None, before, takeover, host).await;
        let claimed = claimed.map_err(|error| match error {
            Error::NotFound("link") => missing(caller),
            error => caller.fail(error, &PLAIN),
        })?;
        let token = match claimed {
            Claim::Held { cookie: Some(token), .. } => token,
            // Without a cookie to show nobody holds the session already.
            Claim::Held { cookie: None, .. } => {
                return Err(caller.fail(Error::Conflict, &PLAIN));
            }
            Claim::Refused(look) => return Err(caller.refuse(not_had(look.standing))),
        };
        let holder = Holder {
            request: caller.request.clone(),
            id: id.clone(),
            token: token.reveal().to_owned(),
            locale: locale.to_owned(),
            host: host.to_owned(),
        };
        let fail = |error| caller.fail(error, &PLAIN);
        let (session, view) = web.connect.view(id, Some(&holder.token)).await.map_err(fail)?;
        let view = holder.words(web, &session, &view).await.map_err(fail)?;
        let view = view.ok_or_else(|| caller.refuse(not_had(Standing::Elsewhere { busy: false })))?;
        if let Some(turn) = way.turn() {
            web.connect.finish_turn(turn, id).await.map_err(fail)?;
        }
        Ok(reply(StatusCode::CREATED, &words::started(token.reveal(), view)))
    })
    .await
}

/// Why a session could not be begun.
pub(super) fn not_had(standing: Standing) -> crate::dialects::envelope::Envelope {
    match standing {
        Standing::Ended { state, .. } => Kind::SessionEnded
            .detail(format!("the session has ended ({state}); make a new one and start that")),
        Standing::Elsewhere { busy: true } => Kind::SessionHeld
            .detail("an answer is being checked for whoever holds the session; try again in a moment"),
        Standing::MovedTooOften => Kind::SessionHeld.detail(
            "the session has moved too often and stays where it is; make a new one and start that",
        ),
        Standing::Unclaimed | Standing::Mine | Standing::Begun | Standing::Elsewhere { busy: false } => {
            Kind::SessionHeld.detail(
                "somebody holds the session already; to begin again here, and end it there, send \"takeover\": true",
            )
        }
    }
}

/// `GET /v1/steps/{session}`: 200; 401 when the token does not hold the session.
async fn read(State(web): State<Web>, holder: Holder) -> Answer {
    let seen = web.connect.view(&holder.id, Some(&holder.token)).await;
    holder.reply(&web, &seen.map_err(|error| holder.fail(error))?).await
}

/// `POST /v1/steps/{session}/answer`: 200 with what is to be shown now, also when the step has passed.
async fn answer(State(web): State<Web>, holder: Holder, request: Request<Body>) -> Answer {
    let body = json_body(&holder.request, request).await?;
    let (version, answer, unknown) =
        words::read_answer(&body).map_err(|envelope| refused(Some(&holder.request), envelope))?;
    web.notice(&unknown);
    let done = web.connect.answer(&holder.id, Some(&holder.token), version, answer).await;
    holder.reply(&web, &done.map_err(|error| holder.fail(error))?).await
}

/// `POST /v1/steps/{session}/cancel`: 200 with how it ended; giving up twice is fine.
async fn cancel(State(web): State<Web>, holder: Holder) -> Answer {
    let done = web.connect.cancel(&holder.id, Some(&holder.token)).await;
    holder.reply(&web, &done.map_err(|error| holder.fail(error))?).await
}
