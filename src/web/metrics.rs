//! What Prometheus reads, on a listener of its own: it says how much goes on here, which is nobody else's business.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderName};
use axum::routing::get;

use crate::connect::Connect;
use crate::kernel::figures::figures;

/// The OpenMetrics text format.
const FORMAT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The whole listener: `/metrics` and nothing else.
pub fn metrics(connect: Connect) -> Router {
    Router::new().route("/metrics", get(show)).with_state(connect)
}

type Answer = (StatusCode, [(HeaderName, &'static str); 1], String);

async fn show(State(connect): State<Connect>) -> Answer {
    match connect.backlog().await {
        Ok(()) => (StatusCode::OK, [(CONTENT_TYPE, FORMAT)], figures().text()),
        Err(error) => {
            tracing::warn!(error = %error, "the figures could not be read");
            let why = "the database does not answer\n".to_owned();
            (StatusCode::SERVICE_UNAVAILABLE, [(CONTENT_TYPE, "text/plain")], why)
        }
    }
}
