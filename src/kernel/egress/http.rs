//! One HTTP/1.1 exchange over a checked connection. Redirects are not followed: whoever wants one followed
//! asks again, and the new address is checked like the first.

use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::header::{HOST, HeaderMap, HeaderValue, USER_AGENT};
use hyper::{Method, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;
use url::Url;

use super::{ConnectError, Egress};

const AGENT: &str = concat!("Vestibule/", env!("CARGO_PKG_VERSION"));

/// What to ask.
#[derive(Debug)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// `http` or `https`, without credentials of its own.
    pub url: Url,
    /// Headers; `Host`, `User-Agent` and the length are added.
    pub headers: HeaderMap,
    /// The body, whole.
    pub body: Bytes,
    /// For everything from the name look-up to the answer's last byte.
    pub time_limit: Duration,
    /// The answer's body is cut here, in bytes.
    pub size_limit: usize,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body's first bytes, up to the request's limit.
    pub body: Vec<u8>,
    /// What cut the body off before its end or the limit.
    pub cut_off: Option<ConnectError>,
}

impl Egress {
    /// Sends one request and reads its answer, whole.
    ///
    /// # Errors
    /// See [`ConnectError`]. After [`ConnectError::Timeout`] and [`ConnectError::Broken`] the other side may
    /// have acted on the request.
    pub async fn send(&self, request: Request) -> Result<Answer, ConnectError> {
        let answer = self.call(request).await?;
        answer.cut_off.map_or(Ok(answer), Err)
    }

    /// The same for whoever asks for the status: an answer whose head is there is one, whatever becomes of its body.
    ///
    /// # Errors
    /// As [`Egress::send`], of what comes before the body.
    pub async fn call(&self, request: Request) -> Result<Answer, ConnectError> {
        let deadline = Instant::now() + request.time_limit;
        let host = request.url.host_str().ok_or(ConnectError::HostNotFound)?.to_owned();
        let port = request.url.port_or_known_default().ok_or(ConnectError::HostNotFound)?;
        match request.url.scheme() {
            "https" => {
                let stream = within(deadline, self.connect_tls(&host, port, deadline)).await?;
                exchange(stream, request, deadline).await
            }
            "http" => {
                let stream = within(deadline, self.connect(&host, port, deadline)).await?;
                exchange(stream, request, deadline).await
            }
            _ => Err(ConnectError::Protocol),
        }
    }
}

async fn within<T>(
    deadline: Instant,
    work: impl Future<Output = Result<T, ConnectError>>,
) -> Result<T, ConnectError> {
    tokio::time::timeout_at(deadline, work).await.unwrap_or(Err(ConnectError::Timeout))
}

async fn exchange<S>(stream: S, request: Request, deadline: Instant) -> Result<Answer, ConnectError>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let shaking = async {
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| trouble(&error))
    };
    let (mut sender, connection) = within(deadline, shaking).await?;
    // The connection is driven beside the exchange and dropped with it: nothing outlives this call. When it
    // ends first, the answer may still be waiting in memory, so the exchange has the last word.
    let answer = ask(&mut sender, request, deadline);
    tokio::pin!(answer);
    tokio::select! {
        answer = &mut answer => answer,
        _ = connection => answer.await,
    }
}

async fn ask(
    sender: &mut hyper::client::conn::http1::SendRequest<Full<Bytes>>,
    request: Request,
    deadline: Instant,
) -> Result<Answer, ConnectError> {
    let authority = match (request.url.host_str(), request.url.port()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (Some(host), None) => host.to_owned(),
        (None, _) => return Err(ConnectError::HostNotFound),
    };
    let target = match request.url.query() {
        Some(query) => format!("{}?{query}", request.url.path()),
        None => request.url.path().to_owned(),
    };
    let mut outgoing = hyper::Request::new(Full::new(request.body));
    *outgoing.method_mut() = request.method;
    *outgoing.uri_mut() = target.parse().map_err(|_| ConnectError::Protocol)?;
    *outgoing.headers_mut() = request.headers;
    let authority = HeaderValue::from_str(&authority).map_err(|_| ConnectError::Protocol)?;
    outgoing.headers_mut().insert(HOST, authority);
    outgoing.headers_mut().entry(USER_AGENT).or_insert(HeaderValue::from_static(AGENT));
    let answering = async { sender.send_request(outgoing).await.map_err(|error| trouble(&error)) };
    let (head, mut incoming) = within(deadline, answering).await?.into_parts();
    let (mut body, mut cut_off) = (Vec::new(), None);
    while body.len() < request.size_limit {
        let frame = async { incoming.frame().await.transpose().map_err(|error| trouble(&error)) };
        match within(deadline, frame).await {
            Ok(None) => break,
            Ok(Some(frame)) => {
                if let Ok(data) = frame.into_data() {
                    let room = request.size_limit - body.len();
                    body.extend_from_slice(&data[..data.len().min(room)]);
                }
            }
            Err(error) => {
                cut_off = Some(error);
                break;
            }
        }
    }
    Ok(Answer { status: head.status, headers: head.headers, body, cut_off })
}

fn trouble(error: &hyper::Error) -> ConnectError {
    if error.is_parse() { ConnectError::Protocol } else { ConnectError::Broken }
}
