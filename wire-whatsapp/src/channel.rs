//! A connection: a stream that somebody else made, the WebSocket over it, the greeting, and then nodes both ways.

use crate::certificate::ServerKey;
use crate::curve::KeyPair;
use crate::error::Error;
use crate::frame::{Frames, frame, intro};
use crate::node;
use crate::noise::{Agreed, Cipher, Greeting, PROLOGUE};
use crate::settings::Settings;
use futures_util::{SinkExt, StreamExt};
use http::header::{HeaderValue, ORIGIN};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::timeout;
use tokio_websockets::{ClientBuilder, Limits, Message, WebSocketStream};
use wacore_binary::Node;

/// The longest frame of a server that nothing is linked with yet: its greeting, its codes.
const STRANGER: usize = 64 << 10;
/// The longest frame of a server that a login went through with: messages wait there, some with a history in them.
const ACQUAINTED: usize = 4 << 20;
/// How long a connection that is no longer needed has to say goodbye.
const GOODBYE: Duration = Duration::from_secs(1);

/// The longest answer to the WebSocket's greeting. What is framed later has limits of its own; this has none.
const UPGRADE: usize = 16 << 10;

type Socket = WebSocketStream<Upgrading>;

/// A stream of bytes to the service, secured already where the endpoint says so.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Where to connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target<'a> {
    /// A name or an address.
    pub host: &'a str,
    /// The port.
    pub port: u16,
    /// Whether the stream must be TLS for this host.
    pub secure: bool,
}

/// What a connector gives.
pub type Connecting<'a> = Pin<Box<dyn Future<Output = io::Result<Box<dyn Stream>>> + Send + 'a>>;

/// Makes the streams; nothing in this crate connects by itself. Called under a deadline.
pub trait Connector: Send + Sync {
    /// A stream to the target.
    fn connect<'a>(&'a self, target: Target<'a>) -> Connecting<'a>;
}

/// A connection that was agreed on.
pub(crate) struct Channel {
    socket: Socket,
    frames: Frames,
    limit: usize,
    write: Cipher,
    read: Cipher,
}

/// A stream of which only so much is read.
struct Upgrading {
    stream: Box<dyn Stream>,
    left: usize,
}

impl AsyncRead for Upgrading {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let left = self.left;
        if left == 0 {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, "an answer without an end")));
        }
        if left == usize::MAX {
            return Pin::new(&mut self.stream).poll_read(cx, buf);
        }
        let mut piece = [0; 1024];
        let size = left.min(buf.remaining()).min(piece.len());
        let mut part = ReadBuf::new(&mut piece[..size]);
        let result = Pin::new(&mut self.stream).poll_read(cx, &mut part);
        buf.put_slice(part.filled());
        self.left = left - part.filled().len();
        result
    }
}

impl AsyncWrite for Upgrading {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// As whom a device connects.
pub(crate) struct Caller<'a> {
    pub noise: &'a KeyPair,
    pub payload: Vec<u8>,
    pub known: Option<ServerKey>,
    pub routing: Option<&'a [u8]>,
}

impl Channel {
    /// Connects and agrees on keys, within the deadline for that.
    pub async fn open(
        settings: &Settings,
        connector: &dyn Connector,
        caller: Caller<'_>,
    ) -> Result<(Self, ServerKey), Error> {
        timeout(settings.deadlines.connect, Self::greet(settings, connector, caller))
            .await
            .map_err(|_| Error::Timeout("the connection"))?
    }

