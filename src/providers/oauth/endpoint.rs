//! One question to one of a provider's addresses. Redirects are not followed, an answer that is too long is refused
//! rather than cut, and every question has ten seconds.

use std::time::Duration;

use hyper::body::Bytes;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::{Method, StatusCode};
use url::Url;

use crate::contract::Context;
use crate::kernel::egress::{ConnectError, Request};
use crate::kernel::secret::Secret;

use super::refusal::Refusal;

/// For a whole question, in seconds.
const SECONDS: u64 = 10;

/// Longer than any honest answer, in bytes.
const LONGEST: usize = 1024 * 1024;

/// An answer that is complete and came from the address that was asked.
#[derive(Debug)]
pub struct Reply {
    /// Its status; never a redirect, never a failure of the server.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, whole.
    pub body: Vec<u8>,
}

/// The codes of one address, so that a log says which of them failed.
#[derive(Clone, Copy, Debug)]
pub struct Codes {
    /// No answer in time.
    pub slow: &'static str,
    /// No connection, or it broke.
    pub unreachable: &'static str,
    /// The server has a problem of its own.
    pub failing: &'static str,
    /// An answer without end.
    pub too_big: &'static str,
    /// It points elsewhere.
    pub redirected: &'static str,
}

/// The names of an address's codes.
macro_rules! codes {
    ($of:literal) => {
        Codes {
            slow: concat!($of, "_slow"),
            unreachable: concat!($of, "_unreachable"),
            failing: concat!($of, "_unavailable"),
            too_big: concat!($of, "_reply_too_big"),
            redirected: concat!($of, "_redirected"),
        }
    };
}

/// Where codes become tokens.
pub const TOKEN: Codes = codes!("token");
/// Where the public keys are.
pub const KEYS: Codes = codes!("keys");
/// What it announces of itself.
pub const METADATA: Codes = codes!("metadata");
/// Where a token tells whose it is.
pub const USERINFO: Codes = codes!("userinfo");
/// Where it is said who issues security events.
pub const RISC: Codes = codes!("risc");
/// Where grants end.
pub const REVOKE: Codes = codes!("revoke");

/// Sends a form.
///
/// # Errors
/// Why there is no usable answer.
pub async fn post(cx: &Context, url: &Url, form: &[(&str, &str)], codes: Codes) -> Result<Reply, Refusal> {
    // Finished within this statement: the serializer must not live across the question.
    let text = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
    send(cx, Method::POST, url, headers, Bytes::from(text), codes).await
}

/// Asks for something, with an access token where one is needed.
///
/// # Errors
/// Why there is no usable answer.
pub async fn get(cx: &Context, url: &Url, bearer: Option<&Secret>, codes: Codes) -> Result<Reply, Refusal> {
    let mut headers = HeaderMap::new();
    if let Some(token) = bearer {
        let mut value = HeaderValue::from_str(&format!("Bearer {}", token.reveal()))
            .map_err(|_| Refusal::invalid("token_malformed"))?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    send(cx, Method::GET, url, headers, Bytes::new(), codes).await
}

async fn send(
    cx: &Context,
    method: Method,
    url: &Url,
    mut headers: HeaderMap,
    body: Bytes,
    codes: Codes,
) -> Result<Reply, Refusal> {
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    let request = Request {
        method,
        url: url.clone(),
        headers,
        body,
        time_limit: Duration::from_secs(SECONDS),
        // One byte more, to tell a long answer from a cut one.
        size_limit: LONGEST + 1,
    };
    let answer = cx.egress.send(request).await.map_err(|error| match error {
        ConnectError::Timeout => Refusal::unavailable(codes.slow),
        error => {
            let host = url.host_str().unwrap_or_default();
            // Whoever asked says what it means, once.
            tracing::debug!(host, code = error.code(), "a provider could not be asked");
            Refusal::unavailable(codes.unreachable)
        }
    })?;
    if answer.body.len() > LONGEST {
        return Err(Refusal::invalid(codes.too_big));
    }
    if answer.status.is_redirection() {
        return Err(Refusal::invalid(codes.redirected));
    }
    if answer.status.is_server_error() || answer.status == StatusCode::REQUEST_TIMEOUT {
        return Err(Refusal::unavailable(codes.failing));
    }
    if answer.status == StatusCode::TOO_MANY_REQUESTS {
        return Err(Refusal::unavailable("rate_limited"));
    }
    Ok(Reply { status: answer.status, headers: answer.headers, body: answer.body })
}
