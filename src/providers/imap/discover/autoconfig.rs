//! Fetching published settings: https only, two redirects at most, each checked like the first, and no more than a
//! small file in a short time.

use std::time::Duration;

use hyper::Method;
use hyper::body::Bytes;
use hyper::header::{HeaderMap, LOCATION};
use tokio::time::Instant;
use url::Url;

use crate::kernel::egress::{ConnectError, Egress, Request};

use super::Outcome;
use super::settings::LARGEST;

/// How long one place may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How many redirects are followed.
const REDIRECTS: usize = 2;

/// Fetches a file; what is larger than [`LARGEST`] comes one byte longer than that, so that it is seen.
///
/// # Errors
/// `Slow` and `Silent`.
pub async fn fetch(egress: &Egress, url: &str, until: Instant) -> Result<Vec<u8>, Outcome> {
    let until = until.min(Instant::now() + PATIENCE);
    let mut url = Url::parse(url).map_err(|_| Outcome::Silent)?;
    for _ in 0..=REDIRECTS {
        if url.scheme() != "https" || !url.username().is_empty() || url.password().is_some() {
            return Err(Outcome::Silent);
        }
        let request = Request {
            method: Method::GET,
            url: url.clone(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
            time_limit: until.saturating_duration_since(Instant::now()),
            size_limit: LARGEST + 1,
        };
        let answer = egress.send(request).await.map_err(|error| match error {
            ConnectError::Timeout => Outcome::Slow,
            _ => Outcome::Silent,
        })?;
        if answer.status.is_success() {
            return Ok(answer.body);
        }
        let next = answer.headers.get(LOCATION).and_then(|value| value.to_str().ok());
        let next = next.filter(|_| answer.status.is_redirection()).and_then(|next| url.join(next).ok());
        url = next.ok_or(Outcome::Silent)?;
    }
    Err(Outcome::Silent)
}
