//! Measures how quickly calls go out: a server with many events to tell to several endpoints, beside a bare client loop
//! that makes the same calls, as many at a time, with the same durable writes before and after each. Run by `cargo xtask
//! bench`; it prints a table and never fails because of a number.
//!
//! Both take turns (A B A B …), so a noisy machine disturbs both alike. The bare loop claims, keeps the body and writes the
//! try down through the server's own store, so it syncs as often; it renders nothing, signs nothing, resolves no name and
//! checks no address.

#![expect(clippy::unwrap_used, reason = "what cannot be measured ends the measurement")]
#![expect(clippy::allow_attributes, reason = "parts and harness are libraries for the tests they belong to")]

#[path = "../../tests/it/app/mod.rs"]
#[allow(dead_code, unused_imports, missing_docs, reason = "what the tests need besides")]
mod app;
#[path = "../../tests/it/parts/mod.rs"]
#[allow(dead_code, unused_imports, missing_docs, reason = "what the tests need besides")]
mod parts;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use app::App;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use parts::sink::Sink;
use serde_json::json;
use tokio::task::JoinSet;
use vestibule::kernel::clock::{Clock, Millis};
use vestibule::kernel::ids::{EndpointId, SessionId};
use vestibule::kernel::random::{Random, Token};
use vestibule::kernel::seal::{Key, KeyRing};
use vestibule::kernel::words::{DeliveryState, Dialect, EndpointState, EventKind, Purpose};
use vestibule::store::{Address, Delivery, Due, Endpoint, Session, Store, Try, sqlite_url};
use zeroize::Zeroizing;

/// What there is to tell, and to how many endpoints.
const EVENTS: usize = 250;
const ENDPOINTS: usize = 16;
const ROUNDS: usize = 5;
/// Calls at a time to one endpoint: the server's own bound.
const PLACES: i64 = 4;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(measure());
}

async fn measure() {
    let calls = EVENTS * ENDPOINTS;
    println!("| delivery of {calls} calls to {ENDPOINTS} endpoints | calls/s | bare loop | ratio | aim |");
    println!("| --- | ---: | ---: | ---: | ---: |");
    let mut rounds = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        rounds.push((ours().await, bare().await));
    }
    let median = |read: fn(&(f64, f64)) -> f64| {
        let mut all: Vec<f64> = rounds.iter().map(read).collect();
        all.sort_by(f64::total_cmp);
        all[all.len() / 2]
    };
    println!(
        "| median of {ROUNDS} | {:.0} | {:.0} | **{:.2}** | 0.5 |",
        median(|(ours, _)| *ours),
        median(|(_, bare)| *bare),
        median(|(ours, bare)| ours / bare)
    );
}

/// Calls a second at the receiver, between the first and the last.
async fn rate(sink: &Sink, calls: usize) -> f64 {
    let seen = sink.wait_for(calls, Duration::from_secs(120)).await;
    let took = seen[calls - 1].at - seen[0].at;
    (calls - 1) as f64 / took.as_secs_f64()
}

/// The server: what happened before is told to endpoints that are new.
async fn ours() -> f64 {
    let sink = Sink::start();
    let app = App::with(&[("REQUESTS_PER_MINUTE", "0"), ("LOG", "warn")]);
    for _ in 0..EVENTS {
        let link = app.link(json!({})).await;
        app.api("DELETE", &format!("/v1/hosted/accounts/link/{}", link.id), None).await;
    }
    let mut made = Vec::with_capacity(ENDPOINTS);
    for at in 0..ENDPOINTS {
        let body = json!({ "url": sink.url(&format!("/{at}")) });
        let reply = app.api("POST", "/webhooks/endpoints", Some(body)).await.json();
        made.push(reply["id"].as_str().unwrap().to_owned());
    }
    for id in made {
        let body = json!({ "since": "2026-01-01T00:00:00.000Z" });
        let reply = app.api("POST", &format!("/webhooks/endpoints/{id}/replay"), Some(body)).await;
        assert_eq!(reply.json()["deliveries"], EVENTS);
    }
    rate(&sink, EVENTS * ENDPOINTS).await
}

