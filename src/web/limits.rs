//! Who asks, and how often they may: each address and each API key has a budget that fills evenly, on this node. Behind
//! a trusted proxy the address is the client's that the proxy names; whatever else claims to forward is not believed.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use ipnet::IpNet;

use super::front::RequestId;
use super::listen::Peer;
use super::{Web, api, wizard};
use crate::dialects::envelope::{Envelope, Kind};
use crate::kernel::figures::figures;
use crate::kernel::ids::ApiKeyId;
use crate::kernel::limits::Limiter;
use crate::pages::ProblemKind;

/// Refusals of one key that are written to the audit log, a minute.
const REFUSED_LINES: u32 = 30;

/// What is counted against.
#[derive(Clone, Debug)]
pub struct LimitSettings {
    /// Requests a minute with one API key; zero for no limit.
    pub per_key: u32,
    /// Requests a minute from one address; zero for no limit.
    pub per_address: u32,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
}

/// The budgets of this node.
#[derive(Debug)]
pub(super) struct Limits {
    keys: Option<Limiter<ApiKeyId>>,
    addresses: Option<Limiter<IpAddr>>,
    refused_lines: Option<Limiter<ApiKeyId>>,
    /// How often it is said of a key that it is refused more often than that.
    complaints: Option<Limiter<ApiKeyId>>,
    proxies: Vec<IpNet>,
    /// Whether it was said before that a proxy is not trusted.
    hinted: AtomicBool,
}

impl Limits {
    /// Everybody with a full budget.
    pub(super) fn new(settings: &LimitSettings) -> Self {
        let minute = Duration::from_secs(60);
        Self {
            keys: Limiter::new(settings.per_key, minute),
            addresses: Limiter::new(settings.per_address, minute),
            refused_lines: Limiter::new(REFUSED_LINES, minute),
            complaints: Limiter::new(1, minute),
            proxies: settings.trusted_proxies.clone(),
            hinted: AtomicBool::new(false),
        }
    }

    /// Counts a request with this key.
    pub(super) fn spend_key(&self, key: &ApiKeyId) -> Result<(), Envelope> {
        let Some(keys) = &self.keys else { return Ok(()) };
        keys.spend(key).map_err(|wait| {
            let detail =
                "this API key has sent more requests than requests_per_minute allows; send fewer, or later";
            Kind::TooManyRequests.detail(detail).after(wait)
        })
    }

    /// Whether one more refusal of this key is written to the audit log. Those that are not are counted.
    pub(super) fn spend_line(&self, key: &ApiKeyId) -> bool {
        let within = |limiter: &Option<Limiter<ApiKeyId>>| {
            limiter.as_ref().is_none_or(|limiter| limiter.spend(key).is_ok())
        };
        if within(&self.refused_lines) {
            return true;
        }
        figures().refusals_unwritten.inc();
        if within(&self.complaints) {
            tracing::warn!(
                key.id = %key,
                "calls of this key are refused more often than the audit log takes; the rest are only counted"
            );
        }
        false
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.proxies.iter().any(|network| network.contains(&address))
    }

    /// Whose budget a request is counted against; nobody's when it comes from this machine, where a proxy may run
    /// that nobody told us to trust: its people would share one budget.
    fn client(&self, peer: IpAddr, headers: &HeaderMap) -> Option<IpAddr> {
        let peer = peer.to_canonical();
        if !self.trusts(peer) {
            // Only somebody near by can be a proxy of ours: a stranger must not be able to recommend itself.
            if near(peer)
                && headers.contains_key("x-forwarded-for")
                && !self.hinted.swap(true, Ordering::Relaxed)
            {
                tracing::warn!(
                    proxy = %peer,
                    "requests come through a proxy that is not among trusted_proxies; whom it names is not believed"
                );
            }
            return (!peer.is_loopback()).then_some(peer);
        }
        // Bytes, since what a client wrote in front need not be text.
        let named = headers.get_all("x-forwarded-for").iter().map(HeaderValue::as_bytes);
        let named: Vec<&[u8]> = named.flat_map(|value| value.split(|byte| *byte == b',')).collect();
        let mut client = peer;
        for text in named.into_iter().rev() {
            let Some(address) = std::str::from_utf8(text).ok().and_then(|text| address(text.trim())) else {
                break;
            };
            client = address;
            if !self.trusts(client) {
                break;
            }
        }
        Some(client)
    }
}

