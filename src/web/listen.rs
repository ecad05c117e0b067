//! The server's own accept loop. Whoever connects has a bounded time to say something and to read the answer; there
//! are so many connections and no more, and one address cannot have them all. Only HTTP/1.1 is spoken: people's
//! browsers come through a proxy that ends their TLS and speaks whatever they like.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::http::HeaderValue;
use axum::http::header::CONNECTION;
use axum::response::{IntoResponse, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use ipnet::IpNet;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_io_timeout::TimeoutStream;
use tower::util::MapRequestLayer;
use tower::{Layer, ServiceExt};

use super::api::refused;
use super::{Service, limits};
use crate::dialects::envelope::Kind;

/// How long a request's head may take to arrive, the pause since the last request included: longer than proxies keep an
/// idle connection (a minute mostly), so that none is closed here in the moment that one of them uses it again.
const HEAD: Duration = Duration::from_secs(75);
/// How long the other end may take to accept a bit of the answer.
const ANSWER: Duration = Duration::from_secs(30);
/// Largest head of a request, in bytes.
const LARGEST_HEAD: usize = 32 * 1024;
/// So many connections that are one too many are told so at the same time; others are just closed.
const TOLD: usize = 256;
/// How long such a one has to hear it.
const TELLING: Duration = Duration::from_secs(3);

/// The address at the other end of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub(super) SocketAddr);

/// How many connections each address has.
type Counts = Arc<Mutex<HashMap<IpAddr, usize>>>;

/// Connections that are open.
struct Open {
    all: Arc<Semaphore>,
    told: Arc<Semaphore>,
    by_address: Counts,
    /// So many may one address have, unless it is a proxy that speaks for many, or this machine.
    per_address: usize,
    proxies: Vec<IpNet>,
}

/// A connection's place among the open ones.
struct Place {
    _permit: OwnedSemaphorePermit,
    counted: Option<(IpAddr, Counts)>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some((address, open)) = self.counted.take() else { return };
        let Ok(mut open) = open.lock() else { return };
        if let Some(count) = open.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                open.remove(&address);
            }
        }
    }
}

impl Open {
    /// A place, if there is one for this address.
    fn place(&self, peer: IpAddr) -> Option<Place> {
        let permit = self.all.clone().try_acquire_owned().ok()?;
        let peer = peer.to_canonical();
        if peer.is_loopback() || self.proxies.iter().any(|network| network.contains(&peer)) {
            return Some(Place { _permit: permit, counted: None });
        }
        let address = limits::counted(peer);
        let mut open = self.by_address.lock().ok()?;
        let count = open.entry(address).or_default();
        if *count >= self.per_address {
            return None;
        }
        *count += 1;
        drop(open);
        Some(Place { _permit: permit, counted: Some((address, self.by_address.clone())) })
    }
}

/// Serves until `stop` turns true, then lets what is under way end.
pub async fn serve(
    listener: TcpListener,
    service: Service,
    connections: usize,
    proxies: Vec<IpNet>,
    mut stop: watch::Receiver<bool>,
) {
    let open = Open {
        all: Arc::new(Semaphore::new(connections)),
        told: Arc::new(Semaphore::new(TOLD)),
        by_address: Arc::default(),
        per_address: connections.div_ceil(4),
        proxies,
    };
    let graceful = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                rest(&error).await;
                continue;
            }
        };
        // Small answers must not wait for more to send.
        let _ = stream.set_nodelay(true);
        match open.place(peer.ip()) {
            Some(place) => {
                let service = MapRequestLayer::new(move |mut request: hyper::Request<_>| {
                    request.extensions_mut().insert(Peer(peer));
                    request
                })
                .layer(
                    service
                        .clone()
                        .map_request(|request: hyper::Request<Incoming>| request.map(axum::body::Body::new)),
                );
                let connection = http().serve_connection(
                    TokioIo::new(Box::pin(bounded(stream))),
                    TowerToHyperService::new(service),
                );
                let connection = graceful.watch(connection);
                tokio::spawn(async move {
                    if let Err(error) = connection.await {
                        tracing::trace!(%peer, error = %error, "a connection broke");
                    }
                    drop(place);
                });
            }
            None => {
                if let Ok(permit) = open.told.clone().try_acquire_owned() {
                    tokio::spawn(tell(stream, permit));
                }
            }
        }
    }
    drop(listener);
    graceful.shutdown().await;
}

fn http() -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD).max_buf_size(LARGEST_HEAD);
    http
}

/// A stream whose other end must go on reading.
fn bounded(stream: TcpStream) -> TimeoutStream<TcpStream> {
    let mut bounded = TimeoutStream::new(stream);
    bounded.set_write_timeout(Some(ANSWER));
    bounded
}

/// Accepting failed. Either the connection was gone already, or there is no room for it, which passes.
async fn rest(error: &std::io::Error) {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    if !matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset) {
        tracing::error!(error = %error, "connections cannot be accepted");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// Tells one connection too many to come again.
async fn tell(stream: TcpStream, permit: OwnedSemaphorePermit) {
    let full = service_fn(|_: hyper::Request<Incoming>| async { Ok::<_, Infallible>(full()) });
    let connection = http().keep_alive(false).serve_connection(TokioIo::new(stream), full);
    let _ = tokio::time::timeout(TELLING, connection).await;
    drop(permit);
}

fn full() -> Response {
    let detail = "this server has as many connections as it serves at once; try again in a moment";
    let mut response = refused(None, Kind::ServiceUnavailable.detail(detail)).into_response();
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_has_its_share_and_proxies_and_this_machine_have_no_bound_of_their_own() {
        let open = Open {
            all: Arc::new(Semaphore::new(100)),
            told: Arc::new(Semaphore::new(1)),
            by_address: Arc::default(),
            per_address: 2,
            proxies: vec!["2001:db8::5/128".parse().expect("a network")],
        };
        let places = |address: &str| {
            let address: IpAddr = address.parse().expect("an address");
            std::iter::from_fn(|| open.place(address)).take(5).collect::<Vec<_>>()
        };
        for (address, fit) in
            [("203.0.113.1", 2), ("2001:db8:1::1", 2), ("::1", 5), ("127.0.0.1", 5), ("2001:db8::5", 5)]
        {
            assert_eq!(places(address).len(), fit, "{address}");
        }
        let held = places("203.0.113.1");
        assert_eq!((held.len(), places("203.0.113.2").len()), (2, 2));
        drop(held);
        assert_eq!(places("203.0.113.1").len(), 2, "places are given back");
        assert!(open.by_address.lock().expect("a map").is_empty());
    }
}
