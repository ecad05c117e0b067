//! What every request passes: its id, the log line, the list of hosts, mended paths.

use std::panic::AssertUnwindSafe;
use std::time::Instant;

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{HOST, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS};
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use tracing::Instrument;

use super::{Web, api, wizard};
use crate::dialects::envelope::Kind;
use crate::kernel::clock::Clock;
use crate::kernel::figures::figures;
use crate::kernel::ids;
use crate::kernel::random::Random;
use crate::kernel::traces::{self, Parent};
use crate::pages::ProblemKind;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// A request's own id, to find it in the log.
#[derive(Clone, Debug)]
pub(super) struct RequestId(pub(super) String);

/// The host a request came for, in the configured spelling.
#[derive(Clone, Debug)]
pub(super) struct OurHost(pub(super) String);

/// Gives the request an id and writes one line about it; the path only, since queries and links hold secrets.
pub(super) async fn accompany(mut request: Request, next: Next) -> Response {
    let id = ids::RequestId::new(Clock::system().now(), &Random::system()).to_string();
    request.extensions_mut().insert(RequestId(id.clone()));
    let (method, route) = (request.method().clone(), route(&request));
    let pattern = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    let began = Instant::now();
    let mut response = in_trace(&id, &pattern, request, next).await;
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let (status, took) = (response.status().as_u16(), began.elapsed());
    figures().request(word(&method), &pattern, status, took);
    let took = took.as_micros();
    tracing::debug!(request.id = id, %method, route, status, took_us = took, "request");
    response
}

/// The methods that HTTP knows; anybody can send others.
fn word(method: &Method) -> &'static str {
    let known = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    known.into_iter().find(|known| method == known).unwrap_or("OTHER")
}

/// What paths begin with whose rest is a secret that lets its bearer in.
const DOORS: [&str; 2] = ["/connect/", "/handover/"];

/// What routes begin with that no backend calls: a person's pages, what browsers load with them, and probes.
const NOT_BACKENDS: [&str; 10] = [
    "none",
    "/connect",
    "/handover",
    "/wizard",
    "/auth/authorize",
    "/providers",
    "/assets",
    "/docs",
    "/healthz",
    "/readyz",
];

/// Runs a backend's request in a span, below the place in a trace that its caller names. A person's requests belong to
/// the trace of their session, which only the use cases know.
async fn in_trace(id: &str, pattern: &str, request: Request, next: Next) -> Response {
    if NOT_BACKENDS.iter().any(|own| pattern.starts_with(own)) {
        return next.run(request).await;
    }
    let header = request.headers().get("traceparent").and_then(|value| value.to_str().ok());
    let parent = header.and_then(Parent::parse);
    let method = word(request.method());
    let span = tracing::info_span!(
        target: traces::TARGET,
        "request",
        otel.name = format!("{method} {pattern}"),
        otel.kind = "server",
        request.id = id,
        http.request.method = method,
        http.route = pattern,
        http.response.status_code = tracing::field::Empty,
    );
    let span = traces::below(span, parent.as_ref());
    let response = traces::called_from(parent, next.run(request).instrument(span.clone())).await;
    span.record("http.response.status_code", response.status().as_u16());
    response
}

/// The path without what may be secret in it. A path that no route knows is a link gone astray as often as not.
fn route(request: &Request) -> String {
    let path = request.uri().path();
    if let Some(door) = DOORS.iter().find(|door| path.starts_with(**door)) {
        return format!("{door}…");
    }
    match request.extensions().get::<MatchedPath>() {
        Some(_) => path.chars().take(200).collect(),
        None => "…".to_owned(),
    }
}

/// A bug that ends one request must not end the connection without a word: whoever asked gets an answer and a number to
/// quote. The runtime's own message, with file and line, is in the log.
pub(super) async fn catch(State(web): State<Web>, request: Request, next: Next) -> Response {
    let id = request.extensions().get::<RequestId>().cloned();
    let (uri, headers) = (request.uri().clone(), request.headers().clone());
    match caught(next.run(request)).await {
        Some(response) => response,
        None => {
            let request_id = id.as_ref().map(|id| id.0.as_str()).unwrap_or_default();
            tracing::error!(request.id = request_id, "a request ended in a bug");
            let mut asked = Request::new(Body::empty());
            // The page is for whoever asked: its language, its cookies, and where to try again.
            (*asked.uri_mut(), *asked.headers_mut()) = (uri, headers);
            asked.extensions_mut().insert(RequestId(request_id.to_owned()));
            let (status, kind) = (StatusCode::INTERNAL_SERVER_ERROR, ProblemKind::ServerError);
            let detail = "something went wrong here; quote the instance to whoever runs this server";
            wizard::no_page(&web, asked, status, kind).await.unwrap_or_else(|| {
                api::refused(id.as_ref(), Kind::UnexpectedError.detail(detail)).into_response()
            })
        }
    }
}

/// What a request came to; nothing when it ended in a panic.
async fn caught(running: impl Future<Output = Response>) -> Option<Response> {
    AssertUnwindSafe(running).catch_unwind().await.ok()
}

/// Only the configured hosts are served: cookies and links belong to them.
pub(super) async fn only_our_hosts(State(web): State<Web>, mut request: Request, next: Next) -> Response {
    let asked = request.headers().get(HOST).and_then(|host| host.to_str().ok()).map(str::to_owned);
    let asked = asked.or_else(|| request.uri().authority().map(ToString::to_string)).unwrap_or_default();
    let url = &web.settings.public_url;
    let Some(host) = url.serves(&asked) else {
        let id = request.extensions().get::<RequestId>().cloned();
        let detail = format!(
            "this server answers for {} only; set public_url when it is reached otherwise",
            url.origin()
        );
        let page =
            wizard::no_page(&web, request, StatusCode::MISDIRECTED_REQUEST, ProblemKind::WrongHost).await;
        return page.unwrap_or_else(|| {
            api::refused(id.as_ref(), Kind::MisdirectedRequest.detail(detail)).into_response()
        });
    };
    request.extensions_mut().insert(OurHost(host.to_owned()));
    let secure = url.is_secure();
    let mut response = next.run(request).await;
    if secure {
        let year = HeaderValue::from_static("max-age=31536000");
        response.headers_mut().insert(STRICT_TRANSPORT_SECURITY, year);
    }
    response
}

/// Makes one slash of several in the path.
pub(super) fn collapse_slashes(mut request: Request<Body>) -> Request<Body> {
    let path = request.uri().path();
    if !path.contains("//") {
        return request;
    }
    let mut mended = String::with_capacity(path.len());
    for character in path.chars() {
        if character != '/' || !mended.ends_with('/') {
            mended.push(character);
        }
    }
    if let Some(query) = request.uri().query() {
        mended.push('?');
        mended.push_str(query);
    }
    let mut parts = request.uri().clone().into_parts();
    if let Ok(path) = mended.parse::<PathAndQuery>() {
        parts.path_and_query = Some(path);
        if let Ok(uri) = Uri::from_parts(parts) {
            *request.uri_mut() = uri;
        }
    }
    request
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_ends_only_its_request() {
        let bug = async {
            tokio::task::yield_now().await;
            assert!(StatusCode::OK.is_server_error(), "a bug");
            StatusCode::OK.into_response()
        };
        assert!(caught(bug).await.is_none());
        let fine = caught(async { StatusCode::NO_CONTENT.into_response() }).await;
        assert_eq!(fine.map(|response| response.status()), Some(StatusCode::NO_CONTENT));
    }
}
