//! Proofs of the name server, the webhook receiver and the runtime under them.

use crate::parts::dns::{Answer as Says, Dns, Kind};
use crate::parts::sink::{Answer, Sink};
use crate::parts::{READY, dial};
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};

fn resolver(dns: &Dns) -> TokioResolver {
    let mut connection = ConnectionConfig::udp();
    connection.port = dns.address().port();
    let server = NameServerConfig::new(dns.address().ip(), true, vec![connection]);
    let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
    TokioResolver::builder_with_config(config, TokioRuntimeProvider::default()).build().unwrap()
}

async fn addresses(resolver: &TokioResolver, name: &str) -> Vec<IpAddr> {
    let found = resolver.ipv4_lookup(name).await;
    found
        .map(|found| found.answers().iter().filter_map(|record| record.data.ip_addr()).collect())
        .unwrap_or_default()
}

#[tokio::test]
async fn a_name_changes_its_answer_from_one_query_to_the_next() {
    let dns = Dns::start();
    let public = IpAddr::from(Ipv4Addr::new(93, 184, 215, 14));
    let loopback = IpAddr::from(Ipv4Addr::LOCALHOST);
    dns.script("rebind.example.test", vec![Says::one(public), Says::one(loopback)]);
    let resolver = resolver(&dns);
    assert_eq!(addresses(&resolver, "rebind.example.test.").await, [public]);
    assert_eq!(addresses(&resolver, "Rebind.example.test.").await, [loopback]);
    assert_eq!(addresses(&resolver, "rebind.example.test.").await, [loopback]);
    assert_eq!(dns.queries("rebind.example.test", Kind::A), 3);
    assert_eq!(dns.queries("rebind.example.test", Kind::Aaaa), 0);

    dns.answer("rebind.example.test", Says::Addresses(vec![public, Ipv6Addr::LOCALHOST.into()]));
    assert_eq!(addresses(&resolver, "rebind.example.test.").await, [public]);
    let six = resolver.ipv6_lookup("rebind.example.test.").await.unwrap();
    assert_eq!(six.answers()[0].data.ip_addr(), Some(Ipv6Addr::LOCALHOST.into()));
    assert!(resolver.ipv4_lookup("unknown.example.test.").await.unwrap_err().is_nx_domain());
}

fn post(sink: &Sink, path: &str, body: &str) -> String {
    let mut stream = dial(sink.address()).unwrap();
    let length = body.len();
    let head = format!("POST {path} HTTP/1.1\r\nhost: sink\r\nwebhook-id: m1\r\nconnection: close\r\n");
    write!(stream, "{head}content-length: {length}\r\n\r\n{body}").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[tokio::test]
async fn the_sink_keeps_calls_in_order_and_answers_as_told() {
    let sink = Sink::start();
    assert!(post(&sink, "/hooks?a=b", r#"{"n":1}"#).starts_with("HTTP/1.1 200"));
    sink.answer_next([Answer::status(503).header("retry-after", "7"), Answer::redirect("/elsewhere")]);
    assert!(post(&sink, "/hooks", r#"{"n":2}"#).contains("retry-after: 7"));
    assert!(post(&sink, "/hooks", r#"{"n":3}"#).contains("location: /elsewhere"));
    sink.answer(Answer::status(410).delay(Duration::from_millis(300)));
    let start = Instant::now();
    assert!(post(&sink, "/hooks", r#"{"n":4}"#).starts_with("HTTP/1.1 410"));
    assert!(start.elapsed() >= Duration::from_millis(300));

    let calls = sink.wait_for(4, READY).await;
    let numbers: Vec<_> = calls.iter().map(|call| call.json()["n"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [1, 2, 3, 4]);
    assert_eq!((calls[0].path.as_str(), calls[0].header("webhook-id")), ("/hooks?a=b", "m1"));
}

#[test]
fn a_hanging_sink_stops_with_its_test() {
    let sink = Sink::start();
    sink.answer(Answer::hang());
    let mut stream = dial(sink.address()).unwrap();
    write!(stream, "GET / HTTP/1.1\r\nhost: sink\r\n\r\n").unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    assert!(stream.read(&mut [0]).is_err(), "no answer yet");
    let start = Instant::now();
    drop(sink);
    assert!(start.elapsed() < Duration::from_secs(5));
}
