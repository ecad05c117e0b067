//! Settings: compiled-in defaults, then the operator's file, then the environment. All problems are found at
//! once, before anything listens. Sections are handed down by `main`; nobody else reads settings.

mod branding;
mod checks;
mod keyfile;
mod layers;
mod public_url;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::{IpNet, Ipv4Net};
use serde::Deserialize;
use tracing_subscriber::EnvFilter;
use url::Url;

pub use branding::{Branding, Picture};
pub use checks::Checks;
pub use keyfile::{
    KeyFileError, add as add_key, create as create_key_file, read as read_key_file, remove as remove_key,
};
pub use public_url::PublicUrl;

use branding::RawBranding;
use checks::RawChecks;

use crate::kernel::random::Random;
use crate::kernel::seal::KeyRing;
use crate::kernel::secret::Secret;

/// Everything that can be set.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to listen and how to be reached.
    pub server: Server,
    /// The data directory.
    pub data_dir: PathBuf,
    /// The database.
    pub database: Database,
    /// The key ring.
    pub keys: Keys,
    /// The way out.
    pub egress: Egress,
    /// How much persons may have us try.
    pub tries: Tries,
    /// The product that asks; `None` to go by where people are sent back to.
    pub product_name: Option<String>,
    /// How the pages look.
    pub branding: Branding,
    /// A session lives no longer than this.
    pub session_life: Duration,
    /// How long sessions that ended are kept, and events.
    pub keep_sessions: Duration,
    /// How long calls that were done or given up are kept.
    pub keep_deliveries: Duration,
    /// How long the audit log is kept.
    pub keep_audit: Duration,
    /// How often accounts are looked at.
    pub checks: Checks,
    /// A collector of traces.
    pub otlp_endpoint: Option<Url>,
    /// Logging.
    pub log: Log,
    /// Each provider's own section, raw: the provider reads it.
    pub providers: BTreeMap<String, toml::Table>,
}

/// Where to listen and how to be reached.
#[derive(Clone, Debug)]
pub struct Server {
    /// Address and port.
    pub listen: SocketAddr,
    /// How people reach it.
    pub public_url: PublicUrl,
    /// Where figures are read.
    pub metrics: Option<SocketAddr>,
    /// Proxies whose word counts.
    pub trusted_proxies: Vec<IpNet>,
    /// Requests a minute with one key; zero for no limit.
    pub requests_per_minute: u32,
    /// Requests a minute from one address; zero for no limit.
    pub requests_per_minute_address: u32,
    /// Connections served at once.
    pub max_connections: u32,
}

/// The database.
#[derive(Clone, Debug)]
pub struct Database {
    /// Its URL; `None` for a SQLite file in the data directory.
    pub url: Option<Secret>,
    /// Connections at most.
    pub connections: u32,
}

/// The key ring.
#[derive(Clone, Debug)]
pub struct Keys {
    /// The ring itself, when it was given.
    pub ring: Option<Secret>,
    /// The file it is read from otherwise.
    pub file: PathBuf,
}

/// The way out.
#[derive(Clone, Debug)]
pub struct Egress {
    /// Networks allowed besides the public internet.
    pub allow: Vec<IpNet>,
    /// A name server of one's own.
    pub dns_server: Option<SocketAddr>,
    /// Further authorities.
    pub extra_ca_file: Option<PathBuf>,
}

/// How much persons may have us try, over all sessions of this node; zero is no limit.
#[derive(Clone, Copy, Debug)]
pub struct Tries {
    /// Connections to one host in a minute.
    pub host_connects: u32,
    /// Tries of one sign-in name at one host in an hour.
    pub login_tries: u32,
}

/// Logging.
#[derive(Clone, Debug)]
pub struct Log {
    /// The filter.
    pub filter: String,
    /// JSON lines rather than text.
    pub json: bool,
}

/// The settings as they are written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    listen: String,
    public_url: String,
    data_dir: String,
    database_url: Secret,
    database_connections: i64,
    keys: Secret,
    key_file: String,
    egress_allow: Vec<String>,
    dns_server: String,
    trusted_proxies: Vec<String>,
    requests_per_minute: i64,
    requests_per_minute_address: i64,
    max_connections: i64,
    extra_ca_file: String,
    host_connects_per_minute: i64,
    login_tries_per_hour: i64,
    product_name: String,
    logo_file: String,
    logo_dark_file: String,
    accent: String,
    accent_dark: String,
    support_contact: String,
    session_max_days: i64,
    keep_sessions_days: i64,
    keep_deliveries_days: i64,
    keep_audit_days: i64,
    metrics_listen: String,
    otlp_endpoint: String,
    log: String,
    log_format: String,
    checks: RawChecks,
    providers: BTreeMap<String, toml::Table>,
}

