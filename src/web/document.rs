//! The API document for whoever asks: it is the same on every server of a version and holds nothing of this one, so
//! it needs no key, and pages of any origin may read it.

use std::sync::OnceLock;

use axum::Router;
use axum::extract::State;
use axum::http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::Web;
use super::api::refused;
use super::wizard;
use crate::dialects::document;
use crate::dialects::envelope::Kind;
use crate::kernel::random::hash;

pub(super) fn routes() -> Router<Web> {
    Router::new()
        .route("/v1/api-json", get(json))
        .route("/api/v1/api-json", get(json))
        .route("/openapi.json", get(json))
        .route("/v1/api-yaml", get(yaml))
        .route("/api/v1/api-yaml", get(yaml))
        .route("/docs", get(reference))
}

/// The document as a page for people.
async fn reference(State(web): State<Web>, headers: HeaderMap) -> Response {
    static PAGE: OnceLock<Option<(String, String)>> = OnceLock::new();
    let made = PAGE.get_or_init(|| {
        let page = document::json().and_then(|document| web.pages.reference(&document));
        page.inspect_err(|why| tracing::error!(why, "the reference cannot be drawn")).ok().map(tagged)
    });
    match made {
        Some((tag, text)) => {
            let mut response = wizard::protected(shown(&headers, "text/html; charset=utf-8", tag, text));
            response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("public, no-cache"));
            response
        }
        None => unreadable(),
    }
}

fn unreadable() -> Response {
    refused(None, Kind::UnexpectedError.detail("the API document cannot be read")).into_response()
}

async fn json(headers: HeaderMap) -> Response {
    static JSON: OnceLock<Option<(String, String)>> = OnceLock::new();
    let made = JSON.get_or_init(|| {
        let read =
            document::json().inspect_err(|why| tracing::error!(why, "the API document cannot be read"));
        read.ok().map(|document| tagged(document.to_string()))
    });
    match made {
        Some((tag, text)) => shown(&headers, "application/json", tag, text),
        None => unreadable(),
    }
}

async fn yaml(headers: HeaderMap) -> Response {
    static TAG: OnceLock<(String, String)> = OnceLock::new();
    let (tag, text) = TAG.get_or_init(|| tagged(document::YAML.to_owned()));
    shown(&headers, "application/yaml", tag, text)
}

fn tagged(text: String) -> (String, String) {
    (format!("\"{}\"", hash(&text)), text)
}

/// The text, or only that it is as it was (RFC 9110, 13.1.2).
fn shown(asked: &HeaderMap, kind: &'static str, tag: &'static str, text: &'static str) -> Response {
    let known = asked.get(IF_NONE_MATCH).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let same = known.split(',').map(str::trim).any(|one| one == "*" || one.trim_start_matches("W/") == tag);
    let headers = [(ETAG, tag), (CACHE_CONTROL, "public, no-cache"), (ACCESS_CONTROL_ALLOW_ORIGIN, "*")];
    if same {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    (headers, [(CONTENT_TYPE, kind)], text).into_response()
}
