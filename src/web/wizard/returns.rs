//! Where people come back from a provider's own pages. The callback has the provider asked for the browser that shows its
//! cookie there; it parks what any other brought and sends it on to its session, where its cookie must be. An administrator
//! who approved comes back to a route of its own, which moves no session on by more than "try again".

use std::collections::BTreeMap;

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::super::Web;
use super::super::extract::Segment;
use super::browser::Browser;
use super::forms::Form;
use super::link::LONGEST;
use super::show::{Canvas, path, see_other};
use super::steps::{after, failed};
use crate::connect::{Error, Landing};
use crate::dialects::riposte;
use crate::kernel::ids::SessionId;
use crate::kernel::secret::Secret;
use crate::kernel::words::SessionState;
use crate::pages::ProblemKind;

/// The longest query that is looked at, in bytes: codes of some providers come close to two thousand.
const WHOLE: usize = 16 * 1024;
/// The most parameters that are looked at.
const MANY: usize = 40;

/// Why a return is not looked at: a stable code for the log.
type Refused = &'static str;

/// Reads what was brought: every parameter once, in UTF-8, within bounds.
fn read(query: &str) -> Result<BTreeMap<String, Secret>, Refused> {
    if query.len() > WHOLE {
        return Err("callback_too_long");
    }
    let mut brought = BTreeMap::new();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        // What is no UTF-8 was read as this character, which no provider sends.
        if name.contains(char::REPLACEMENT_CHARACTER) || value.contains(char::REPLACEMENT_CHARACTER) {
            return Err("callback_encoding");
        }
        if brought.insert(name.into_owned(), Secret::new(value.into_owned())).is_some() {
            return Err("callback_repeated");
        }
        if brought.len() > MANY {
            return Err("callback_too_long");
        }
    }
    let text = |name: &str| brought.get(name).map_or("", Secret::reveal);
    match (text("state").len(), text("code").is_empty(), text("error").is_empty()) {
        (0, ..) => Err("callback_stateless"),
        (length, ..) if length > LONGEST => Err("callback_too_long"),
        (_, true, true) => Err("callback_empty"),
        _ => Ok(brought),
    }
}

/// Reads a query that somebody made up, and holds of what is let through what must hold of it.
#[cfg(fuzzing)]
pub fn fuzzed(query: &str) -> Option<BTreeMap<String, Secret>> {
    let brought = read(query).ok()?;
    let has = |name: &str| brought.get(name).is_some_and(|value| !value.reveal().is_empty());
    assert!(query.len() <= WHOLE && brought.len() <= MANY && has("state") && (has("code") || has("error")));
    for (name, value) in &brought {
        assert!(
            !name.contains(char::REPLACEMENT_CHARACTER)
                && !value.reveal().contains(char::REPLACEMENT_CHARACTER)
        );
        let twice = url::form_urlencoded::parse(query.as_bytes()).filter(|(known, _)| known == name).count();
        assert_eq!(twice, 1, "{name}");
    }
    Some(brought)
}

/// `GET /providers/{providerName}/callback`: 303 to the session, with a handle where the session's cookie is missing; 410 with the way home when that is over;
/// 404 for a provider of no such name and for a sign-in that nobody waits for, 400 for what no provider sends: without `state`, without both `code` and
/// `error`, a parameter twice, overlong or not in UTF-8.
pub(super) async fn callback(
    State(web): State<Web>,
    browser: Browser,
    Segment(name): Segment,
    RawQuery(query): RawQuery,
) -> Response {
    let canvas = Canvas::new(&web, &browser);
    let Some(slug) = riposte::slug(&name) else {
        return canvas.problem(StatusCode::NOT_FOUND, ProblemKind::NotFound, "not_found");
    };
    let stray = |status, code: &str| {
        tracing::info!(provider = slug, cause = code, request.id = browser.request.0, "a return was refused");
        canvas.problem(status, ProblemKind::StraySignIn, "stray_sign_in")
    };
    let brought = match read(&query.unwrap_or_default()) {
        Ok(brought) => brought,
        Err(code) => return stray(StatusCode::BAD_REQUEST, code),
    };
    let state = brought.get("state").map(|state| state.reveal().to_owned()).unwrap_or_default();
    let on = |host: &str, path: &str| {
        see_other(&format!("{}{path}", web.settings.public_url.origin_of(host)), None)
    };
    match web.connect.land(slug, &state, brought, &browser.host, |id| browser.cookie_of(id)).await {
        Ok(Landing::Answered { session, asked: Ok(()) }) => see_other(&path(&session), None),
        Ok(Landing::Answered { session, asked: Err(error) }) => {
            failed(&web, &browser, &session, &error).await
        }
        Ok(Landing::Parked { host, session, handle }) => {
            on(&host, &format!("{}/return?handle={}", path(&session), handle.reveal()))
        }
        Ok(Landing::Late { host, session, code }) => {
            tracing::info!(session.id = %session, provider = slug, cause = code, "a return came too late");
            on(&host, &path(&session))
        }
        Ok(Landing::Over { session, state }) => {
            let (id, request) = (&session.session.id, Some(&session.request));
            let code = state.as_str();
            tracing::info!(session.id = %id, provider = slug, cause = code, "a return came after the end");
            Canvas { about: Some(id), request, ..canvas }.over(state, session.session.cause.as_deref())
        }
        Ok(Landing::Stray { code }) => stray(StatusCode::NOT_FOUND, code),
        Err(error) => canvas.failed(&error),
    }
}

