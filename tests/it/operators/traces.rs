//! Traces: from the backend's request over the wizard and the mail server's call to the call that tells it, one trace,
//! as a collector receives it.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use serde_json::json;

use crate::app::http::send;
use crate::app::mailbox::{ADDRESS, PASSWORD};
use crate::app::person::Person;
use crate::app::{App, Link, in_an_hour};
use crate::parts::READY;
use crate::parts::postgres::schema;
use crate::parts::sink::Sink;
use crate::proofs::nodes::two_nodes;
use crate::proofs::walk::{calls, mailbox, succeeded};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";

/// Makes a link from a place in the backend's own trace.
async fn traced_link(app: &App, sink: &Sink) -> Link {
    let parent = format!("00-{TRACE}-{CALLER}-01");
    let headers = [("x-api-key", app.key()), ("traceparent", &parent)];
    let body = json!({
        "type": "create",
        "providers": ["MAIL"],
        "api_url": app.url("/v1"),
        "expiresOn": in_an_hour(),
        "name": "user_77",
        "notify_url": sink.url("/told?token=sesame"),
    });
    let reply =
        send("POST", &app.url("/v1/hosted/accounts/link"), &headers, body.to_string().as_bytes()).await;
    assert_eq!(reply.status, 201, "{}", reply.text());
    let reply = reply.json();
    Link { id: reply["id"].as_str().unwrap().to_owned(), url: reply["url"].as_str().unwrap().to_owned() }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Every span that a collector was sent.
fn spans(collector: &Sink) -> Vec<Span> {
    let exports = calls(collector, "/v1/traces").into_iter().map(|call| {
        assert_eq!(call.header("content-type"), "application/x-protobuf");
        ExportTraceServiceRequest::decode(call.body.as_slice()).expect("an export")
    });
    exports
        .flat_map(|export| export.resource_spans)
        .flat_map(|resource| resource.scope_spans)
        .flat_map(|scope| scope.spans)
        .collect()
}

fn named<'a>(spans: &'a [Span], name: &str) -> Vec<&'a Span> {
    let found: Vec<_> = spans.iter().filter(|span| span.name == name).collect();
    assert!(!found.is_empty(), "no span {name}");
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn one_trace_goes_from_the_backend_s_request_over_two_nodes_to_the_call_that_tells_it() {
    let (told, collector, schema) = (Sink::start(), Sink::start(), schema());
    let (front, mut first, mut second) =
        two_nodes(mailbox(), &schema, &[("OTLP_ENDPOINT", &collector.url(""))]);
    let link = traced_link(&first, &told).await;
    front.aim(second.address());
    let person = Person::new();
    let end = person.connect(mailbox(), &link).await;
    assert!(succeeded(&end), "{}", end.text());
    let call = told.wait_for(1, READY).await.remove(0);
    // A person's pages are no backend's request, whatever their browser claims.
    let claimed = [("traceparent", format!("00-{TRACE}-{CALLER}-01"))];
    let claimed = claimed.each_ref().map(|(name, value)| (*name, value.as_str()));
    send("GET", &second.url("/auth/authorize"), &claimed, b"").await;
    // What was not exported yet goes out before the end.
    assert!(first.stop() && second.stop());
    let spans = spans(&collector);

    let request = named(&spans, "POST /v1/hosted/accounts/link")[0];
    assert_eq!((hex(&request.trace_id), hex(&request.parent_span_id)), (TRACE.to_owned(), CALLER.to_owned()));
    for open in named(&spans, "wizard.open") {
        assert_eq!((&open.trace_id, &open.parent_span_id), (&request.trace_id, &request.span_id));
    }
    let answers = named(&spans, "wizard.answer");
    assert_eq!(answers.len(), 3, "the address, the servers, the password");
    for answer in &answers {
        assert_eq!((&answer.trace_id, &answer.parent_span_id), (&request.trace_id, &request.span_id));
    }
    let asked = named(&spans, "provider.call");
    assert_eq!(asked.len(), 3);
    for call in &asked {
        assert!(answers.iter().any(|answer| answer.span_id == call.parent_span_id));
    }
    let last = answers.iter().max_by_key(|answer| answer.start_time_unix_nano).unwrap();
    let delivery = named(&spans, "webhook.deliver")[0];
    assert_eq!((&delivery.trace_id, &delivery.parent_span_id), (&request.trace_id, &last.span_id));
    let expected = format!("00-{TRACE}-{}-01", hex(&delivery.span_id));
    assert_eq!(call.header("traceparent"), expected);

    assert!(spans.iter().all(|span| !span.name.contains("/auth/authorize")));
    let text = format!("{spans:?}");
    let secret = link.url.rsplit('/').next().unwrap();
    let cookies = person.cookie_header();
    let values = cookies.split("; ").filter_map(|pair| pair.split_once('=')).map(|(_, value)| value);
    for private in [secret, PASSWORD, ADDRESS, "user_77", "sesame", first.key()].into_iter().chain(values) {
        assert!(!text.contains(private), "{private}");
    }
    assert!(text.contains(&link.id), "spans name the session");
}

#[tokio::test]
async fn without_a_collector_the_backend_s_place_in_its_trace_is_handed_on() {
    let told = Sink::start();
    let app = mailbox().app(&[]);
    let link = traced_link(&app, &told).await;
    let end = Person::new().connect(mailbox(), &link).await;
    assert!(succeeded(&end), "{}", end.text());
    let call = told.wait_for(1, READY).await.remove(0);
    assert_eq!(call.header("traceparent"), format!("00-{TRACE}-{CALLER}-01"));
}

#[tokio::test]
async fn a_collector_that_is_away_disturbs_nobody() {
    let gone = format!("http://127.0.0.1:{}", crate::parts::free_port());
    let mut app = mailbox().app(&[("OTLP_ENDPOINT", &gone)]);
    let told = Sink::start();
    let link = traced_link(&app, &told).await;
    let end = Person::new().connect(mailbox(), &link).await;
    assert!(succeeded(&end), "{}", end.text());
    told.wait_for(1, READY).await;
    assert!(app.stop());
    assert_eq!(app.output().matches("traces do not reach their collector").count(), 1, "said once");
}
