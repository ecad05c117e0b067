//! The one way out. Every outgoing connection whose host somebody else may have chosen (webhooks, mail
//! servers, later autoconfig and logos) is made here, and the address actually connected to is checked:
//! a name that changes its answer between check and use cannot get past it, because the checked answer is
//! the one used. Proxies named by the environment are ignored.

mod http;
mod names;
mod policy;
mod tls;

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::Name;
use tokio::net::TcpStream;
use tokio::time::Instant;

pub use http::{Answer, Request};
pub use names::{MailExchange, Service};
pub use policy::Policy;
pub use tls::{TlsStream, TlsTrouble};

/// Why a connection could not be made. [`ConnectError::code`] is stable; a policy refusal is told apart here
/// so that operators can read it in the log, and must look like any other failure to the person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// The name does not exist or has no address.
    #[error("the host name has no address")]
    HostNotFound,
    /// The name server did not answer.
    #[error("the name server did not answer")]
    NameServer,
    /// Every address is one we do not connect to.
    #[error("the address is not one this server may connect to")]
    Blocked,
    /// Nobody listens there.
    #[error("the connection was refused")]
    Refused,
    /// No answer in time.
    #[error("there was no answer in time")]
    Timeout,
    /// The network has no way there, or the connection broke.
    #[error("the connection broke")]
    Broken,
    /// TLS did not come about.
    #[error("TLS failed: {0}")]
    Tls(TlsTrouble),
    /// The peer does not speak the protocol, or said too much.
    #[error("the answer was not understood")]
    Protocol,
}

impl ConnectError {
    /// A stable code for logs, causes and pages.
    pub fn code(self) -> &'static str {
        match self {
            Self::HostNotFound => "host_not_found",
            Self::NameServer => "dns_unavailable",
            Self::Blocked => "address_not_allowed",
            Self::Refused => "connect_refused",
            Self::Timeout => "timeout",
            Self::Broken => "connection_broken",
            Self::Tls(trouble) => trouble.code(),
            Self::Protocol => "protocol_error",
        }
    }
}

impl From<std::io::Error> for ConnectError {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            ErrorKind::ConnectionRefused => Self::Refused,
            ErrorKind::TimedOut => Self::Timeout,
            _ => Self::Broken,
        }
    }
}

/// How to set the way out up.
#[derive(Debug, Default)]
pub struct Setup<'a> {
    /// Networks that may be reached besides the public internet.
    pub allow: Vec<ipnet::IpNet>,
    /// A name server to ask instead of the system's.
    pub name_server: Option<SocketAddr>,
    /// A file of further certificate authorities, PEM.
    pub extra_ca_file: Option<&'a Path>,
}

/// Makes checked connections. Cheap to clone.
#[derive(Clone)]
pub struct Egress {
    policy: Arc<Policy>,
    resolver: TokioResolver,
    tls: Arc<rustls::ClientConfig>,
}

impl Egress {
    /// Sets it up.
    ///
    /// # Errors
    /// When the system's name server settings or the authorities' file cannot be read; the text names which.
    pub fn new(setup: Setup<'_>) -> Result<Self, String> {
        let mut builder = match setup.name_server {
            Some(address) => {
                let mut udp = ConnectionConfig::udp();
                udp.port = address.port();
                let mut tcp = ConnectionConfig::tcp();
                tcp.port = address.port();
                let server = NameServerConfig::new(address.ip(), true, vec![udp, tcp]);
                let config = ResolverConfig::from_parts(None, vec![], vec![server]);
                TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
            }
            None => TokioResolver::builder_tokio()
                .map_err(|error| format!("the system's name server settings: {error}"))?,
        };
        let options = builder.options_mut();
        options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
        options.timeout = Duration::from_secs(3);
        options.attempts = 2;
        let resolver = builder.build().map_err(|error| format!("the name resolver: {error}"))?;
        Ok(Self {
            policy: Arc::new(Policy::new(setup.allow)),
            resolver,
            tls: tls::config(setup.extra_ca_file)?,
        })
    }

