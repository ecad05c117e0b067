//! Where providers push security events (RFC 8935). No key: an event is believed for its signature. The answer says no
//! more than that standard's words.

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::json;

use super::Web;
use super::extract::{Segment, body};
use crate::connect::Error;
use crate::contract::NotTaken;
use crate::dialects::riposte;

/// Longer than any event, in bytes.
const LARGEST: usize = 32 * 1024;

pub(super) fn routes() -> Router<Web> {
    Router::new().route("/providers/{name}/events", post(receive))
}

/// `POST /providers/{providerName}/events`: 202 when the event was taken, now or before; 400 with `err` when it is none;
/// 404 for a provider that sends none here; 503 while it cannot be judged, so that it is sent again.
async fn receive(State(web): State<Web>, Segment(name): Segment, request: Request<Body>) -> Response {
    let Some(slug) = riposte::slug(&name) else { return refuse(&NotTaken::NotSupported) };
    let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if kind != "application/secevent+jwt" {
        return refuse(&NotTaken::Malformed);
    }
    let text = body(request, LARGEST).await.and_then(|bytes| String::from_utf8(bytes).ok());
    let Some(text) = text else { return refuse(&NotTaken::Malformed) };
    match web.connect.security_event(slug, text.trim()).await {
        Ok(Ok(())) => StatusCode::ACCEPTED.into_response(),
        Ok(Err(why)) => refuse(&why),
        Err(Error::ProviderUnavailable) => refuse(&NotTaken::NotSupported),
        Err(error) => {
            tracing::warn!(error = %error, "a security event could not be written down");
            refuse(&NotTaken::Unavailable("database"))
        }
    }
}

fn refuse(why: &NotTaken) -> Response {
    let (status, word, what) = match why {
        NotTaken::Malformed => (
            StatusCode::BAD_REQUEST,
            "invalid_request",
            "this is no security event token (RFC 8417) sent as application/secevent+jwt",
        ),
        NotTaken::Key => (StatusCode::BAD_REQUEST, "invalid_key", "no key of the issuer made this signature"),
        NotTaken::Issuer => (StatusCode::BAD_REQUEST, "invalid_issuer", "the issuer is not this provider"),
        NotTaken::Audience => (
            StatusCode::BAD_REQUEST,
            "invalid_audience",
            "the audience is not the client that is set up here",
        ),
        NotTaken::NotSupported => {
            (StatusCode::NOT_FOUND, "access_denied", "no security events are received for this provider")
        }
        NotTaken::Unavailable(_) => (
            StatusCode::SERVICE_UNAVAILABLE,
            "access_denied",
            "the event cannot be judged at the moment; send it again",
        ),
    };
    (status, axum::Json(json!({ "err": word, "description": what }))).into_response()
}