impl Config {
    /// Reads the settings from the environment given and the file it names. `providers` says what is wrong with
    /// the providers' sections, which are theirs to read.
    ///
    /// # Errors
    /// Every problem, a sentence each, beginning with the key.
    pub fn load(
        environment: impl IntoIterator<Item = (String, String)>,
        providers: impl FnOnce(&BTreeMap<String, toml::Table>) -> Vec<String>,
    ) -> Result<Self, Vec<String>> {
        let environment: Vec<(String, String)> = environment.into_iter().collect();
        let collector = environment.iter().find(|(name, _)| name == COLLECTOR).map(|(_, url)| url.clone());
        let (table, found) = layers::merged(environment);
        let mut problems = Problems(found);
        let mut raw: Raw = match table.try_into() {
            Ok(raw) => raw,
            Err(error) => {
                problems.0.push(toml::de::Error::message(&error).to_owned());
                return Err(problems.0);
            }
        };
        if raw.otlp_endpoint.trim().is_empty() {
            raw.otlp_endpoint = collector.unwrap_or_default();
        }
        problems.0.extend(providers(&raw.providers));
        let config = raw.read(&mut problems);
        match config {
            Some(config) if problems.0.is_empty() => Ok(config),
            _ => Err(problems.0),
        }
    }
}

/// The name under which other programs are told, too, where traces go.
const COLLECTOR: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

#[derive(Default)]
struct Problems(Vec<String>);

impl Problems {
    fn note<T>(&mut self, key: &str, result: Result<T, String>) -> Option<T> {
        result.map_err(|rule| self.0.push(format!("{key}: {rule}"))).ok()
    }

    fn range(&mut self, key: &str, value: i64, least: i64, most: i64) -> Option<u32> {
        let fits = u32::try_from(value).ok().filter(|_| (least..=most).contains(&value));
        self.note(key, fits.ok_or_else(|| format!("must be a whole number from {least} to {most}")))
    }
}

impl Raw {
    fn read(self, problems: &mut Problems) -> Option<Config> {
        let address = |text: &str| {
            text.parse::<SocketAddr>()
                .map_err(|_| "must be an address and port, such as 127.0.0.1:8080".to_owned())
        };
        let listen = problems.note("listen", address(&self.listen));
        let public_url = match (non_empty(&self.public_url), listen) {
            (Some(url), _) => problems.note("public_url", PublicUrl::parse(url)),
            (None, Some(listen)) => Some(PublicUrl::of_listener(listen)),
            (None, None) => None,
        };
        let loopback = public_url.as_ref().is_some_and(PublicUrl::is_loopback);
        let allow = problems.note("egress_allow", networks(&self.egress_allow, loopback));
        let proxies = problems.note("trusted_proxies", networks(&self.trusted_proxies, true));
        // A limiter counts in nanoseconds: a share of much more than this would be none, and so no limit.
        let many = i64::from(u32::MAX / 64);
        let per_key = problems.range("requests_per_minute", self.requests_per_minute, 0, many);
        let per_address = self.requests_per_minute_address;
        let per_address = problems.range("requests_per_minute_address", per_address, 0, many);
        let max_connections = problems.range("max_connections", self.max_connections, 10, 100_000);
        let dns_server = match non_empty(&self.dns_server) {
            Some(text) => problems.note("dns_server", address(text)).map(Some),
            None => Some(None),
        };
        let data_dir = PathBuf::from(&self.data_dir);
        if self.data_dir.is_empty() {
            problems.0.push("data_dir: must name a directory".to_owned());
        }
        let url = non_empty(self.database_url.reveal()).map(Secret::new);
        if let Some(url) = &url {
            let scheme = url.reveal().split(':').next().unwrap_or_default();
            if !matches!(scheme, "sqlite" | "postgres" | "postgresql") {
                problems.0.push("database_url: must begin with postgres:// or sqlite://".to_owned());
            }
        }
        let connections = problems.range("database_connections", self.database_connections, 1, 200);
        let branding = RawBranding {
            logo_file: &self.logo_file,
            logo_dark_file: &self.logo_dark_file,
            accent: &self.accent,
            accent_dark: &self.accent_dark,
            support: &self.support_contact,
        };
        let branding = branding.read(problems);
        let days = problems.range("session_max_days", self.session_max_days, 1, 365);
        let kept = |problems: &mut Problems, key: &str, days| {
            problems.range(key, days, 1, 3650).map(|days| Duration::from_secs(u64::from(days) * 24 * 3600))
        };
        let checks = self.checks.read(problems);
        let keep_sessions = kept(problems, "keep_sessions_days", self.keep_sessions_days);
        let keep_deliveries = kept(problems, "keep_deliveries_days", self.keep_deliveries_days);
        let keep_audit = kept(problems, "keep_audit_days", self.keep_audit_days);
        let host_connects =
            problems.range("host_connects_per_minute", self.host_connects_per_minute, 0, 100_000);
        let login_tries = problems.range("login_tries_per_hour", self.login_tries_per_hour, 0, 100_000);
        let metrics = match non_empty(&self.metrics_listen) {
            Some(text) => problems.note("metrics_listen", address(text)).map(Some),
            None => Some(None),
        };
        let otlp_endpoint = match non_empty(&self.otlp_endpoint) {
            Some(text) => problems.note("otlp_endpoint", collector(text)).map(Some),
            None => Some(None),
        };
        let json = match self.log_format.as_str() {
            "json" => Some(true),
            "text" => Some(false),
            _ => problems.note("log_format", Err("must be text or json".to_owned())),
        };
        problems
            .note("log", EnvFilter::try_new(&self.log).map_err(|_| "must be a level or a filter".to_owned()));
        if let Some(ring) = non_empty(self.keys.reveal()) {
            problems.note("keys", KeyRing::parse(ring, Random::system()).map_err(|error| error.to_string()));
        }
        if let Some(path) = non_empty(&self.extra_ca_file) {
            problems
                .note("extra_ca_file", std::fs::metadata(path).map_err(|error| format!("{path}: {error}")));
        }
        let key_file =
            non_empty(&self.key_file).map_or_else(|| data_dir.join("vestibule.key"), PathBuf::from);
        Some(Config {
            server: Server {
                listen: listen?,
                public_url: public_url?,
                metrics: metrics?,
                trusted_proxies: proxies?,
                requests_per_minute: per_key?,
                requests_per_minute_address: per_address?,
                max_connections: max_connections?,
            },
            database: Database { url, connections: connections? },
            keys: Keys { ring: non_empty(self.keys.reveal()).map(Secret::new), file: key_file },
            egress: Egress {
                allow: allow?,
                dns_server: dns_server?,
                extra_ca_file: non_empty(&self.extra_ca_file).map(PathBuf::from),
            },
            tries: Tries { host_connects: host_connects?, login_tries: login_tries? },
            product_name: non_empty(&self.product_name).map(str::to_owned),
            branding,
            session_life: Duration::from_secs(u64::from(days?) * 24 * 3600),
            keep_sessions: keep_sessions?,
            keep_deliveries: keep_deliveries?,
            keep_audit: keep_audit?,
            checks: checks?,
            otlp_endpoint: otlp_endpoint?,
            log: Log { filter: self.log, json: json? },
            providers: self.providers,
            data_dir,
        })
    }
}

