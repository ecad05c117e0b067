//! Going on in another browser: some providers turn away browsers that are part of another app. The holder gets an
//! address that is good once and for five minutes; whoever opens it sees who asks, and goes on with a button.

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
use super::show::{Canvas, path};
use crate::connect::{Door, SessionView};
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
    bare || INSIDE.iter().any(|sign| agent.contains(sign))
}

/// The page that leads out of an app, for the session's holder.
pub(super) async fn lead_out(
    web: &Web,
    browser: &Browser,
    session: &SessionView,
    provider: &str,
) -> Response {
    let id = &session.session.id;
    let canvas = Canvas { session: Some(id), request: Some(&session.request), ..Canvas::new(web, browser) };
    match web.connect.hand_over(id, browser.cookie_of(id).as_deref()).await {
        Ok(Some(token)) => {
            let url = format!("{}/handover/{token}", web.settings.public_url.origin_of(&browser.host));
            canvas.page(StatusCode::OK, &Page::Handover(Handover { url: &url, provider, here: &path(id) }))
        }
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

/// `GET /handover/{token}`: 200; 404 for what is none, was used or came too late. It changes nothing.
pub(super) async fn open(State(web): State<Web>, browser: Browser, Segment(token): Segment) -> Response {
    show(&web, &browser, &entrance(&token)).await
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
        assert!(!inside("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"));
    }
}
