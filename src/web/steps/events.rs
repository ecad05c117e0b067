//! The event stream of the steps API: a session's view as its holder reads it, each time it changes.

use axum::extract::State;
use axum::response::sse::Event;

use std::time::Duration;

use super::{Answer, Holder};
use crate::connect::{SessionView, View};
use crate::dialects::envelope::Kind;
use crate::dialects::steps as words;
use crate::kernel::ids::SessionId;
use crate::web::Web;
use crate::web::api::refused;
use crate::web::streams::{self, Follower};

/// `GET /v1/steps/{session}/events`: 200; 401 when the token does not hold the session; 429 when too many are open.
pub(super) async fn stream(State(web): State<Web>, holder: Holder) -> Answer {
    let (session, view) =
        web.connect.view(&holder.id, Some(&holder.token)).await.map_err(|error| holder.fail(error))?;
    holder.seen(&web, &session, &view).await?;
    let Some(open) = web.streams.open(&holder.id) else {
        let detail = "too many event streams are open; close one, or read the step every few seconds instead";
        let full = Kind::TooManyRequests.detail(detail).after(Duration::from_secs(5));
        return Err(refused(Some(&holder.request), full));
    };
    Ok(streams::stream(web, holder, open))
}

impl Follower for Holder {
    fn holds(&self) -> (&SessionId, Option<&str>) {
        (&self.id, Some(&self.token))
    }

    async fn event(&self, web: &Web, session: &SessionView, view: &View) -> Option<(Event, bool)> {
        let words = self.words(web, session, view).await.ok()?;
        let gone = words.is_none();
        let text = words.unwrap_or_else(words::gone).to_string();
        Some((Event::default().event(if gone { "gone" } else { "session" }).data(text), gone))
    }
}
