//! The event stream of a wizard's page that moves on by itself: it says that there is something else to see, and nothing of
//! what it is, so that a page is drawn in one place only.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive};
use axum::response::{IntoResponse, Response};

use super::super::Web;
use super::super::extract::Segment;
use super::super::streams::{self, Follower, mark};
use super::browser::Browser;
use crate::connect::{SessionView, View};
use crate::kernel::ids::SessionId;

/// A browser that looks at a page.
struct Looking {
    id: SessionId,
    cookie: Option<String>,
}

/// `GET /wizard/{session}/events`: 200; 204, which ends a browser's asking, where nothing more will come or the browser does
/// not hold the session; 503 when too many are open.
pub(super) async fn stream(State(web): State<Web>, browser: Browser, Segment(id): Segment) -> Response {
    let Ok(id) = id.parse::<SessionId>() else { return StatusCode::NO_CONTENT.into_response() };
    let cookie = browser.cookie_of(&id);
    match web.connect.view(&id, cookie.as_deref()).await {
        Ok((_, view)) if view.attempt().is_some() => {}
        _ => return StatusCode::NO_CONTENT.into_response(),
    }
    match web.streams.open(&id) {
        Some(open) => streams::stream(web, Looking { id, cookie }, open),
        None => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

impl Follower for Looking {
    fn holds(&self) -> (&SessionId, Option<&str>) {
        (&self.id, self.cookie.as_deref())
    }

    async fn event(&self, _: &Web, _: &SessionView, view: &View) -> Option<(Event, bool)> {
        let (kind, version, code) = mark(view);
        Some((
            Event::default().event("moved").data(format!("{kind}.{version}.{code}")),
            view.attempt().is_none(),
        ))
    }

    /// An event, since scripts do not see comments: a page that hears nothing for a while looks by itself, also where
    /// something on the way keeps the stream open and holds back what comes over it.
    fn alive() -> KeepAlive {
        KeepAlive::new().event(Event::default().event("alive").data("1"))
    }
}
