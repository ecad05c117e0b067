//! A web server over TLS with the pages a test says, by host and path; it counts what was asked.

use super::Background;
use super::certs::{Ca, Leaf};
use axum::body::Bytes;
use http_body_util::Full;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

/// What a path answers.
#[derive(Clone, Debug)]
pub enum Answer {
    /// A file.
    File(String),
    /// Somewhere else.
    Elsewhere(String),
    /// Nothing at all.
    Silence,
}

/// A running server.
pub struct Https {
    asked: Arc<Mutex<Vec<String>>>,
    _thread: Background,
}

impl Https {
    /// Starts one at port 443 of an address, with a certificate for these names. Pages are named `host/path`; every
    /// other is not found.
    pub fn start(ca: &Ca, at: Ipv4Addr, names: &[&str], pages: &[(String, Answer)]) -> Self {
        let files = ca.leaf(Leaf::Good, names);
        let chain: Vec<_> = CertificateDer::pem_file_iter(&files.cert)
            .expect("a certificate")
            .map(|one| one.expect("PEM"))
            .collect();
        let key = PrivateKeyDer::from_pem_file(&files.key).expect("a key");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("protocol versions")
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .expect("a server's settings");
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        // An earlier one at the same address may take a moment to go.
        let listener = super::eventually("port 443 of our own address", super::READY, || {
            std::net::TcpListener::bind(SocketAddr::from((at, 443))).ok()
        });
        listener.set_nonblocking(true).expect("a socket for the runtime");
        let pages: Arc<HashMap<String, Answer>> = Arc::new(pages.iter().cloned().collect());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = asked.clone();
        let thread = Background::run(async move {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a socket");
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, pages, log) = (acceptor.clone(), pages.clone(), log.clone());
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let answer = hyper::service::service_fn(move |request| {
                        answer(request, pages.clone(), log.clone())
                    });
                    drop(
                        hyper::server::conn::http1::Builder::new()
                            .serve_connection(TokioIo::new(stream), answer)
                            .await,
                    );
                });
            }
        });
        Self { asked, _thread: thread }
    }

    /// Everything that was asked: host, path and query.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

async fn answer(
    request: Request<hyper::body::Incoming>,
    pages: Arc<HashMap<String, Answer>>,
    log: Arc<Mutex<Vec<String>>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let host = request.headers().get("host").and_then(|host| host.to_str().ok()).unwrap_or_default();
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    let page = format!("{host}{target}");
    log.lock().unwrap().push(page.clone());
    let response = Response::builder();
    let response = match pages.get(&page) {
        Some(Answer::File(text)) => response.body(Full::from(text.clone())),
        Some(Answer::Elsewhere(url)) => response.status(302).header("location", url).body(Full::default()),
        Some(Answer::Silence) => std::future::pending().await,
        None => response.status(404).body(Full::default()),
    };
    Ok(response.expect("a response"))
}
