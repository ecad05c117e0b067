//! The version that the service's own web client has; others say they have it, too. Fetching it is the caller's, who knows
//! which connections may be made: [`SOURCE`] is where from, [`HEADERS`] what to send along, [`Version::find`] reads the reply.

use std::fmt;
use std::str::FromStr;

/// Where the current version stands; a reply of a few hundred kilobytes.
pub const SOURCE: &str = "https://web.whatsapp.com/sw.js";

/// Without these the reply is another page.
pub const HEADERS: [(&str, &str); 2] = [
    ("sec-fetch-site", "none"),
    (
        "user-agent",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
    ),
];

/// A client's version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub [u32; 3]);

impl Version {
    /// Known when this was built; for when it cannot be fetched.
    pub const BUILT_IN: Self = Self([2, 3000, 1_043_857_760]);

    /// Finds the version in what [`SOURCE`] replied; none if it is not there, or older than the built-in one.
    pub fn find(reply: &str) -> Option<Self> {
        const NAME: &str = "client_revision";
        let found = reply.match_indices(NAME).find_map(|(at, _)| {
            let rest = reply[at + NAME.len()..].trim_start_matches(['\\', '"', '\'']);
            let rest = rest.trim_start().strip_prefix(':')?.trim_start_matches([' ', '\\', '"', '\'']);
            let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
            digits.parse().ok()
        })?;
        Some(Self([2, 3000, found])).filter(|version| *version >= Self::BUILT_IN)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, second, third] = self.0;
        write!(f, "{first}.{second}.{third}")
    }
}

impl FromStr for Version {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Result<Vec<u32>, _> = text.split('.').map(str::parse).collect();
        let parts = parts.ok().and_then(|parts| parts.try_into().ok());
        parts.map(Self).ok_or("a version is three numbers with points between, such as 2.3000.1043857760")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_found_as_the_service_writes_it() {
        for reply in [
            r#"x({"client_revision":1043857999,"y":1})"#,
            r#"JSON.parse("{\"client_revision\": 1043857999}")"#,
            r#"client_revision is; "client_revision":"1043857999""#,
        ] {
            assert_eq!(Version::find(reply), Some(Version([2, 3000, 1_043_857_999])), "{reply}");
        }
        for reply in [
            "",
            "client_revision",
            r#""client_revision":12"#,
            r#""client_revision":99999999999"#,
            "é client_revisioné",
        ] {
            assert_eq!(Version::find(reply), None, "{reply}");
        }
    }

    #[test]
    fn a_version_is_read_as_it_is_written() {
        assert_eq!("2.3000.1043857760".parse(), Ok(Version::BUILT_IN));
        assert_eq!(Version::BUILT_IN.to_string(), "2.3000.1043857760");
        assert!("2.3000".parse::<Version>().is_err() && "2.3000.x".parse::<Version>().is_err());
    }
}
