//! Server-sent events (the HTML standard, 9.2): what a session's holder sees, each time it changes. Streams are a
//! convenience over reading the step: they end after a while, at the session's end and when the server stops, and
//! whoever connects again gets the current view first. Each holds a task and a connection, so both a session and a node
//! have their bounds; whoever gets none asks again by reading, as everybody could.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::http::HeaderValue;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::unfold;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use super::Web;
use crate::connect::{SessionView, View};
use crate::kernel::ids::SessionId;

/// How long one stream lasts.
const LASTS: Duration = Duration::from_secs(300);
/// How long a reader may take to make room for the next event.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often the rows are looked at, should a wake-up be lost.
const POLL: Duration = Duration::from_secs(2);
/// How often a silent stream says that it lives: well below the minute after which proxies cut connections, and often enough
/// for a page to notice soon that it hears nothing.
const ALIVE: Duration = Duration::from_secs(10);

/// Streams of one session.
const PER_SESSION: usize = 2;
/// Streams of one node.
const PER_NODE: usize = 4096;

/// The streams that are open on this node.
#[derive(Clone, Default)]
pub struct Streams(Arc<Mutex<HashMap<SessionId, usize>>>);

/// One open stream; dropping it makes room.
pub struct Open {
    streams: Streams,
    id: SessionId,
}

impl Streams {
    /// Counts one more, if there is room.
    pub fn open(&self, id: &SessionId) -> Option<Open> {
        let mut open = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let all: usize = open.values().sum();
        let own = open.get(id).copied().unwrap_or_default();
        if own >= PER_SESSION || all >= PER_NODE {
            return None;
        }
        open.insert(id.clone(), own + 1);
        Some(Open { streams: self.clone(), id: id.clone() })
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let mut open = self.streams.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(own) = open.get_mut(&self.id) {
            *own -= 1;
            if *own == 0 {
                open.remove(&self.id);
            }
        }
    }
}

/// Whoever follows a session.
pub trait Follower: Send + 'static {
    /// The session, and what shows that it is held.
    fn holds(&self) -> (&SessionId, Option<&str>);

    /// What it is told of a view, and whether that is the last thing; `None` when nothing can be said any more.
    fn event(
        &self,
        web: &Web,
        session: &SessionView,
        view: &View,
    ) -> impl Future<Output = Option<(Event, bool)>> + Send;

    /// How a stream with nothing to tell says that it lives; a comment where nobody but proxies has to know.
    fn alive() -> KeepAlive {
        KeepAlive::new()
    }
}

/// A stream for somebody who follows a session.
pub fn stream<F: Follower>(web: Web, follower: F, open: Open) -> Response {
    let (events, reader) = mpsc::channel(4);
    tokio::spawn(tell(web, follower, open, events));
    let stream = unfold(reader, |mut reader| async {
        let event: Event = reader.recv().await?;
        Some((Ok::<_, Infallible>(event), reader))
    });
    let mut response = Sse::new(stream).keep_alive(F::alive().interval(ALIVE)).into_response();
    // Proxies that gather answers before they pass them on are asked not to.
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

/// Tells the reader what there is to see until one of the ends.
async fn tell(web: Web, follower: impl Follower, open: Open, events: mpsc::Sender<Event>) {
    // Held as long as something is told.
    let _open = open;
    let (ends, mut stop) = (Instant::now() + LASTS, web.stop.clone());
    let mut watching = web.connect.watching();
    let mut told = None;
    while Instant::now() < ends {
        let (id, cookie) = follower.holds();
        let Ok((session, view)) = web.connect.view(id, cookie).await else { return };
        let seen = mark(&view);
        if told != Some(seen) {
            let Some((event, last)) = follower.event(&web, &session, &view).await else { return };
            let sent = timeout(PATIENCE, events.send(event)).await;
            if last || !matches!(sent, Ok(Ok(()))) {
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
pub fn mark(view: &View) -> (u8, i64, i64) {
    match view {
        View::Step { version, code_version, step, .. } => {
            // A code that has ended is gone without anybody having written so.
            (0, *version, *code_version * 2 + i64::from(step.code.is_some()))
        }
        View::Busy { .. } => (1, 0, 0),
        View::Connected { .. } => (2, 0, 0),
        View::Ended { .. } => (3, 0, 0),
        View::NotYours { .. } => (4, 0, 0),
        View::Finishing { .. } => (5, 0, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::clock::Clock;
    use crate::kernel::random::Random;

    #[test]
    fn a_session_has_two_streams_and_room_comes_back() {
        let streams = Streams::default();
        let id = SessionId::new(Clock::system().now(), &Random::system());
        let (one, two) = (streams.open(&id), streams.open(&id));
        assert!(one.is_some() && two.is_some() && streams.open(&id).is_none());
        drop(one);
        assert!(streams.open(&id).is_some());
        drop(two);
        assert!(streams.0.lock().unwrap().is_empty());
    }

    #[test]
    fn a_node_has_its_bound_whatever_the_sessions() {
        let streams = Streams::default();
        let random = Random::system();
        let ids = (0..PER_NODE).map(|_| SessionId::new(Clock::system().now(), &random));
        let open: Vec<_> = ids.map(|id| streams.open(&id)).collect();
        assert!(open.iter().all(Option::is_some));
        assert!(streams.open(&SessionId::new(Clock::system().now(), &random)).is_none());
    }
}