    /// Connects to `host` (a name or an address) on `port`.
    ///
    /// # Errors
    /// See [`ConnectError`]; nothing was sent in any of these cases.
    pub async fn connect(&self, host: &str, port: u16, deadline: Instant) -> Result<TcpStream, ConnectError> {
        let found = tokio::time::timeout_at(deadline, self.resolve(host)).await;
        let addresses = found.map_err(|_| ConnectError::NameServer)??;
        let mut allowed: Vec<_> = addresses.into_iter().filter(|ip| self.policy.permits(*ip)).collect();
        // A name with dozens of addresses must not keep us busy for a whole deadline each.
        allowed.truncate(4);
        if allowed.is_empty() {
            tracing::warn!(host, port, "an outgoing connection was refused by the egress policy");
            return Err(ConnectError::Blocked);
        }
        let mut last = ConnectError::Broken;
        for (at, ip) in allowed.iter().enumerate() {
            let left = deadline.saturating_duration_since(Instant::now());
            // A first address that swallows packets must leave time for the others.
            let share = left / u32::try_from(allowed.len() - at).unwrap_or(1);
            match tokio::time::timeout(share, open(SocketAddr::new(*ip, port))).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => last = error.into(),
                Err(_) => last = ConnectError::Timeout,
            }
        }
        Err(last)
    }

    /// Connects and speaks TLS at once (implicit TLS), verifying the certificate for `host`.
    ///
    /// # Errors
    /// As [`Egress::connect`], and [`ConnectError::Tls`].
    pub async fn connect_tls(
        &self,
        host: &str,
        port: u16,
        deadline: Instant,
    ) -> Result<TlsStream, ConnectError> {
        let stream = self.connect(host, port, deadline).await?;
        self.start_tls(stream, host, deadline).await
    }

    /// Goes over to TLS on a connection that is open already (STARTTLS).
    ///
    /// # Errors
    /// [`ConnectError::Tls`] and [`ConnectError::Timeout`].
    pub async fn start_tls(
        &self,
        stream: TcpStream,
        host: &str,
        deadline: Instant,
    ) -> Result<TlsStream, ConnectError> {
        tls::handshake(self.tls.clone(), stream, host, deadline).await
    }

    /// Whether a host could be allowed at all, as far as its text tells: an address that is refused, or this
    /// machine's own name, is not. Only ever an early hint; the check that counts is made on connecting.
    pub fn may_reach(&self, host: &str) -> bool {
        let bare = bare(host);
        match bare.parse() {
            Ok(ip) => self.policy.permits(ip),
            Err(_) if bare.trim_end_matches('.').eq_ignore_ascii_case("localhost") => {
                self.policy.permits(IpAddr::from([127, 0, 0, 1]))
                    || self.policy.permits(IpAddr::V6(Ipv6Addr::LOCALHOST))
            }
            Err(_) => true,
        }
    }

    async fn resolve(&self, host: &str) -> Result<Vec<IpAddr>, ConnectError> {
        if let Ok(ip) = bare(host).parse() {
            return Ok(vec![ip]);
        }
        // The final dot keeps search domains of this machine out of somebody else's name.
        let name =
            if host.contains('.') { format!("{}.", host.trim_end_matches('.')) } else { host.to_owned() };
        let Ok(name) = name.parse::<Name>() else { return Err(ConnectError::HostNotFound) };
        match self.resolver.lookup_ip(name).await {
            Ok(found) => Ok(found.iter().collect()),
            Err(error) if error.is_no_records_found() => Err(ConnectError::HostNotFound),
            Err(error) => {
                tracing::debug!(host, error = %error, "a name could not be resolved");
                Err(ConnectError::NameServer)
            }
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that opens outgoing connections, after the check"
)]
async fn open(address: SocketAddr) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

impl std::fmt::Debug for Egress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Egress").field("policy", &self.policy).finish_non_exhaustive()
    }
}

/// An IPv6 address as URLs write it, without its brackets.
fn bare(host: &str) -> &str {
    host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host)
}
