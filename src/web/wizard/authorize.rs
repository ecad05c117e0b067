//! The Riposte dialect's pages: its link carries session and state, and its first page may ask for the address.

use axum::extract::{RawQuery, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;

use super::super::Web;
use super::super::extract::FormBody;
use super::browser::Browser;
use super::forms::Form;
use super::link::{Entrance, LONGEST, claim, show};
use super::show::Canvas;
use crate::connect::{Door, Error};
use crate::kernel::ids::SessionId;

/// `GET /auth/authorize`: 200, 404 unknown, 409 open elsewhere, 410 over.
pub(super) async fn open(State(web): State<Web>, browser: Browser, RawQuery(query): RawQuery) -> Response {
    let link = Form::read(query.unwrap_or_default().as_bytes());
    match link.text("session").parse() {
        Ok(id) => show(&web, &browser, &entrance(&id, link.text("state"))).await,
        Err(_) => unknown(&web, &browser),
    }
}

/// `POST /auth/authorize`, as a form or as JSON: claims the session for this browser, answers the first step with
/// the address where it asks for that, and goes on to what comes then.
pub(super) async fn submit(State(web): State<Web>, browser: Browser, request: Request) -> Response {
    let is_json = request
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|kind| kind.trim_start().to_ascii_lowercase().starts_with("application/json"));
    let body = FormBody::of(request).await.0;
    let form = if is_json { Form::of_json(&body) } else { Form::read(&body) };
    // Pages of other origins cannot send JSON without asking first, which nobody answers here; a caller that is no
    // browser carries no form token.
    let ours =
        browser.posted_by_us(&web, form.text("form"), None) || (is_json && browser.is_no_stranger(&web));
    match form.text("session").parse::<SessionId>() {
        Ok(id) => {
            let state = form.text("state").to_owned();
            claim(&web, &browser, &entrance(&id, &state), &form, ours).await
        }
        Err(_) => unknown(&web, &browser),
    }
}

fn entrance<'a>(id: &'a SessionId, state: &'a str) -> Entrance<'a> {
    let state = if state.len() <= LONGEST { state } else { "" };
    let here = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("session", id.as_str())
        .append_pair("state", state)
        .finish();
    Entrance {
        door: Door::Pair(id, state),
        here: format!("/auth/authorize?{here}"),
        action: "/auth/authorize".to_owned(),
        hidden: vec![("session", id.as_str()), ("state", state)],
        asks_address: true,
    }
}

fn unknown(web: &Web, browser: &Browser) -> Response {
    Canvas::new(web, browser).failed(&Error::NotFound("link"))
}
