//! `Idempotency-Key`: a call that comes again has its effect once and gets the same reply. Only for calls with an API
//! key; refusals are not kept, so a call that was mended may come again under its key.

use std::sync::OnceLock;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{OriginalUri, Request};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use zeroize::Zeroizing;

use super::Web;
use super::api::{Caller, PLAIN, Refused, Spelling, reply, text_body};
use crate::connect::{
    Connect, CreatedSession, EndpointReply, EndpointView, Error, NewEndpoint, NewSession, Once, Repeat, Turn,
};
use crate::dialects::envelope::Kind;
use crate::kernel::ids::EndpointId;
use crate::kernel::secret::Secret;
use crate::kernel::words::Dialect;

type Answer = Result<Response, Refused>;

/// Says that a reply is that of an earlier call.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The caller's idempotency key, if it sent one.
///
/// # Errors
/// An envelope, when it is not 1 to 255 visible ASCII characters.
pub(super) fn key(caller: &Caller, headers: &HeaderMap) -> Result<Option<String>, Refused> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let visible = value.as_bytes().iter().all(u8::is_ascii_graphic);
    match value.to_str().ok().filter(|key| visible && (1..=255).contains(&key.len())) {
        Some(key) => Ok(Some(key.to_owned())),
        None => {
            let detail = "Idempotency-Key must have 1 to 255 visible ASCII characters";
            Err(caller.refuse(Kind::InvalidParameters.detail(detail)))
        }
    }
}

/// How a call runs.
pub(super) enum Way {
    /// For the first time, with a turn to end when it has an idempotency key.
    First(Option<Turn>),
    /// Again, after its effect: to make the reply anew, and to change nothing.
    Again,
}

impl Way {
    /// The turn to end.
    pub(super) fn turn(self) -> Option<Turn> {
        match self {
            Self::First(turn) => turn,
            Self::Again => None,
        }
    }
}

/// A turn that is given back unless the call had its effect: also when its caller hung up in the middle.
struct Held {
    connect: Connect,
    turn: Option<Turn>,
}

impl Drop for Held {
    fn drop(&mut self) {
        let Some(turn) = self.turn.take() else { return };
        let connect = self.connect.clone();
        tokio::spawn(async move {
            if let Err(error) = connect.give_up_turn(turn).await {
                // It runs out by itself; until then the same call is told to wait.
                tracing::warn!(error = %error, "an idempotency key stays taken for a while");
            }
        });
    }
}

/// Runs a call over its body, once under its idempotency [`key`]. `run` ends the turn that it is given together with its
/// effect; a turn without an effect is given back here.
pub(super) async fn once<Run, Running>(
    web: &Web,
    caller: &Caller,
    key: Option<String>,
    request: Request<Body>,
    status: StatusCode,
    run: Run,
) -> Answer
where
    Run: FnOnce(Value, Way) -> Running,
    Running: Future<Output = Answer>,
{
    // Nested routes see a path without what they are nested under.
    let path = request.extensions().get::<OriginalUri>().map_or(request.uri(), |OriginalUri(uri)| uri).path();
    let route = format!("{} {path}", request.method());
    let (text, body) = text_body(&caller.request, request).await?;
    let Some(key) = key else { return run(body, Way::First(None)).await };
    let repeat = web.connect.take_turn(&caller.key, &route, &key, &text).await;
    match repeat.map_err(|error| caller.fail(error, &PLAIN))? {
        Repeat::First(turn) => {
            let mut held = Held { connect: web.connect.clone(), turn: Some(turn.clone()) };
            let answer = run(body, Way::First(Some(turn))).await;
            if answer.is_ok() {
                held.turn = None;
            } else if let Some(turn) = held.turn.take() {
                // Before the answer, so that a call that was mended can come at once.
                let given_back = web.connect.give_up_turn(turn).await;
                given_back.map_err(|error| caller.fail(error, &PLAIN))?;
            }
            answer
        }
        Repeat::Again(Some(kept)) => {
            let headers = [
                (CONTENT_TYPE, HeaderValue::from_static("application/json")),
                (CACHE_CONTROL, HeaderValue::from_static("no-store")),
                (REPLAYED, HeaderValue::from_static("true")),
            ];
            Ok((status, headers, kept.to_vec()).into_response())
        }
        Repeat::Again(None) => {
            let mut response = run(body, Way::Again).await?;
            response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
            Ok(response)
        }
        Repeat::Running(wait) => {
            let detail = "the same call is running at this moment; ask again when it has ended";
            // Almost every call ends within a second; the longest wait is for one whose server died.
            let wait = wait.clamp(Duration::from_secs(1), Duration::from_secs(5));
            Err(caller.refuse(Kind::IdempotencyInFlight.detail(detail).after(wait)))
        }
        Repeat::OtherBody => {
            let detail =
                "this Idempotency-Key came before with another body; take a fresh key for another request";
            Err(caller.refuse(Kind::IdempotencyKeyReused.detail(detail)))
        }
    }
}

