//! The hosted wizard: the link's first page, then one page per step. Every page is a GET that changes nothing;
//! every change is a POST that ends in a redirect to a page.

mod authorize;
mod browser;
mod events;
mod forms;
mod handover;
mod home;
mod link;
mod returns;
mod show;
mod steps;

#[cfg(fuzzing)]
pub use returns::fuzzed;

use axum::Router;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, REFERRER_POLICY,
    X_FRAME_OPTIONS,
};
use axum::http::{HeaderName, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::Web;
use super::extract::Segment;
use crate::pages::{Page, Problem, ProblemKind};
pub(super) use browser::Browser;
use show::Canvas;

/// Nothing from elsewhere, nothing inline, in nobody's frame.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; \
    connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// A file that somebody opens by itself runs nothing and loads nothing; an SVG may style itself.
const PICTURE_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox";

pub(super) fn routes() -> Router<Web> {
    Router::new()
        .route("/connect/{secret}", get(link::open).post(link::submit))
        .route("/wizard/{session}", get(steps::show).post(steps::answer))
        .route("/wizard/{session}/cancel", get(steps::ask_cancel).post(steps::cancel))
        .route("/auth/authorize", get(authorize::open).post(authorize::submit))
        .route("/wizard/{session}/events", get(events::stream))
        .route("/wizard/{session}/leave", get(steps::leave))
        .route("/wizard/{session}/return", get(returns::resume))
        .route("/providers/{name}/callback", get(returns::callback))
        .route("/providers/{name}/admin-consent", get(returns::approval))
        .route("/handover/{token}", get(handover::open).post(handover::submit))
        .layer(axum::middleware::from_fn(guard))
        .route("/assets/{*path}", get(asset))
}

/// A page for a person who asked for something that is not here; `None` for whoever reads no pages.
pub(super) async fn no_page(
    web: &Web,
    request: Request,
    status: StatusCode,
    kind: ProblemKind,
) -> Option<Response> {
    let accepted = request.headers().get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !accepted.contains("text/html") {
        return None;
    }
    let (mut parts, _) = request.into_parts();
    let Ok(browser) = Browser::from_request_parts(&mut parts, web).await;
    let canvas = Canvas::new(web, &browser);
    // What passes by itself is asked for again where it was asked for.
    let retry =
        matches!(kind, ProblemKind::TooManyRequests | ProblemKind::ServerError).then(|| browser.here());
    let problem = Problem { kind, home_url: None, retry, takeover: None, hidden: &[] };
    Some(protected(canvas.page(status, &Page::Problem(problem))))
}

/// Headers for every page; and requests that no person made do nothing at all.
async fn guard(request: Request, next: Next) -> Response {
    protected(match idle(&request) {
        Some(idle) => idle,
        None => next.run(request).await,
    })
}

/// The headers of every page.
pub(super) fn protected(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        HeaderName::from_static("cross-origin-opener-policy"),
        HeaderValue::from_static("same-origin"),
    );
    headers.insert(
        HeaderName::from_static("permissions-policy"),
        HeaderValue::from_static("camera=(), geolocation=(), microphone=(), payment=()"),
    );
    headers.insert(HeaderName::from_static("x-robots-tag"), HeaderValue::from_static("noindex, nofollow"));
    response
}

/// HEAD and prefetching run no use case.
fn idle(request: &Request) -> Option<Response> {
    if request.method() == Method::HEAD {
        return Some((StatusCode::OK, [(CONTENT_TYPE, "text/html; charset=utf-8")]).into_response());
    }
    let says_prefetch = ["sec-purpose", "purpose", "x-moz", "x-purpose"].iter().any(|name| {
        let value = request.headers().get(*name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        value.contains("prefetch") || value.contains("prerender") || value.contains("preview")
    });
    // Browsers drop a prefetched answer with this status and ask again when the person really comes.
    (says_prefetch && request.method() == Method::GET)
        .then(|| StatusCode::SERVICE_UNAVAILABLE.into_response())
}

/// Files that pages load; their names carry a hash of their content.
async fn asset(State(web): State<Web>, Segment(path): Segment) -> Response {
    match web.pages.asset(&path) {
        Some(asset) => {
            let headers = [
                (CONTENT_TYPE, asset.content_type),
                (CACHE_CONTROL, "public, max-age=31536000, immutable"),
                (CONTENT_SECURITY_POLICY, PICTURE_POLICY),
            ];
            (headers, asset.bytes.clone()).into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