/// Whether an address is of this machine or a private network.
fn near(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_loopback() || address.is_private() || address.is_link_local(),
        IpAddr::V6(address) => {
            address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local()
        }
    }
}

/// An address as proxies write it: with or without a port, IPv6 with or without brackets.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.trim_start_matches('[');
    let parsed = text
        .parse::<IpAddr>()
        .ok()
        .or_else(|| text.parse::<std::net::SocketAddr>().ok().map(|address| address.ip()))
        .or_else(|| bare.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(IpAddr::V6));
    parsed.map(|address| address.to_canonical())
}

/// The address that is counted: of IPv6 the first 64 bits, since whoever has one address there has them all.
pub(super) fn counted(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
    }
}

/// The client's address, for whoever writes down who asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Client(pub(super) IpAddr);

/// Lets a request pass when its address has a budget left.
pub(super) async fn per_address(State(web): State<Web>, mut request: Request, next: Next) -> Response {
    let limits = &web.limits;
    let peer = request.extensions().get::<Peer>().map(|peer| peer.0.ip());
    let client = peer.and_then(|peer| limits.client(peer, request.headers()));
    // A trusted proxy that names nobody is a client itself.
    if let Some(address) = client.or(peer) {
        request.extensions_mut().insert(Client(address.to_canonical()));
    }
    let spent = match (&limits.addresses, client) {
        (Some(addresses), Some(client)) => addresses.spend(&counted(client)),
        _ => Ok(()),
    };
    let Err(wait) = spent else { return next.run(request).await };
    let id = request.extensions().get::<RequestId>().cloned();
    let detail =
        "this address has sent more requests than requests_per_minute_address allows; send fewer, or later";
    let envelope = Kind::TooManyRequests.detail(detail).after(wait);
    let seconds = envelope.retry_after.map(HeaderValue::from);
    let (status, kind) = (StatusCode::TOO_MANY_REQUESTS, ProblemKind::TooManyRequests);
    let Some(mut page) = wizard::no_page(&web, request, status, kind).await else {
        return api::refused(id.as_ref(), envelope).into_response();
    };
    if let Some(seconds) = seconds {
        page.headers_mut().insert(RETRY_AFTER, seconds);
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(proxies: &[&str]) -> Limits {
        let trusted_proxies = proxies.iter().map(|network| network.parse().expect("a network")).collect();
        Limits::new(&LimitSettings { per_key: 0, per_address: 1, trusted_proxies })
    }

    fn forwarded(values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            let value = HeaderValue::from_bytes(&value.replace('?', "\u{ff}").into_bytes());
            headers.append("x-forwarded-for", value.expect("a value"));
        }
        headers
    }

    #[test]
    fn only_a_trusted_proxy_says_whom_it_forwards() {
        let limits = limits(&["10.0.0.0/8", "2001:db8:1::/48"]);
        let client = |peer: &str, values: &[&str]| {
            let client = limits.client(peer.parse().expect("an address"), &forwarded(values));
            client.map(|address| address.to_string()).unwrap_or_default()
        };
        assert_eq!(client("203.0.113.9", &["198.51.100.1"]), "203.0.113.9");
        assert_eq!(client("10.0.0.1", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(client("::ffff:10.0.0.1", &["198.51.100.1:4711"]), "198.51.100.1");
        // What the client itself wrote stands on the left.
        assert_eq!(client("10.0.0.1", &["127.0.0.1, 198.51.100.1", "10.2.3.4"]), "198.51.100.1");
        assert_eq!(client("2001:db8:1::1", &["[2001:db8:9::7]:443"]), "2001:db8:9::7");
        assert_eq!(client("10.0.0.1", &["198.51.100.1, unknown"]), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &["?, 198.51.100.1"]), "198.51.100.1", "what is no text hides nobody");
        assert_eq!(client("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(client("127.0.0.1", &["198.51.100.1"]), "", "this machine has no budget");
    }

    #[test]
    fn addresses_of_one_ipv6_network_share_a_budget() {
        let of = |text: &str| counted(text.parse().expect("an address"));
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), of("2001:db8:1:2::1"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }
}