/// The bare loop over the same rows.
async fn bare() -> f64 {
    let sink = Sink::start();
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let (clock, random) = (Clock::system(), Random::system());
    let address = Address { url: sqlite_url(&folder.path().join("bare.db")), connections: 8 };
    let ring = KeyRing::new(vec![Key::generate(&random)], random.clone()).unwrap();
    let store = Store::open(&address, ring, clock.clone(), random.clone()).await.unwrap();
    let endpoints: Vec<Endpoint> = (0..ENDPOINTS).map(|at| endpoint(at, clock.now(), &random)).collect();
    for _ in 0..EVENTS {
        let context = (session(clock.now(), &random), endpoints.clone());
        let told = store.write(context, |(session, endpoints), tx| {
            Box::pin(async move {
                tx.insert_session(session).await?;
                let event = tx.append_session_event(&session.id, EventKind::SessionRevoked, &[]).await?;
                for endpoint in endpoints {
                    tx.enqueue(&event, endpoint).await?;
                }
                Ok(())
            })
        });
        told.await.unwrap();
    }
    let mut lanes = JoinSet::new();
    for endpoint in endpoints {
        lanes.spawn(lane(store.clone(), clock.clone(), endpoint.lane, sink.address()));
    }
    let rate = rate(&sink, EVENTS * ENDPOINTS).await;
    lanes.join_all().await;
    rate
}

/// One endpoint's calls, a few at a time.
async fn lane(store: Store, clock: Clock, lane: String, to: SocketAddr) {
    let mut calls = JoinSet::new();
    loop {
        let limit = PLACES - calls.len() as i64;
        let now = clock.now();
        let due = Due {
            by: "bare".to_owned(),
            now,
            until: now.after(Duration::from_secs(40)),
            lane: lane.clone(),
            limit,
        };
        let claimed = store.write(due, |due, tx| Box::pin(tx.claim_deliveries(due))).await.unwrap();
        for delivery in claimed {
            calls.spawn(call(store.clone(), clock.clone(), delivery, to));
        }
        if calls.join_next().await.is_none() {
            return;
        }
    }
}

async fn call(store: Store, clock: Clock, delivery: Delivery, to: SocketAddr) {
    let body = Bytes::from(vec![b'x'; 220]);
    let context = (delivery.id.clone(), body.clone());
    store.write(context, |(id, body), tx| Box::pin(tx.keep_body(id, body))).await.unwrap();
    let (at, began) = (clock.now(), Instant::now());
    let status = post(to, body).await;
    let took = i64::try_from(began.elapsed().as_millis()).unwrap();
    let tried = Try { number: 1, at, took, status: Some(status), problem: None, answer: Some(Vec::new()) };
    store
        .write((delivery, tried, at), |(delivery, tried, at), tx| {
            Box::pin(tx.finish_try(delivery, DeliveryState::Done, *at, tried))
        })
        .await
        .unwrap();
}

/// A call over a connection of its own, as the server's are.
#[expect(clippy::disallowed_methods, reason = "the bare loop is a client of its own")]
async fn post(to: SocketAddr, body: Bytes) -> i64 {
    let stream = tokio::net::TcpStream::connect(to).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    let driven = tokio::spawn(connection);
    let request = hyper::Request::post("/").header("host", to.to_string()).body(Full::new(body)).unwrap();
    let answer = sender.send_request(request).await.unwrap();
    let status = i64::from(answer.status().as_u16());
    answer.into_body().collect().await.unwrap();
    driven.abort();
    status
}

fn endpoint(at: usize, now: Millis, random: &Random) -> Endpoint {
    Endpoint {
        id: EndpointId::new(now, random),
        version: 1,
        dialect: Dialect::Riposte,
        // A session's own, so that it is told what this loop tells it, and nothing by itself.
        session_id: Some(SessionId::new(now, random)),
        lane: at.to_string(),
        wanted: Vec::new(),
        target: Zeroizing::new(Vec::new()),
        state: EndpointState::Enabled,
        some_accounts: false,
        created_at: now,
    }
}

fn session(now: Millis, random: &Random) -> Session {
    Session {
        providers: vec!["imap".to_owned()],
        ..Session::unopened(
            SessionId::new(now, random),
            Dialect::Riposte,
            Purpose::Create,
            Token::new(random).hash(),
            Zeroizing::new(b"{}".to_vec()),
            now,
            now.after(Duration::from_secs(3600)),
        )
    }
}
