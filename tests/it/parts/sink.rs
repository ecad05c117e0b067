//! A real HTTP receiver for webhooks: keeps every call in order and answers as the test says, which
//! may change while it runs.

use super::Background;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, Uri};
use axum::response::{IntoResponse, Response};
use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// One call as it arrived.
#[derive(Clone, Debug)]
pub struct Call {
    /// The method.
    pub method: Method,
    /// Path and query.
    pub path: String,
    /// All headers.
    pub headers: HeaderMap,
    /// The exact bytes, for checking a signature.
    pub body: Vec<u8>,
    /// When it had arrived in full.
    pub at: Instant,
}

impl Call {
    /// A header as text; empty when it is missing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("a JSON body")
    }
}

/// How to answer a call.
#[derive(Clone, Debug)]
pub struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
    delay: Duration,
}

impl Answer {
    /// A status with an empty body.
    pub fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: String::new(), delay: Duration::ZERO }
    }

    /// A redirect.
    pub fn redirect(to: &str) -> Self {
        Self::status(302).header("location", to)
    }

    /// An HTML page, for the browser.
    pub fn page(html: &str) -> Self {
        Self::status(200).header("content-type", "text/html; charset=utf-8").body(html)
    }

    /// No answer in any time a client would wait.
    pub fn hang() -> Self {
        Self::status(200).delay(Duration::from_secs(3600))
    }

    /// The same with a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same with a body.
    pub fn body(mut self, body: &str) -> Self {
        body.clone_into(&mut self.body);
        self
    }

    /// The same, but only after a while.
    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }
}

struct Shared {
    calls: Mutex<Vec<Call>>,
    answers: Mutex<(VecDeque<Answer>, Answer)>,
}

/// A running receiver.
pub struct Sink {
    address: SocketAddr,
    shared: Arc<Shared>,
    _thread: Background,
}

impl Sink {
    /// Starts a receiver that answers 200 to everything.
    pub fn start() -> Self {
        Self::start_at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
    }

    /// The same at an address and port of one's own choice.
    pub fn start_at(address: SocketAddr) -> Self {
        let listener = std::net::TcpListener::bind(address).expect("a free port");
        listener.set_nonblocking(true).expect("a socket for the runtime");
        let address = listener.local_addr().expect("its address");
        let answers = Mutex::new((VecDeque::new(), Answer::status(200)));
        let shared = Arc::new(Shared { calls: Mutex::default(), answers });
        let router = axum::Router::new().fallback(receive).with_state(shared.clone());
        let thread = Background::run(async move {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a socket");
            axum::serve(listener, router).await.expect("the receiver serves");
        });
        Self { address, shared, _thread: thread }
    }

    /// Its address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of a path on it.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// From now on every call gets this answer.
    pub fn answer(&self, answer: Answer) {
        *self.shared.answers.lock().expect("the answers") = (VecDeque::new(), answer);
    }

    /// The next calls get these answers in turn; then the standing one holds again.
    pub fn answer_next(&self, answers: impl IntoIterator<Item = Answer>) {
        self.shared.answers.lock().expect("the answers").0.extend(answers);
    }

    /// Every call so far, in order of arrival.
    pub fn calls(&self) -> Vec<Call> {
        self.shared.calls.lock().expect("the calls").clone()
    }

    /// Waits until at least `count` calls have arrived and returns them all.
    pub async fn wait_for(&self, count: usize, within: Duration) -> Vec<Call> {
        let what = format!("call number {count}");
        super::eventually_async(&what, within, async || Some(self.calls()).filter(|c| c.len() >= count)).await
    }
}

async fn receive(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let path = uri.path_and_query().map_or_else(|| uri.path().to_owned(), ToString::to_string);
    let call = Call { method, path, headers, body: body.to_vec(), at: Instant::now() };
    shared.calls.lock().expect("the calls").push(call);
    let answer = {
        let mut answers = shared.answers.lock().expect("the answers");
        answers.0.pop_front().unwrap_or_else(|| answers.1.clone())
    };
    tokio::time::sleep(answer.delay).await;
    let mut response = answer.body.into_response();
    *response.status_mut() = answer.status.try_into().expect("a valid status");
    for (name, value) in &answer.headers {
        let name: axum::http::HeaderName = name.parse().expect("a valid header name");
        response.headers_mut().insert(name, value.parse().expect("a valid header value"));
    }
    response
}
