//! The address people reach this server under. Every URL we hand out is built from it, never from a request.

use std::net::{IpAddr, SocketAddr};

use url::{Host, Url};

/// Scheme, host and port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl {
    origin: String,
    authority: String,
    secure: bool,
    /// Other spellings of a loopback address, which the same machine may use as well.
    aliases: Vec<String>,
}

impl PublicUrl {
    /// Reads one.
    ///
    /// # Errors
    /// The rule it breaks.
    pub fn parse(text: &str) -> Result<Self, String> {
        let url = Url::parse(text).map_err(|_| "must be a URL such as https://connect.example.com")?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err("must begin with https:// (or http:// for trying things out)".to_owned());
        }
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            let reason = "cookies, callbacks and links are made for the root of a host of its own";
            return Err(format!("must have no path, query or fragment: {reason}"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("must not contain a user name or password".to_owned());
        }
        let (Some(host), Some(name)) = (url.host(), url.host_str()) else {
            return Err("must name a host".to_owned());
        };
        let loopback = match host {
            Host::Domain(name) => name == "localhost",
            Host::Ipv4(ip) => ip.is_loopback(),
            Host::Ipv6(ip) => ip.is_loopback(),
        };
        let with_port = |name: &str| match url.port() {
            Some(port) => format!("{name}:{port}"),
            None => name.to_owned(),
        };
        let aliases = match loopback {
            true => ["localhost", "127.0.0.1", "[::1]"].into_iter().map(with_port).collect(),
            false => Vec::new(),
        };
        let authority = with_port(name);
        let secure = url.scheme() == "https";
        Ok(Self { origin: format!("{}://{authority}", url.scheme()), authority, secure, aliases })
    }

    /// The address of a listener, when nothing else was said.
    pub fn of_listener(listen: SocketAddr) -> Self {
        let host = match listen.ip() {
            ip if ip.is_unspecified() => "localhost".to_owned(),
            IpAddr::V6(ip) => format!("[{ip}]"),
            ip @ IpAddr::V4(_) => ip.to_string(),
        };
        let text = format!("http://{host}:{}", listen.port());
        // A listener's address is always a well-formed URL; the fallback is never reached.
        Self::parse(&text).unwrap_or(Self {
            origin: text,
            authority: host,
            secure: false,
            aliases: Vec::new(),
        })
    }

    /// `scheme://host[:port]`, without a slash at the end.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Whether it is https.
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// Whether only this machine can reach it.
    pub fn is_loopback(&self) -> bool {
        !self.aliases.is_empty()
    }

    /// The configured spelling of a request's `Host`, if it is one that is served.
    pub fn serves(&self, host: &str) -> Option<&str> {
        // Some clients name the scheme's own port as well.
        let usual = if self.secure { ":443" } else { ":80" };
        let host = host.strip_suffix(usual).filter(|_| !self.authority.ends_with(usual)).unwrap_or(host);
        let all = std::iter::once(&self.authority).chain(&self.aliases);
        all.map(String::as_str).find(|known| known.eq_ignore_ascii_case(host))
    }

    /// The origin of one of the served hosts.
    pub fn origin_of(&self, host: &str) -> String {
        format!("{}://{host}", if self.secure { "https" } else { "http" })
    }
}