    async fn greet(
        settings: &Settings,
        connector: &dyn Connector,
        caller: Caller<'_>,
    ) -> Result<(Self, ServerKey), Error> {
        const ENDPOINT: Error = Error::Input("endpoint: not wss://host[:port]/path");
        let address: http::Uri = settings.endpoint.parse().map_err(|_| ENDPOINT)?;
        let secure = match address.scheme_str() {
            Some("wss") => true,
            Some("ws") => false,
            _ => return Err(ENDPOINT),
        };
        let host = address.host().ok_or(ENDPOINT)?.trim_matches(['[', ']']).to_owned();
        let port = address.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let stream = connector
            .connect(Target { host: &host, port, secure })
            .await
            .map_err(|error| Error::Connect(error.to_string()))?;
        let stream = Upgrading { stream, left: UPGRADE };
        let failed = |error: tokio_websockets::Error| Error::Connect(error.to_string());
        let (mut socket, _) = ClientBuilder::from_uri(address)
            .add_header(ORIGIN, HeaderValue::from_static("https://web.whatsapp.com"))
            .map_err(failed)?
            .limits(Limits::default().max_payload_len(Some(STRANGER)))
            .connect_on(stream)
            .await
            .map_err(failed)?;
        socket.get_mut().left = usize::MAX;
        let mut pipe = Pipe { socket, frames: Frames::new(STRANGER) };

        let now = (settings.clock)();
        let known = caller.known.filter(|server| server.not_after == 0 || server.not_after > now);
        let (greeting, hello) = Greeting::new(caller.noise, caller.payload, known)?;
        pipe.send(frame(&intro(caller.routing, &PROLOGUE), &hello)?).await?;
        let answer = pipe.receive().await?;
        let (Agreed { write, read, server }, finish) = greeting.answer(&answer, &settings.root)?;
        if let Some(finish) = finish {
            pipe.send(frame(&[], &finish)?).await?;
        }
        let Pipe { socket, frames } = pipe;
        Ok((Self { socket, frames, limit: STRANGER, write, read }, server))
    }

    /// From now on the server may send longer frames: a login went through.
    pub fn acquainted(&mut self) {
        self.limit = ACQUAINTED;
        self.frames.limit(ACQUAINTED);
        self.socket.limits_mut().set_max_payload_len(Some(ACQUAINTED));
    }

    /// Sends a node.
    pub async fn send(&mut self, node: &Node) -> Result<(), Error> {
        let sealed = self.write.seal(&node::write(node)?)?;
        send(&mut self.socket, frame(&[], &sealed)?).await
    }

    /// The next node. Nothing is lost when the call is given up.
    pub async fn receive(&mut self) -> Result<Node, Error> {
        let sealed = receive(&mut self.socket, &mut self.frames).await?;
        let opened = self.read.open(sealed)?;
        node::read(&opened, self.limit)
    }

    /// Says goodbye. A server that does not answer is not waited for.
    pub async fn close(mut self) {
        let _ = timeout(GOODBYE, self.socket.close()).await;
    }
}

/// A connection before there are keys.
struct Pipe {
    socket: Socket,
    frames: Frames,
}

impl Pipe {
    async fn send(&mut self, bytes: Vec<u8>) -> Result<(), Error> {
        send(&mut self.socket, bytes).await
    }

    async fn receive(&mut self) -> Result<Vec<u8>, Error> {
        receive(&mut self.socket, &mut self.frames).await
    }
}

/// How long the other end may leave what is sent to it unread.
const UNREAD: Duration = Duration::from_secs(20);

async fn send(socket: &mut Socket, bytes: Vec<u8>) -> Result<(), Error> {
    let sent = timeout(UNREAD, socket.send(Message::binary(bytes))).await;
    sent.map_err(|_| Error::Timeout("something sent"))?.map_err(broken)
}

async fn receive(socket: &mut Socket, frames: &mut Frames) -> Result<Vec<u8>, Error> {
    loop {
        if let Some(frame) = frames.next()? {
            return Ok(frame);
        }
        let message = socket.next().await.ok_or(Error::Closed)?.map_err(broken)?;
        if message.is_binary() {
            frames.push(message.as_payload())?;
        }
    }
}

fn broken(error: tokio_websockets::Error) -> Error {
    match error {
        tokio_websockets::Error::PayloadTooLong { .. } => Error::Protocol("a message longer than allowed"),
        tokio_websockets::Error::Protocol(_) => Error::Protocol("what is no WebSocket"),
        _ => Error::Closed,
    }
}
