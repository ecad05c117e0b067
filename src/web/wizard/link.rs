//! The link's first page: who asks, and a button. The page spends nothing; the button claims the session.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::super::Web;
use super::super::extract::{FormBody, Segment};
use super::browser::Browser;
use super::forms::Form;
use super::show::{Canvas, path, see_other};
use super::steps::after;
use crate::connect::{Claim, Door, Look, Standing};
use crate::pages::{Page, Problem, ProblemKind, Welcome};

/// A link's first page: how its session is found, and where its form goes.
pub(super) struct Entrance<'a> {
    /// How the session is found.
    pub(super) door: Door<'a>,
    /// The page itself.
    pub(super) here: String,
    /// Where the button posts to.
    pub(super) action: String,
    /// What the form carries besides.
    pub(super) hidden: Vec<(&'static str, &'a str)>,
    /// Whether the page asks for the address.
    pub(super) asks_address: bool,
}

/// The longest secret of a link that is looked at and repeated in a page, in bytes; ours have 43.
pub(super) const LONGEST: usize = 512;

fn by_secret(secret: &str) -> Entrance<'_> {
    let secret = if secret.len() <= LONGEST { secret } else { "" };
    let here = format!("/connect/{secret}");
    Entrance { door: Door::Link(secret), action: here.clone(), here, hidden: Vec::new(), asks_address: false }
}

/// `GET /connect/{secret}`: 200, 404 unknown, 409 open elsewhere, 410 over.
pub(super) async fn open(State(web): State<Web>, browser: Browser, Segment(secret): Segment) -> Response {
    show(&web, &browser, &by_secret(&secret)).await
}

/// `POST /connect/{secret}`: claims the session for this browser and goes on to its first step.
pub(super) async fn submit(
    State(web): State<Web>,
    browser: Browser,
    Segment(secret): Segment,
    FormBody(body): FormBody,
) -> Response {
    let form = Form::read(&body);
    let ours = browser.posted_by_us(&web, form.text("form"), None);
    claim(&web, &browser, &by_secret(&secret), &form, ours).await
}

/// The first page.
pub(super) async fn show(web: &Web, browser: &Browser, entrance: &Entrance<'_>) -> Response {
    show_with(web, browser, entrance, None).await
}

/// The first page with an address that was typed already.
async fn show_with(web: &Web, browser: &Browser, entrance: &Entrance<'_>, typed: Option<&str>) -> Response {
    match web.connect.look(entrance.door, |id| browser.cookie_of(id), browser.before()).await {
        Ok(look) => draw(web, browser, entrance, &look, typed),
        Err(error) => Canvas::new(web, browser).failed(&error),
    }
}

/// Its button. `ours` says whether it was pressed on a page of ours.
pub(super) async fn claim(
    web: &Web,
    browser: &Browser,
    entrance: &Entrance<'_>,
    form: &Form,
    ours: bool,
) -> Response {
    let browser = &browser.at(&entrance.here);
    let canvas = Canvas::new(web, browser);
    if !ours {
        let retry = Some(entrance.here.as_str());
        let problem =
            Problem { kind: ProblemKind::CrossSite, home_url: None, retry, takeover: None, hidden: &[] };
        return canvas.page(StatusCode::FORBIDDEN, &Page::Problem(problem));
    }
    if let Some(tag) = form.language() {
        return show_with(web, &browser.speaking(web, tag), entrance, Some(form.text("email"))).await;
    }
    let takeover = form.text("takeover") == "yes";
    let cookie_of = |id: &_| browser.cookie_of(id);
    match web.connect.claim(entrance.door, cookie_of, browser.before(), takeover, &browser.host).await {
        Ok(Claim::Held { id, cookie, expires_at }) => {
            let address = form.text("email").trim();
            let held =
                cookie.as_ref().map(|cookie| cookie.reveal().to_owned()).or_else(|| browser.cookie_of(&id));
            if entrance.asks_address && !address.is_empty() {
                // What does not come of it is on the page that follows: the step asks again.
                if let Err(error) = web.connect.offer_address(&id, held.as_deref(), address).await {
                    tracing::warn!(session.id = %id, error = %error, "an address could not be passed on");
                }
            }
            let next = match web.connect.view(&id, held.as_deref()).await {
                Ok((_, view)) => after(&id, &view),
                Err(_) => path(&id),
            };
            let now = web.connect.clock().now();
            let cookie = cookie.and_then(|cookie| browser.set_cookie(&id, &cookie, expires_at, now));
            see_other(&next, cookie)
        }
        Ok(Claim::Refused(look)) => draw(web, browser, entrance, &look, None),
        Err(error) => {
            // The way home is known wherever the link is.
            let look = web.connect.look(entrance.door, |id| browser.cookie_of(id), browser.before()).await;
            let view = look.as_ref().ok().map(|look| &look.view);
            let (session, request) = (view.map(|view| &view.session.id), view.map(|view| &view.request));
            Canvas { request, about: session, ..canvas }.failed(&error)
        }
    }
}

fn draw(web: &Web, browser: &Browser, entrance: &Entrance<'_>, look: &Look, typed: Option<&str>) -> Response {
    let (session, request) = (&look.view.session, &look.view.request);
    let canvas = Canvas { request: Some(request), about: Some(&session.id), ..Canvas::new(web, browser) };
    let elsewhere = |kind, takeover: Option<&str>| {
        // Looking again may help where waiting does; where the person can go on at once, it only distracts.
        let retry = takeover.is_none().then_some(entrance.here.as_str());
        let problem = Problem { kind, home_url: None, retry, takeover, hidden: &entrance.hidden };
        canvas.page(StatusCode::CONFLICT, &Page::Problem(problem))
    };
    match look.standing {
        Standing::Elsewhere { busy: false } if entrance.door.is_handover() => {
            welcome(&canvas, entrance, look, typed)
        }
        Standing::Unclaimed | Standing::Begun => welcome(&canvas, entrance, look, typed),
        Standing::Mine | Standing::Ended { mine: true, .. } => {
            see_other(&path(&session.id), canvas.browser.set_language())
        }
        Standing::Elsewhere { busy: true } => elsewhere(ProblemKind::OpenElsewhereBusy, None),
        Standing::Elsewhere { busy: false } => {
            elsewhere(ProblemKind::OpenElsewhere, Some(entrance.action.as_str()))
        }
        Standing::MovedTooOften => elsewhere(ProblemKind::TooManyTakeovers, None),
        Standing::Ended { state, mine: false } => canvas.over(state, session.cause.as_deref()),
    }
}

/// Who asks, and the button.
fn welcome(canvas: &Canvas<'_>, entrance: &Entrance<'_>, look: &Look, typed: Option<&str>) -> Response {
    let (session, request) = (&look.view.session, &look.view.request);
    let provider = match session.providers.as_slice() {
        [only] => Some(only.as_str()),
        _ => None,
    };
    let welcome = Welcome {
        action: &entrance.action,
        hidden: &entrance.hidden,
        email: entrance.asks_address.then(|| typed.or(request.email.as_deref()).unwrap_or_default()),
        user_label: request.user_label.as_deref(),
        provider,
        account: look.account.as_deref(),
    };
    canvas.page(StatusCode::OK, &Page::Welcome(welcome))
}
