//! The link's first page: who asks, and a button. The page spends nothing; the button claims the session.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::super::Web;
use super::super::extract::{FormBody, Segment};
use super::browser::Browser;
use super::forms::Form;
use super::show::{Canvas, path, see_other};
use crate::connect::{Claim, Door, Look, Standing};
use crate::pages::{Page, Problem, ProblemKind, Welcome};

/// `GET /connect/{secret}`: 200, 404 unknown, 409 open elsewhere, 410 over.
pub(super) async fn show(State(web): State<Web>, browser: Browser, Segment(secret): Segment) -> Response {
    match web.connect.look(Door::Link(&secret), |id| browser.cookie_of(id), browser.before()).await {
        Ok(look) => draw(&web, &browser, &secret, &look),
        Err(error) => Canvas { web: &web, browser: &browser, session: None, request: None }.failed(&error),
    }
}

/// `POST /connect/{secret}`: claims the session for this browser and goes on to its first step.
pub(super) async fn claim(
    State(web): State<Web>,
    browser: Browser,
    Segment(secret): Segment,
    FormBody(body): FormBody,
) -> Response {
    let form = Form::read(&body);
    let canvas = Canvas { web: &web, browser: &browser, session: None, request: None };
    if !browser.posted_by_us(&web, form.text("form"), None) {
        let retry = format!("/connect/{secret}");
        let problem =
            Problem { kind: ProblemKind::CrossSite, home_url: None, retry: Some(&retry), takeover: None };
        return canvas.page(StatusCode::FORBIDDEN, &Page::Problem(problem));
    }
    let takeover = form.text("takeover") == "yes";
    let cookie_of = |id: &_| browser.cookie_of(id);
    match web.connect.claim(Door::Link(&secret), cookie_of, browser.before(), takeover, &browser.host).await {
        Ok(Claim::Held { id, cookie, expires_at }) => {
            let now = web.connect.clock().now();
            let cookie = cookie.and_then(|cookie| browser.set_cookie(&id, &cookie, expires_at, now));
            see_other(&path(&id), cookie)
        }
        Ok(Claim::Refused(look)) => draw(&web, &browser, &secret, &look),
        Err(error) => {
            // The way home is known wherever the link is.
            let look =
                web.connect.look(Door::Link(&secret), |id| browser.cookie_of(id), browser.before()).await;
            let view = look.as_ref().ok().map(|look| &look.view);
            let (session, request) = (view.map(|view| &view.session.id), view.map(|view| &view.request));
            Canvas { session, request, ..canvas }.failed(&error)
        }
    }
}

fn draw(web: &Web, browser: &Browser, secret: &str, look: &Look) -> Response {
    let (session, request) = (&look.view.session, &look.view.request);
    let canvas = Canvas { web, browser, session: None, request: Some(request) };
    let action = format!("/connect/{secret}");
    let elsewhere = |kind, takeover: Option<&str>| {
        // Looking again may help where waiting does; where the person can go on at once, it only distracts.
        let retry = takeover.is_none().then_some(action.as_str());
        let problem = Problem { kind, home_url: None, retry, takeover };
        canvas.page(StatusCode::CONFLICT, &Page::Problem(problem))
    };
    match look.standing {
        Standing::Unclaimed | Standing::Begun => {
            let provider = match session.providers.as_slice() {
                [only] => Some(only.as_str()),
                _ => None,
            };
            let welcome = Welcome {
                action: &action,
                user_label: request.user_label.as_deref(),
                provider,
                account: look.account.as_deref(),
            };
            canvas.page(StatusCode::OK, &Page::Welcome(welcome))
        }
        Standing::Mine | Standing::Ended { mine: true, .. } => see_other(&path(&session.id), None),
        Standing::Elsewhere { busy: true } => elsewhere(ProblemKind::OpenElsewhereBusy, None),
        Standing::Elsewhere { busy: false } => elsewhere(ProblemKind::OpenElsewhere, Some(action.as_str())),
        Standing::MovedTooOften => elsewhere(ProblemKind::TooManyTakeovers, None),
        Standing::Ended { state, mine: false } => {
            Canvas { session: Some(&session.id), ..canvas }.over(state, session.cause.as_deref())
        }
    }
}
