//! Traces: spans of ours, exported by OTLP over HTTP through the one way out, and the W3C Trace Context that ties what
//! happens at different times and on different nodes into one trace. Off unless an endpoint is set; then, too, a
//! caller's `traceparent` is handed on.
//!
//! Spans have a target of their own, so that logs know nothing of them. Attributes are ids, slugs, routes and codes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use hyper::body::Bytes;
use ipnet::IpNet;
use opentelemetry::trace::{
    SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState, TracerProvider,
};
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tokio::runtime::Handle;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::registry::Registry;
use tracing_subscriber::{Layer, filter};
use url::Url;

use super::egress::{Egress, Request, Setup};

/// The target of every span; logs leave it out.
pub const TARGET: &str = "trace";

/// How long a collector may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How much of a collector's answer is read.
const ANSWER: usize = 64 * 1024;

tokio::task_local! {
    /// What the caller of the request at hand sent along.
    static CALLER: Option<Parent>;
}

/// A place in a trace, as W3C Trace Context writes it in `traceparent`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parent(String);

impl Parent {
    /// Reads version 00, lower case: `00-<32 hex>-<16 hex>-<2 hex>`, ids not zero.
    pub fn parse(text: &str) -> Option<Self> {
        let parts: Vec<_> = text.split('-').collect();
        let [version, trace, span, flags] = parts.as_slice() else { return None };
        let hex = |part: &str, length| {
            part.len() == length && part.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        };
        let zero = |part: &str| part.bytes().all(|b| b == b'0');
        let fits = *version == "00" && hex(trace, 32) && hex(span, 16) && hex(flags, 2);
        (fits && !zero(trace) && !zero(span)).then(|| Self(text.to_owned()))
    }

    /// The header's value.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn context(&self) -> Option<SpanContext> {
        let mut parts = self.0.split('-').skip(1);
        let trace = TraceId::from_hex(parts.next()?).ok()?;
        let span = SpanId::from_hex(parts.next()?).ok()?;
        let flags = TraceFlags::new(u8::from_str_radix(parts.next()?, 16).ok()?);
        Some(SpanContext::new(trace, span, flags, true, TraceState::default()))
    }
}

/// The place in a trace where this task is: its span's, where spans are exported, otherwise its caller's.
pub fn current() -> Option<Parent> {
    let cx = Span::current().context();
    let span = cx.span();
    let at = span.span_context();
    if at.is_valid() {
        let flags = at.trace_flags().to_u8();
        return Some(Parent(format!("00-{}-{}-{flags:02x}", at.trace_id(), at.span_id())));
    }
    CALLER.try_with(Clone::clone).ok().flatten()
}

/// Runs `work` as what was asked for from this place.
pub async fn called_from<T>(parent: Option<Parent>, work: impl Future<Output = T>) -> T {
    CALLER.scope(parent, work).await
}

/// Hangs a span that was just made below this place.
pub fn below(span: Span, parent: Option<&Parent>) -> Span {
    if let Some(at) = parent.and_then(Parent::context) {
        // Without an exporter there is nothing to hang it to.
        let _ = span.set_parent(opentelemetry::Context::new().with_remote_span_context(at));
    }
    span
}

/// The export of spans.
#[derive(Debug)]
pub struct Traces(SdkTracerProvider);

impl Traces {
    /// Exports to this collector: `endpoint` is its base, to which `/v1/traces` is added. The operator chose it, so any
    /// address is fine. Headers are read from `OTEL_EXPORTER_OTLP_HEADERS`, sampling from `OTEL_TRACES_SAMPLER`.
    ///
    /// # Errors
    /// A sentence.
    pub fn start(
        endpoint: &Url,
        name_server: Option<std::net::SocketAddr>,
        extra_ca_file: Option<&Path>,
    ) -> Result<(Self, Box<dyn Layer<Registry> + Send + Sync>), String> {
        let everywhere = [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)];
        let allow: Vec<_> = everywhere.into_iter().filter_map(|ip| IpNet::new(ip, 0).ok()).collect();
        let egress = Egress::new(Setup { allow, name_server, extra_ca_file })?;
        let url = format!("{}/v1/traces", endpoint.as_str().trim_end_matches('/'));
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Way { egress, runtime: Handle::current(), failing: AtomicBool::new(false) })
            .with_endpoint(url)
            .with_timeout(PATIENCE)
            .build()
            .map_err(|error| format!("otlp_endpoint: {error}"))?;
        let resource = Resource::builder().with_service_name("vestibule").build();
        let provider =
            SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build();
        let layer = tracing_opentelemetry::layer()
            .with_tracer(provider.tracer("vestibule"))
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_filter(filter::filter_fn(|about| about.target() == TARGET));
        Ok((Self(provider), Box::new(layer)))
    }

    /// Sends what is left. Blocks until that is done or took too long.
    pub fn stop(&self) {
        if let Err(error) = self.0.shutdown_with_timeout(PATIENCE) {
            tracing::warn!(error = %error, "the last spans could not be exported");
        }
    }
}

/// The exporter's way to its collector; it asks from a thread of its own.
#[derive(Debug)]
struct Way {
    egress: Egress,
    runtime: Handle,
    /// Whether the last export did not arrive: said once, not every few seconds.
    failing: AtomicBool,
}

#[async_trait]
impl HttpClient for Way {
    async fn send_bytes(&self, request: hyper::Request<Bytes>) -> Result<hyper::Response<Bytes>, HttpError> {
        let (head, body) = request.into_parts();
        let url = Url::parse(&head.uri.to_string())?;
        let request = Request {
            method: head.method,
            url,
            headers: head.headers,
            body,
            time_limit: PATIENCE,
            size_limit: ANSWER,
        };
        let egress = self.egress.clone();
        let answer = self.runtime.spawn(async move { egress.send(request).await }).await?;
        let problem = match &answer {
            Ok(answer) if answer.status.is_success() => None,
            Ok(answer) => Some(answer.status.to_string()),
            Err(error) => Some(error.to_string()),
        };
        match (problem, self.failing.load(Ordering::Relaxed)) {
            (Some(problem), false) => {
                self.failing.store(true, Ordering::Relaxed);
                tracing::warn!(problem, "traces do not reach their collector");
            }
            (None, true) => {
                self.failing.store(false, Ordering::Relaxed);
                tracing::info!("traces reach their collector again");
            }
            _ => {}
        }
        let answer = answer?;
        let mut response = hyper::Response::new(Bytes::from(answer.body));
        *response.status_mut() = answer.status;
        *response.headers_mut() = answer.headers;
        Ok(response)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_traceparent_is_read_as_the_specification_says_and_nothing_else_is() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(Parent::parse(good).unwrap().as_str(), good);
        assert!(Parent::parse(good).unwrap().context().unwrap().is_valid());
        for bad in [
            "",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
        ] {
            assert_eq!(Parent::parse(bad), None, "{bad}");
        }
    }

    #[tokio::test]
    async fn without_an_exporter_a_caller_s_place_is_handed_on() {
        let parent = Parent::parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
        assert_eq!(called_from(parent.clone(), async { current() }).await, parent);
        assert_eq!(current(), None);
    }
}
