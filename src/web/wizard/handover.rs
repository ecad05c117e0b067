//! Going on in another browser: some providers turn away browsers that are part of another app. The holder gets an
//! address that is good once and for five minutes; whoever opens it sees who asks, and goes on with a button. Inside an app
//! the same address says how to get out, so it may be copied or opened with the app's own menu.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::StatusCode;
use axum::http::header::USER_AGENT;
use axum::response::Response;

use super::super::Web;
use super::super::extract::{FormBody, Segment};
use super::browser::Browser;
use super::forms::Form;
use super::link::{Entrance, LONGEST, claim, show};
use super::show::{Canvas, path, see_other};
use crate::connect::{Door, Error, Look, SessionView, Standing};
use crate::contract::About;
use crate::kernel::ids::SessionId;
use crate::pages::{Handover, Page, ProblemKind};

/// What the browsers inside of other apps say in `User-Agent`, in lower case: Android's own component, and the apps
/// that add their name.
const INSIDE: &[&str] = &[
    "; wv)",
    "fban/",
    "fbav/",
    "fb_iab",
    "instagram",
    "line/",
    "linkedinapp",
    "micromessenger",
    "snapchat",
    "twitter for",
    "pinterest",
    "musical_ly",
    "bytedancewebview",
    "tiktok",
    "whatsapp",
    "telegram",
    "slack_",
    "teams/",
    "gsa/",
];

/// Whether this browser is part of another app.
pub(super) fn inside_an_app(headers: &HeaderMap) -> bool {
    let agent = headers.get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let agent = agent.to_ascii_lowercase();
    // Safari says its own name; what apps on the same system show does not.
    let apple = ["iphone", "ipad", "ipod"].iter().any(|device| agent.contains(device));
    let bare = apple && agent.contains("applewebkit") && !agent.contains("safari/");
    bare || INSIDE.iter().any(|sign| begins_a_word(&agent, sign))
}

/// Whether a text has `sign` where no other word goes on: airlines write browsers, too.
fn begins_a_word(text: &str, sign: &str) -> bool {
    let ends = |before: &str| {
        !sign.starts_with(char::is_alphabetic) || !before.ends_with(|last: char| last.is_ascii_alphanumeric())
    };
    text.match_indices(sign).any(|(at, _)| text.get(..at).is_some_and(ends))
}

/// Leads the session's holder out of an app: to an address of its own, so that the app's "open in browser" opens what
/// another browser can go on with.
pub(super) async fn lead_out(web: &Web, browser: &Browser, session: &SessionView) -> Response {
    let id = &session.session.id;
    let canvas = Canvas { session: Some(id), request: Some(&session.request), ..Canvas::new(web, browser) };
    match web.connect.hand_over(id, browser.cookie_of(id).as_deref()).await {
        Ok(Some(token)) => see_other(&format!("/handover/{token}"), browser.set_language()),
        Ok(None) => canvas.problem(StatusCode::FORBIDDEN, ProblemKind::CookieMissing, ""),
        Err(error) => canvas.failed(&error),
    }
}

fn entrance(token: &str) -> Entrance<'_> {
    let token = if token.len() <= LONGEST { token } else { "" };
    let here = format!("/handover/{token}");
    Entrance {
        door: Door::Handover(token),
        action: here.clone(),
        here,
        hidden: Vec::new(),
        asks_address: false,
    }
}

/// `GET /handover/{token}`: 200; 404 for what is none, was used or came too late. It changes nothing. Inside an app it
/// says how to get out; whoever holds the session gets a fresh address where this one is over.
pub(super) async fn open(State(web): State<Web>, browser: Browser, Segment(token): Segment) -> Response {
    let entrance = entrance(&token);
    if !browser.is_inside_an_app() {
        return show(&web, &browser, &entrance).await;
    }
    let held = token.split('.').next().and_then(|id| id.parse::<SessionId>().ok());
    let held = held.filter(|id| browser.knew(id));
    let cookie_of = |id: &_| browser.cookie_of(id);
    let looked = web.connect.look(entrance.door, cookie_of, browser.before()).await;
    match (looked, held) {
        (Ok(look), held) => match refusing(&web, &look) {
            Some(provider) => way_out(&web, &browser, &look, provider, &entrance.here, held.as_ref()),
            None => show(&web, &browser, &entrance).await,
        },
        (Err(Error::NotFound(_)), Some(id)) => see_other(&path(&id), browser.set_language()),
        (Err(_), _) => show(&web, &browser, &entrance).await,
    }
}

/// The provider that turns browsers inside of apps away, where it is to be signed in to still.
fn refusing<'a>(web: &Web, look: &'a Look) -> Option<&'a str> {
    let session = &look.view.session;
    let only = || session.providers.first().filter(|_| session.providers.len() == 1);
    let slug = session.provider.as_ref().or_else(only)?;
    let open = matches!(look.standing, Standing::Mine | Standing::Begun | Standing::Elsewhere { .. });
    let refuses = |about: &About| about.slug == *slug && about.refuses_web_views;
    (open && web.connect.catalogue().iter().any(|one| refuses(one.about()))).then_some(slug)
}

/// The page that says how to get out of an app.
fn way_out(
    web: &Web,
    browser: &Browser,
    look: &Look,
    provider: &str,
    here: &str,
    held: Option<&SessionId>,
) -> Response {
    let (session, request) = (&look.view.session, Some(&look.view.request));
    let canvas = Canvas { request, about: Some(&session.id), ..Canvas::new(web, browser) };
    let url = format!("{}{here}", web.settings.public_url.origin_of(&browser.host));
    let done = held.map(path);
    canvas.page(StatusCode::OK, &Page::Handover(Handover { url: &url, provider, here: done.as_deref() }))
}

/// `POST /handover/{token}`: takes the session over for this browser.
pub(super) async fn submit(
    State(web): State<Web>,
    browser: Browser,
    Segment(token): Segment,
    FormBody(body): FormBody,
) -> Response {
    let form = Form::read(&body);
    let ours = browser.posted_by_us(&web, form.text("form"), None);
    claim(&web, &browser, &entrance(&token), &form, ours).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inside(agent: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(USER_AGENT, agent.parse().unwrap());
        inside_an_app(&headers)
    }

    #[test]
    fn browsers_inside_of_apps_are_told_from_real_ones() {
        let phone =
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)";
        assert!(inside(&format!("{phone} Mobile/15E148 Instagram 350.0")));
        assert!(inside(&format!("{phone} Mobile/15E148")));
        assert!(!inside(&format!("{phone} Version/18.1 Mobile/15E148 Safari/604.1")));
        assert!(!inside(&format!("{phone} CriOS/130.0 Mobile/15E148 Safari/604.1")));
        let android = "Mozilla/5.0 (Linux; Android 15; Pixel 9";
        assert!(inside(&format!(
            "{android}; wv) AppleWebKit/537.36 Version/4.0 Chrome/130.0 Mobile Safari/537.36"
        )));
        assert!(!inside(&format!("{android}) AppleWebKit/537.36 Chrome/130.0 Mobile Safari/537.36")));
        assert!(inside(&format!("{phone} Version/18.1 Mobile/15E148 Safari Line/14.0")));
        assert!(!inside("Mozilla/5.0 (X11; Linux x86_64) Chrome/130.0 Safari/537.36 Airline/2.0"));
        assert!(!inside("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"));
    }
}
