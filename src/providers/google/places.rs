//! Google's addresses. They are constants, or those of one server that stands in for all of Google's; nothing that
//! Google or a pasted file says changes them.

use url::Url;

/// The addresses.
#[derive(Clone, Debug)]
pub struct Places {
    /// Where people sign in.
    pub page: Url,
    /// Where codes become tokens.
    pub token: Url,
    /// Where grants end.
    pub revoke: Url,
    /// Where a token tells whose it is.
    pub userinfo: Url,
    /// The public keys.
    pub keys: Url,
    /// What Google announces of itself.
    pub metadata: Url,
    /// Where it is said who issues security events, and with which keys.
    pub risc: Url,
    /// What Google calls itself where people come back from.
    pub issuer: String,
    /// What it calls itself in ID tokens.
    pub issuers: Vec<String>,
    /// Whether this is Google itself.
    pub own: bool,
}

impl Places {
    /// Google's own, or the same paths at `base`.
    ///
    /// # Errors
    /// When the constants are no addresses, which the tests would have said first.
    pub fn at(base: Option<&Url>) -> Result<Self, url::ParseError> {
        let place = |host: &str, path: &str| match base {
            Some(base) => base.join(path),
            None => Url::parse(host)?.join(path),
        };
        let issuer = match base {
            Some(base) => base.as_str().trim_end_matches('/').to_owned(),
            None => "https://accounts.google.com".to_owned(),
        };
        let mut issuers = vec![issuer.clone()];
        // Both have been seen in Google's ID tokens.
        issuers.extend(base.is_none().then(|| "accounts.google.com".to_owned()));
        Ok(Self {
            page: place("https://accounts.google.com", "/o/oauth2/v2/auth")?,
            token: place("https://oauth2.googleapis.com", "/token")?,
            revoke: place("https://oauth2.googleapis.com", "/revoke")?,
            userinfo: place("https://openidconnect.googleapis.com", "/v1/userinfo")?,
            keys: place("https://www.googleapis.com", "/oauth2/v3/certs")?,
            metadata: place("https://accounts.google.com", "/.well-known/openid-configuration")?,
            risc: place("https://accounts.google.com", "/.well-known/risc-configuration")?,
            issuer,
            issuers,
            own: base.is_none(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_addresses_are_googles_own_or_all_at_one_server() {
        let own = Places::at(None).unwrap();
        assert_eq!(own.token.as_str(), "https://oauth2.googleapis.com/token");
        assert_eq!(own.keys.as_str(), "https://www.googleapis.com/oauth2/v3/certs");
        assert_eq!(own.issuers, ["https://accounts.google.com", "accounts.google.com"]);
        let base = Url::parse("https://id.test:8443").unwrap();
        let other = Places::at(Some(&base)).unwrap();
        assert_eq!(other.page.as_str(), "https://id.test:8443/o/oauth2/v2/auth");
        assert_eq!((&*other.issuer, other.issuers.len()), ("https://id.test:8443", 1));
    }
}
