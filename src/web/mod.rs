//! The mouths: the public APIs, the wizard's pages, and the operator's probes. A handler extracts, translates,
//! makes one call to a use case and translates back; it holds no rule and no SQL.

mod api;
mod audit;
mod credentials;
mod document;
mod extract;
mod front;
mod import;
mod limits;
mod listen;
mod metrics;
mod operations;
mod postpress;
mod repeats;
mod riposte;
mod security;
mod steps;
mod streams;
mod webhooks;
mod wizard;

#[cfg(fuzzing)]
pub mod fuzzing {
    //! What the fuzz targets call.
    pub use super::wizard::fuzzed as callback;
}

pub use limits::LimitSettings;
pub use listen::serve;
pub use metrics::metrics;
pub use postpress::new_session;

use std::collections::BTreeSet;
use std::ops::Deref;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::response::Response;
use tokio::sync::watch;
use tower::ServiceExt;
use tower::util::BoxCloneSyncService;

use crate::config::PublicUrl;
use crate::connect::Connect;
use crate::pages::Pages;

/// What the routes stand on. Every layer of every request clones it, so it is one pointer.
#[derive(Clone)]
pub struct Web(Arc<Inner>);

/// What [`Web`] points to.
pub struct Inner {
    connect: Connect,
    pages: Pages,
    settings: Settings,
    /// Unknown fields that were logged before.
    noticed: Mutex<BTreeSet<String>>,
    limits: limits::Limits,
    streams: streams::Streams,
    stop: watch::Receiver<bool>,
}

impl Deref for Web {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

/// What the routes are told by the configuration.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How people reach this server.
    pub public_url: PublicUrl,
    /// The product that asks.
    pub product_name: Option<String>,
    /// How often one caller may ask.
    pub limits: LimitSettings,
}

/// The whole service, for any HTTP server.
pub type Service = BoxCloneSyncService<Request<Body>, Response, std::convert::Infallible>;

impl Web {
    /// Puts it together. What would go on for long ends when `stop` turns true.
    pub fn new(connect: Connect, pages: Pages, settings: Settings, stop: watch::Receiver<bool>) -> Self {
        Self(Arc::new(Inner {
            connect,
            limits: limits::Limits::new(&settings.limits),
            pages,
            settings,
            noticed: Mutex::default(),
            streams: streams::Streams::default(),
            stop,
        }))
    }

    /// All routes behind one front.
    pub fn service(self) -> Service {
        let hosted = Router::new()
            .merge(postpress::routes())
            .merge(credentials::routes())
            .merge(audit::routes())
            .merge(import::routes())
            .merge(riposte::routes())
            .merge(steps::routes())
            .merge(security::routes())
            .merge(wizard::routes())
            .merge(document::routes())
            .fallback(api::no_such_route)
            .method_not_allowed_fallback(api::no_such_method)
            .layer(axum::middleware::from_fn_with_state(self.clone(), front::only_our_hosts))
            .layer(axum::middleware::from_fn_with_state(self.clone(), limits::per_address));
        let all = operations::routes()
            .merge(hosted)
            .layer(axum::middleware::from_fn_with_state(self.clone(), front::catch))
            .layer(axum::middleware::from_fn(front::accompany))
            .with_state(self);
        // Clients that end their base URL with a slash ask for //v1/…, so paths are mended before routing.
        BoxCloneSyncService::new(all.map_request(front::collapse_slashes))
    }
}
