//! Server-sent events (the HTML standard, 9.2): what a session's holder sees, each time it changes. Streams are a
//! convenience over reading the step: they end after a while, at the session's end and when the server stops, and
//! whoever connects again gets the current view first.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderValue;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::unfold;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use super::streams::Open;
use super::{Answer, Holder};
use crate::connect::View;
use crate::dialects::envelope::Kind;
use crate::dialects::steps as words;
use crate::web::Web;
use crate::web::api::refused;

/// How long one stream lasts.
const LASTS: Duration = Duration::from_secs(300);
/// How long a reader may take to make room for the next event.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often the rows are looked at, should a wake-up be lost.
const POLL: Duration = Duration::from_secs(2);
/// How often a silent stream says that it lives: below the minute after which proxies cut connections.
const ALIVE: Duration = Duration::from_secs(15);

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
    let (events, reader) = mpsc::channel(4);
    tokio::spawn(tell(web, holder, open, events));
    let stream = unfold(reader, |mut reader| async {
        let event: Event = reader.recv().await?;
        Some((Ok::<_, Infallible>(event), reader))
    });
    Ok(headed(Sse::new(stream).keep_alive(KeepAlive::new().interval(ALIVE)).into_response()))
}

/// Proxies that gather answers before they pass them on are asked not to.
fn headed(mut response: Response) -> Response {
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

/// Tells the reader what there is to see until one of the ends.
async fn tell(web: Web, holder: Holder, open: Open, events: mpsc::Sender<Event>) {
    // Held as long as something is told.
    let _open = open;
    let (ends, mut stop) = (Instant::now() + LASTS, web.stop.clone());
    let mut watching = web.connect.watching();
    let mut told = None;
    while Instant::now() < ends {
        let Ok((session, view)) = web.connect.view(&holder.id, Some(&holder.token)).await else { return };
        let seen = mark(&view);
        if told != Some(seen) {
            let Ok(words) = holder.words(&web, &session, &view).await else { return };
            let gone = words.is_none();
            let text = words.unwrap_or_else(words::gone).to_string();
            let event = Event::default().event(if gone { "gone" } else { "session" }).data(text);
            let sent = timeout(PATIENCE, events.send(event)).await;
            if gone || !matches!(sent, Ok(Ok(()))) {
                return;
            }
            told = Some(seen);
        }
        let Some(attempt) = view.attempt() else { return };
        tokio::select! {
            () = watching.moved(attempt, POLL) => {}
            () = events.closed() => return,
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

/// What tells two views of one holder apart.
fn mark(view: &View) -> (u8, i64) {
    match view {
        View::Step { version, .. } => (0, *version),
        View::Busy { .. } => (1, 0),
        View::Connected { .. } => (2, 0),
        View::Ended { .. } => (3, 0),
        View::NotYours { .. } => (4, 0),
        View::Finishing { .. } => (5, 0),
    }
}