/// Replies to a call whose effect stands; with a turn, the reply is kept. Of an effect that is there without its reply
/// (the server died between the two) a call that comes again has it once more.
pub(super) async fn kept(
    web: &Web,
    caller: &Caller,
    turn: Option<Turn>,
    status: StatusCode,
    said: &Value,
) -> Answer {
    if let Some(turn) = turn {
        let bytes = serde_json::to_vec(said)
            .map(Zeroizing::new)
            .map_err(|error| caller.fail(Error::Internal(format!("writing a reply: {error}")), &PLAIN))?;
        web.connect.keep_reply(turn, bytes).await.map_err(|error| caller.fail(error, &PLAIN))?;
    }
    Ok(reply(status, said))
}

/// Gives an endpoint another secret and replies with what `words` makes of it; with a turn, the reply is kept.
pub(super) async fn rotate_secret(
    web: &Web,
    caller: &Caller,
    (dialect, id): (Dialect, &EndpointId),
    asked: (Option<Secret>, Duration),
    turn: Option<Turn>,
    (spelling, words): (&Spelling, &(dyn Fn(&str) -> Value + Send + Sync)),
) -> Answer {
    let said =
        |view: &EndpointView| words(view.target.secret.as_ref().map(Secret::reveal).unwrap_or_default());
    let bytes = |view: &EndpointView| {
        let bytes = serde_json::to_vec(&said(view));
        bytes.map(Zeroizing::new).map_err(|error| Error::Internal(format!("writing a reply: {error}")))
    };
    let once = turn.map(|turn| (turn, &bytes as EndpointReply<'_>));
    let rotated = web.connect.rotate_secret(dialect, id, asked, once).await;
    let rotated = rotated.map_err(|error| caller.fail(error, spelling))?;
    tracing::info!(endpoint.id = %id, key.id = %caller.key, "an endpoint's secret was exchanged");
    Ok(reply(StatusCode::OK, &said(&rotated)))
}

/// Makes a session and replies with what `words` makes of it; with a turn, the reply is kept.
pub(super) async fn create(
    web: &Web,
    caller: &Caller,
    new: NewSession,
    turn: Option<Turn>,
    (status, spelling): (StatusCode, &Spelling),
    words: &(dyn Fn(&CreatedSession) -> Value + Send + Sync),
) -> Answer {
    let said = OnceLock::new();
    let bytes = |created: &CreatedSession| {
        let bytes = serde_json::to_vec(said.get_or_init(|| words(created)));
        bytes.map(Zeroizing::new).map_err(|error| Error::Internal(format!("writing a reply: {error}")))
    };
    let once = turn.map(|turn| Once { turn, reply: &bytes });
    let created = web.connect.create_session(new, once).await;
    let created = created.map_err(|error| caller.fail(error, spelling))?;
    Ok(reply(status, said.get_or_init(|| words(&created))))
}

/// Makes an endpoint and replies with what `words` makes of it; with a turn, the reply is kept.
pub(super) async fn create_endpoint(
    web: &Web,
    caller: &Caller,
    new: NewEndpoint,
    turn: Option<Turn>,
    (status, spelling): (StatusCode, &Spelling),
    words: &(dyn Fn(&EndpointView) -> Value + Send + Sync),
) -> Answer {
    let bytes = |made: &EndpointView| {
        let bytes = serde_json::to_vec(&words(made));
        bytes.map(Zeroizing::new).map_err(|error| Error::Internal(format!("writing a reply: {error}")))
    };
    let once = turn.map(|turn| (turn, &bytes as EndpointReply<'_>));
    let made = web.connect.create_endpoint(new, once).await.map_err(|error| caller.fail(error, spelling))?;
    tracing::info!(endpoint.id = %made.endpoint.id, key.id = %caller.key, "an endpoint was made");
    Ok(reply(status, &words(&made)))
}