fn non_empty(text: &str) -> Option<&str> {
    Some(text.trim()).filter(|text| !text.is_empty())
}

fn collector(text: &str) -> Result<Url, String> {
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(url),
        _ => Err("must be a URL such as http://127.0.0.1:4318".to_owned()),
    }
}

fn networks(texts: &[String], loopback_allowed: bool) -> Result<Vec<IpNet>, String> {
    let mut networks = Vec::new();
    for text in texts.iter().map(|text| text.trim()).filter(|text| !text.is_empty()) {
        let alone = text.parse::<std::net::IpAddr>().map(IpNet::from);
        let network: IpNet = text
            .parse::<IpNet>()
            .or(alone)
            .map(unmapped)
            .map_err(|_| format!("{text} is not a network such as 10.0.0.0/8"))?;
        let loopbacks: [IpNet; 2] = [
            IpNet::from(std::net::IpAddr::from([127, 0, 0, 1])),
            IpNet::from(std::net::IpAddr::V6(std::net::Ipv6Addr::LOCALHOST)),
        ];
        let in_loopback = network.addr().is_loopback() || loopbacks.iter().any(|ip| network.contains(ip));
        if in_loopback && !loopback_allowed {
            return Err(format!(
                "{text} holds loopback addresses, which may be allowed only while public_url is itself loopback"
            ));
        }
        networks.push(network);
    }
    Ok(networks)
}

/// A network of IPv4 that was written in IPv6, as IPv4: that is what addresses are compared as.
fn unmapped(network: IpNet) -> IpNet {
    let IpNet::V6(long) = network else { return network };
    let short = long.addr().to_ipv4_mapped().zip(long.prefix_len().checked_sub(96));
    short.and_then(|(address, length)| Ipv4Net::new(address, length).ok()).map_or(network, IpNet::V4)
}

/// The SQLite file of a data directory.
pub fn database_file(data_dir: &Path) -> PathBuf {
    data_dir.join("vestibule.db")
}

#[cfg(test)]
mod tests;