/// `GET /wizard/{session}/return`: goes on from another host's callback, with the cookie and a handle that is good once.
pub(super) async fn resume(
    State(web): State<Web>,
    browser: Browser,
    Segment(id): Segment,
    RawQuery(query): RawQuery,
) -> Response {
    let Ok(id) = id.parse::<SessionId>() else {
        return Canvas::new(&web, &browser).failed(&Error::NotFound("session"));
    };
    let form = Form::read(query.unwrap_or_default().as_bytes());
    match web.connect.resume(&id, browser.cookie_of(&id).as_deref(), form.text("handle")).await {
        Ok((_, view)) => see_other(&after(&id, &view), None),
        Err(error) => failed(&web, &browser, &id, &error).await,
    }
}

/// `GET /providers/{providerName}/admin-consent`: 200, and the person may try again; 410 when their link is over; 404 for
/// what nobody waits for.
pub(super) async fn approval(
    State(web): State<Web>,
    browser: Browser,
    Segment(name): Segment,
    RawQuery(query): RawQuery,
) -> Response {
    let canvas = Canvas::new(&web, &browser);
    let Some(slug) = riposte::slug(&name) else {
        return canvas.problem(StatusCode::NOT_FOUND, ProblemKind::NotFound, "not_found");
    };
    let query = query.unwrap_or_default();
    let returned = Form::read(if query.len() <= WHOLE { query.as_bytes() } else { b"" });
    let granted =
        returned.text("error").is_empty() && returned.text("admin_consent").eq_ignore_ascii_case("true");
    match web.connect.decide(slug, returned.text("state"), granted).await {
        Ok(view) => {
            let session = &view.session.id;
            tracing::info!(session.id = %session, provider = slug, granted, "an administrator came back");
            if !matches!(view.state, SessionState::Open | SessionState::Connected) {
                return Canvas { about: Some(session), ..canvas }
                    .over(view.state, view.session.cause.as_deref());
            }
            let kind = if granted { ProblemKind::ApprovalGiven } else { ProblemKind::ApprovalRefused };
            Canvas { about: Some(session), ..canvas }.problem(StatusCode::OK, kind, "")
        }
        Err(Error::NotFound(_)) => {
            canvas.problem(StatusCode::NOT_FOUND, ProblemKind::StraySignIn, "stray_sign_in")
        }
        Err(error) => canvas.failed(&error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_return_has_each_parameter_once_and_says_something() {
        let brought = read("state=s&code=a%2Bb&iss=https%3A%2F%2Fp.example").unwrap();
        assert_eq!(brought["code"].reveal(), "a+b");
        let big = format!("state=s&code={}", "x".repeat(1 << 20));
        let many: String = (0..50).map(|number| format!("&p{number}=1")).collect();
        for (query, code) in [
            ("", "callback_stateless"),
            ("code=1", "callback_stateless"),
            ("state=s", "callback_empty"),
            ("state=s&code=1&state=t", "callback_repeated"),
            ("state=s&code=1&iss=a&iss=a", "callback_repeated"),
            ("state=s&code=%ff", "callback_encoding"),
            (&*big, "callback_too_long"),
            (&*format!("state={}&code=1", "s".repeat(600)), "callback_too_long"),
            (&*format!("state=s&code=1{many}"), "callback_too_long"),
        ] {
            assert_eq!(read(query).err(), Some(code), "{}", &query[..query.len().min(40)]);
        }
    }
}
