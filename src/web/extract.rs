//! Reading a request so that what cannot be read becomes an answer of ours, never the framework's plain text.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::request::Parts;

use super::Web;

/// The one variable part of a path. What is not text names nothing, and so is not found.
pub(super) struct Segment(pub(super) String);

impl FromRequestParts<Web> for Segment {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Self::Rejection> {
        let read = Path::<String>::from_request_parts(parts, web).await;
        Ok(Self(read.map(|Path(text)| text).unwrap_or_default()))
    }
}

/// How long a body may take to arrive.
const PATIENCE: Duration = Duration::from_secs(30);

/// A body; `None` when it is larger than `largest` bytes, breaks off or takes too long.
pub(super) async fn body(request: Request<Body>, largest: usize) -> Option<Vec<u8>> {
    let read = tokio::time::timeout(PATIENCE, to_bytes(request.into_body(), largest)).await;
    Some(read.ok()?.ok()?.to_vec())
}

/// The largest form a page of ours sends, with room to spare.
const LARGEST: usize = 64 * 1024;

/// A form's bytes. One that is too large, or breaks off, was not made by a page of ours and counts as empty: an
/// answer to no step.
pub(super) struct FormBody(pub(super) Vec<u8>);

impl FormBody {
    /// Reads it.
    pub(super) async fn of(request: Request<Body>) -> Self {
        Self(body(request, LARGEST).await.unwrap_or_default())
    }
}

impl FromRequest<Web> for FormBody {
    type Rejection = std::convert::Infallible;

    async fn from_request(request: Request<Body>, _: &Web) -> Result<Self, Self::Rejection> {
        Ok(Self::of(request).await)
    }
}
