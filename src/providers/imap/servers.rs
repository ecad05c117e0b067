//! Mail servers: where mail is read and where it is sent, what to sign in with, and how such words are read
//! from a person. Hosts are kept as ASCII names or bare addresses, in lower case.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// How the connection becomes private.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encryption {
    /// TLS from the first byte.
    Tls,
    /// A few words in clear, then TLS; nothing else happens before it.
    Starttls,
}

impl Encryption {
    /// The word in profiles, forms and stored secrets.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tls => "tls",
            Self::Starttls => "starttls",
        }
    }

    /// Reads the word back.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "tls" => Some(Self::Tls),
            "starttls" => Some(Self::Starttls),
            _ => None,
        }
    }

    /// What a port usually means.
    pub fn usual(port: u16) -> Self {
        if matches!(port, 143 | 587) { Self::Starttls } else { Self::Tls }
    }
}

/// One server, and whom to sign in as.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Server {
    /// A name in ASCII, or an address.
    pub host: String,
    /// The port.
    pub port: u16,
    /// How the connection becomes private.
    pub encryption: Encryption,
    /// The sign-in name.
    pub login: String,
}

impl Server {
    /// The port that does the same in the other encryption.
    pub fn other_port(&self) -> Option<u16> {
        let pairs = [(143, 993), (993, 143), (465, 587), (587, 465)];
        pairs.iter().find(|(port, _)| *port == self.port).map(|(_, other)| *other)
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// Both servers of an account. Without `smtp` it is one that only receives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Servers {
    /// Where mail is read.
    pub imap: Server,
    /// Where mail is sent.
    pub smtp: Option<Server>,
}

/// Why a host name does not do; each is the last word of a string's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadHost {
    /// Nothing was typed.
    Missing,
    /// A web address or a path.
    Url,
    /// A port stands in it.
    Port,
    /// A mail address.
    Address,
    /// Not a name at all.
    Invalid,
}

/// Reads a host name or an address.
///
/// # Errors
/// See [`BadHost`].
pub fn host(typed: &str) -> Result<String, BadHost> {
    let typed = typed.trim();
    if typed.is_empty() {
        return Err(BadHost::Missing);
    }
    if typed.contains('/') {
        return Err(BadHost::Url);
    }
    if typed.contains('@') {
        return Err(BadHost::Address);
    }
    let bare = typed.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(typed);
    if let Ok(ip) = bare.parse::<IpAddr>() {
        return Ok(ip.to_string());
    }
    if typed.contains(':') {
        return Err(BadHost::Port);
    }
    domain(typed).ok_or(BadHost::Invalid)
}

/// Reads a domain name: IDNA to ASCII, lower case, without the final dot.
pub fn domain(typed: &str) -> Option<String> {
    let ascii = idna::domain_to_ascii_strict(typed.strip_suffix('.').unwrap_or(typed)).ok()?;
    // Names that only DNS itself uses begin with an underscore, and no mail host does.
    let label = |label: &str| {
        let inner = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        inner && (1..=63).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-')
    };
    (ascii.len() <= 253 && ascii.split('.').all(label)).then_some(ascii)
}

/// A domain in ASCII as people write it; as it is when it does not come back to the same.
pub fn readable(ascii: &str) -> String {
    let (text, outcome) = idna::domain_to_unicode(ascii);
    if outcome.is_ok() && domain(&text).as_deref() == Some(ascii) { text } else { ascii.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_read_as_people_type_them() {
        for (typed, expected) in [
            (" IMAP.Example.ORG. ", "imap.example.org"),
            ("imap.münchen.example", "imap.xn--mnchen-3ya.example"),
            ("IMAP.XN--MNCHEN-3YA.example", "imap.xn--mnchen-3ya.example"),
            ("imap。例え。test", "imap.xn--r8jz45g.test"),
            ("localhost", "localhost"),
            ("192.0.2.7", "192.0.2.7"),
            ("[2001:DB8::1]", "2001:db8::1"),
            ("2001:db8::1", "2001:db8::1"),
        ] {
            assert_eq!(host(typed).as_deref(), Ok(expected), "{typed}");
        }
    }

    #[test]
    fn what_is_not_a_host_says_why() {
        for (typed, expected) in [
            ("", BadHost::Missing),
            ("https://imap.example.org", BadHost::Url),
            ("imap.example.org/mail", BadHost::Url),
            ("imap.example.org:993", BadHost::Port),
            ("[::1]:993", BadHost::Port),
            ("ada@example.org", BadHost::Address),
            ("imap..example.org", BadHost::Invalid),
            ("imap example.org", BadHost::Invalid),
            ("-imap.example.org", BadHost::Invalid),
            ("imap.example.org\r\nQUIT", BadHost::Invalid),
            (&"a".repeat(64), BadHost::Invalid),
        ] {
            assert_eq!(host(typed), Err(expected), "{typed}");
        }
    }

    #[test]
    fn an_ipv6_server_is_shown_in_brackets() {
        let login = "ada".to_owned();
        let server = Server { host: "2001:db8::1".into(), port: 993, encryption: Encryption::Tls, login };
        assert_eq!(server.to_string(), "[2001:db8::1]:993");
    }
}
