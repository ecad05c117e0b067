//! The pages behind the claim: the current step, the wait while an answer is checked, the outcome.

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::http::header::{HeaderName, HeaderValue};
use axum::response::Response;

use super::super::Web;
use super::super::extract::{FormBody, Segment};
use super::super::streams::mark;
use super::browser::Browser;
use super::forms::{Form, Pressed};
use super::show::{Canvas, path, see_other};
use super::{handover, home};
use crate::connect::{Error, SessionView, View};
use crate::contract::{Answer, FieldKind, StepKind};
use crate::kernel::ids::SessionId;
use crate::kernel::words::SessionState;
use crate::pages::{Busy, Page, Problem, ProblemKind, StepPage, Success};

/// Seconds until a page that waits loads itself again.
const REFRESH_SECONDS: u32 = 2;

/// `GET /wizard/{session}`: 200; 403 without the cookie; 404 unknown; 409 taken over; 410 over.
pub(super) async fn show(State(web): State<Web>, browser: Browser, Segment(id): Segment) -> Response {
    let Ok(id) = id.parse::<SessionId>() else {
        return Canvas::new(&web, &browser).failed(&Error::NotFound("session"));
    };
    match web.connect.view(&id, browser.cookie_of(&id).as_deref()).await {
        Ok((session, view)) if refused_inside(&web, &browser, &view) => {
            handover::lead_out(&web, &browser, &session).await
        }
        Ok((session, view)) => draw(&web, &browser, &session, &view),
        Err(error) => failed(&web, &browser, &id, &error).await,
    }
}

/// What a use case could not do for a session, with the way home where this browser may know it.
pub(super) async fn failed(web: &Web, browser: &Browser, id: &SessionId, error: &Error) -> Response {
    let canvas = Canvas::new(web, browser);
    // It is told to nobody but the session's holder.
    if !matches!(error, Error::ProviderUnavailable) {
        return canvas.failed(error);
    }
    let session = web.connect.session(id).await.ok();
    let request = session.as_ref().map(|session| &session.request);
    Canvas { session: Some(id), request, ..canvas }.failed(error)
}

/// Whether the step leads to a provider that would turn this browser away.
fn refused_inside(web: &Web, browser: &Browser, view: &View) -> bool {
    let View::Step { provider, step, .. } = view else { return false };
    let about = web.connect.catalogue().iter().map(|one| one.about()).find(|about| about.slug == *provider);
    let leads_there = step.kind == StepKind::Redirect && about.is_some_and(|about| about.refuses_web_views);
    leads_there && browser.is_inside_an_app()
}

/// Where the browser goes after an answer: straight on to where the step sends it, unless something has to be read
/// first.
pub(super) fn after(id: &SessionId, view: &View) -> String {
    match view {
        View::Step { step, .. } if step.kind == StepKind::Redirect && step.notice.is_none() => {
            format!("{}/leave", path(id))
        }
        _ => path(id),
    }
}

/// `GET /wizard/{session}/leave`: a page that goes on to where the step sends the person; 303 to the session's page
/// where it sends nobody away. With `anyway=yes` it does so in a browser that the provider is likely to turn away, too. The answer to a POST must not redirect to another origin (`form-action`).
pub(super) async fn leave(
    State(web): State<Web>,
    browser: Browser,
    Segment(id): Segment,
    RawQuery(query): RawQuery,
) -> Response {
    let anyway = Form::read(query.unwrap_or_default().as_bytes()).text("anyway") == "yes";
    let Ok(id) = id.parse::<SessionId>() else {
        return Canvas::new(&web, &browser).failed(&Error::NotFound("session"));
    };
    match web.connect.view(&id, browser.cookie_of(&id).as_deref()).await {
        Ok((session, view)) => match &view {
            View::Step { step, .. } if anyway || !refused_inside(&web, &browser, &view) => {
                match step.url.as_deref().filter(|_| step.kind == StepKind::Redirect) {
                    Some(url) => {
                        let request = Some(&session.request);
                        Canvas { session: Some(&id), request, ..Canvas::new(&web, &browser) }.leave(url)
                    }
                    None => see_other(&path(&id), None),
                }
            }
            _ => see_other(&path(&id), None),
        },
        Err(error) => failed(&web, &browser, &id, &error).await,
    }
}

/// `POST /wizard/{session}`: answers the step and goes on to the page; giving up is asked about first.
pub(super) async fn answer(
    State(web): State<Web>,
    browser: Browser,
    Segment(id): Segment,
    FormBody(body): FormBody,
) -> Response {
    let (id, form) = match posted(&web, &browser, &id, &body) {
        Ok(posted) => posted,
        Err(refused) => return refused,
    };
    let version = form.version();
    match form.pressed() {
        Pressed::Cancel => see_other(&cancel_path(&id), None),
        Pressed::Language(tag, typed) => {
            let browser = browser.speaking(&web, &tag);
            match web.connect.view(&id, browser.cookie_of(&id).as_deref()).await {
                Ok((session, mut view)) => {
                    keep_typed(&mut view, version, &typed);
                    draw(&web, &browser, &session, &view)
                }
                Err(error) => failed(&web, &browser, &id, &error).await,
            }
        }
        Pressed::Answer(answer) => {
            let done = web.connect.answer(&id, browser.cookie_of(&id).as_deref(), version, answer).await;
            go_on(&web, &browser, &id, done).await
        }
    }
}

