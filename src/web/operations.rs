//! Probes for whoever runs the server. They answer on any host, since load balancers ask by address.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;

use super::Web;

/// Clocks further apart than this make leases unsafe.
const SKEW: i64 = 2_000;

pub(super) fn routes() -> Router<Web> {
    Router::new().route("/healthz", get(health)).route("/readyz", get(ready))
}

/// The process lives.
async fn health() -> &'static str {
    "ok\n"
}

/// The database answers and its clock agrees with ours.
async fn ready(State(web): State<Web>) -> (StatusCode, String) {
    match web.connect.store().skew().await {
        Ok(skew) if skew.abs() <= SKEW => (StatusCode::OK, "ready\n".to_owned()),
        Ok(skew) => {
            let why =
                format!("not ready: the database's clock is {skew} ms from this node's; synchronise them\n");
            (StatusCode::SERVICE_UNAVAILABLE, why)
        }
        Err(error) => {
            tracing::warn!(error = %error, "not ready");
            (StatusCode::SERVICE_UNAVAILABLE, "not ready: the database does not answer\n".to_owned())
        }
    }
}