/// `GET /wizard/{session}/cancel`: asks whether to stop, since that ends the link for good.
pub(super) async fn ask_cancel(State(web): State<Web>, browser: Browser, Segment(id): Segment) -> Response {
    let canvas = Canvas::new(&web, &browser);
    let Ok(id) = id.parse::<SessionId>() else { return canvas.failed(&Error::NotFound("session")) };
    match web.connect.view(&id, browser.cookie_of(&id).as_deref()).await {
        Ok((session, View::Step { .. } | View::Busy { .. })) => {
            let (here, stop) = (path(&id), cancel_path(&id));
            let kind = ProblemKind::Cancelling;
            let problem =
                Problem { kind, home_url: None, retry: Some(&here), takeover: Some(&stop), hidden: &[] };
            let canvas = Canvas { session: Some(&id), request: Some(&session.request), ..canvas };
            canvas.page(StatusCode::OK, &Page::Problem(problem))
        }
        Ok(_) => see_other(&path(&id), None),
        Err(error) => failed(&web, &browser, &id, &error).await,
    }
}

/// `POST /wizard/{session}/cancel`: gives up.
pub(super) async fn cancel(
    State(web): State<Web>,
    browser: Browser,
    Segment(id): Segment,
    FormBody(body): FormBody,
) -> Response {
    match posted(&web, &browser, &id, &body) {
        Ok((id, _)) => {
            let done = web.connect.cancel(&id, browser.cookie_of(&id).as_deref()).await;
            go_on(&web, &browser, &id, done).await
        }
        Err(refused) => refused,
    }
}

/// Puts what was typed so far into the step, for a person who chose another language in the middle of it. Passwords
/// are not sent back.
fn keep_typed(view: &mut View, drawn: i64, typed: &Answer) {
    let View::Step { version, step, .. } = view else { return };
    if *version != drawn {
        return;
    }
    for field in &mut step.fields {
        let sent = typed.fields.get(&field.name).map(|text| text.reveal().to_owned());
        match field.kind {
            kind if kind.is_secret() => {}
            // A box that is not ticked is not sent.
            FieldKind::Checkbox => field.value = sent,
            _ => field.value = sent.or_else(|| field.value.take()),
        }
    }
}

/// The session and the form, when the form came from a page of ours.
#[expect(clippy::result_large_err, reason = "the error is the page that is sent")]
fn posted(web: &Web, browser: &Browser, id: &str, body: &[u8]) -> Result<(SessionId, Form), Response> {
    let canvas = Canvas::new(web, browser);
    let Ok(id) = id.parse::<SessionId>() else { return Err(canvas.failed(&Error::NotFound("session"))) };
    let form = Form::read(body);
    if browser.posted_by_us(web, form.text("form"), Some(&id)) {
        return Ok((id, form));
    }
    let retry = path(&id);
    let problem = Problem {
        kind: ProblemKind::CrossSite,
        home_url: None,
        retry: Some(&retry),
        takeover: None,
        hidden: &[],
    };
    Err(canvas.page(StatusCode::FORBIDDEN, &Page::Problem(problem)))
}

async fn go_on(
    web: &Web,
    browser: &Browser,
    id: &SessionId,
    done: Result<(SessionView, View), Error>,
) -> Response {
    match done {
        Ok((_, view)) => see_other(&after(id, &view), None),
        Err(error) => failed(web, browser, id, &error).await,
    }
}

fn cancel_path(id: &SessionId) -> String {
    format!("{}/cancel", path(id))
}

fn draw(web: &Web, browser: &Browser, session: &SessionView, view: &View) -> Response {
    let id = &session.session.id;
    let canvas = Canvas { session: Some(id), request: Some(&session.request), ..Canvas::new(web, browser) };
    let here = path(id);
    match view {
        View::Step { version, provider, step, .. } => {
            let (kind, of, code) = mark(view);
            let (mark, now) = (format!("{kind}.{of}.{code}"), web.connect.clock().now());
            let page = StepPage { action: &here, version: *version, provider, step, mark: &mark, now };
            canvas.page(StatusCode::OK, &Page::Step(page))
        }
        View::Busy { provider, .. } => {
            let mut response = canvas.page(StatusCode::OK, &Page::Busy(Busy { refresh: &here, provider }));
            if let Ok(refresh) = HeaderValue::from_str(&format!("{REFRESH_SECONDS}; url={here}")) {
                response.headers_mut().insert(HeaderName::from_static("refresh"), refresh);
            }
            response
        }
        View::Connected { account, provider, profile, repaired } => {
            let home = home::after_success(&session.request, account);
            match home {
                Some(url) if session.request.bypass_success_screen => canvas.leave(&url),
                home => {
                    let success = Success {
                        label: &profile.label,
                        provider,
                        repaired: *repaired,
                        note: profile.note.as_ref(),
                        continue_url: home.as_deref(),
                    };
                    canvas.page(StatusCode::OK, &Page::Success(success))
                }
            }
        }
        // Nothing is connected yet, so that nothing says so: the person goes straight home.
        View::Finishing { code, .. } => match home::to_finish(&session.request, code) {
            Some(url) => canvas.leave(&url),
            None => canvas.over(SessionState::Failed, None),
        },
        View::Ended { state: SessionState::Cancelled, .. } => {
            match home::after_failure(&session.request, "cancelled") {
                Some(url) => canvas.leave(&url),
                None => canvas.over(SessionState::Cancelled, None),
            }
        }
        View::Ended { state, cause } => canvas.over(*state, cause.as_deref()),
        // It was this browser's until another one took it over.
        View::NotYours { state: SessionState::Open } if browser.knew(id) => {
            Canvas { request: None, ..canvas }.problem(StatusCode::CONFLICT, ProblemKind::MovedOn, "")
        }
        // Over, or somebody else's: without the cookie nothing more is said than that.
        View::NotYours { state: SessionState::Open } => {
            Canvas { request: None, ..canvas }.problem(StatusCode::FORBIDDEN, ProblemKind::CookieMissing, "")
        }
        View::NotYours { state } => Canvas { request: None, ..canvas }.over(*state, None),
    }
}
