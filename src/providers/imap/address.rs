//! Mail addresses as people type them. The local part is kept as it is, case and all, since only its own
//! server may judge it; the domain becomes ASCII in lower case. Where the local part is not ASCII the address is one of
//! RFC 6531, whose domain is written in letters of its language: so the mailbox is known to its server, and so it is
//! spelt for signing in.

use super::servers;

/// An address that could receive mail. The limits are those of RFC 5321, section 4.5.3.1, in octets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// What stands before the @.
    pub local: String,
    /// What stands behind it.
    pub domain: String,
}

/// Why it is not an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadAddress {
    /// Nothing was typed.
    Missing,
    /// Not one @ with something on both sides, or signs no address has.
    Invalid,
    /// The part behind the @ is no domain.
    Domain,
    /// Longer than an address can be.
    TooLong,
}

impl Address {
    /// Reads an address; spaces around it do not matter.
    ///
    /// # Errors
    /// See [`BadAddress`].
    pub fn parse(typed: &str) -> Result<Self, BadAddress> {
        let typed = typed.trim();
        if typed.is_empty() {
            return Err(BadAddress::Missing);
        }
        // The second is what keyboards for Chinese and Japanese type.
        let (local, domain) = typed.split_once(['@', '\u{ff20}']).ok_or(BadAddress::Invalid)?;
        let odd = |c: char| c.is_whitespace() || c.is_control() || "<>()[],;:\\\"@\u{ff20}".contains(c);
        if local.is_empty() || local.contains(odd) || domain.contains(['@', '\u{ff20}']) {
            return Err(BadAddress::Invalid);
        }
        if local.len() > 64 || typed.len() > 1000 {
            return Err(BadAddress::TooLong);
        }
        let domain = servers::domain(domain).ok_or(BadAddress::Domain)?;
        let numeric = domain.rsplit('.').next().is_some_and(|tld| tld.bytes().all(|b| b.is_ascii_digit()));
        if !domain.contains('.') || numeric {
            return Err(BadAddress::Domain);
        }
        if local.len() + 1 + domain.len() > 254 {
            return Err(BadAddress::TooLong);
        }
        Ok(Self { local: local.to_owned(), domain })
    }

    /// The domain as this address spells it.
    pub fn spelt_domain(&self) -> String {
        if self.local.is_ascii() { self.domain.clone() } else { servers::readable(&self.domain) }
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}@{}", self.local, self.spelt_domain())
    }
}

/// An address as people write it, for them to read; whatever else it is, as it is.
pub fn readable(address: &str) -> String {
    match address.split_once('@') {
        Some((local, domain)) => format!("{local}@{}", servers::readable(domain)),
        None => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_domain_is_normalised_and_the_local_part_is_left_alone() {
        for (typed, expected) in [
            (" Ada.Lovelace@Example.ORG ", "Ada.Lovelace@example.org"),
            ("ada+news@münchen.example", "ada+news@xn--mnchen-3ya.example"),
            ("o'brien@example.org.", "o'brien@example.org"),
            ("грета@example.org", "грета@example.org"),
            ("ada@例え.test", "ada@xn--r8jz45g.test"),
            ("büro@MÜNCHEN.example", "büro@münchen.example"),
            ("büro@xn--mnchen-3ya.example", "büro@münchen.example"),
            ("用户＠例え。test", "用户@例え.test"),
        ] {
            let address = Address::parse(typed).unwrap();
            assert_eq!(address.to_string(), expected);
            assert!(address.domain.is_ascii(), "names are looked up in ASCII");
            assert_eq!(Address::parse(&address.to_string()), Ok(address), "what is shown can be typed");
        }
    }

    #[test]
    fn people_read_a_domain_in_its_own_letters_unless_it_would_mean_another() {
        assert_eq!(readable("ada@xn--mnchen-3ya.example"), "ada@münchen.example");
        assert_eq!(readable("ada@example.org"), "ada@example.org");
        assert_eq!(readable("ada@xn--a.example"), "ada@xn--a.example");
        assert_eq!(readable("Ada's mailbox"), "Ada's mailbox");
    }

    #[test]
    fn what_is_not_an_address_says_why() {
        let long_local = format!("{}@example.org", "a".repeat(65));
        let long = format!("{}@{}.example", "a".repeat(64), ["b".repeat(60).as_str(); 4].join("."));
        for (typed, expected) in [
            ("  ", BadAddress::Missing),
            ("ada", BadAddress::Invalid),
            ("@example.org", BadAddress::Invalid),
            ("ada@b@example.org", BadAddress::Invalid),
            ("Ada <ada@example.org>", BadAddress::Invalid),
            ("ada lovelace@example.org", BadAddress::Invalid),
            ("ada\r\n@example.org", BadAddress::Invalid),
            ("ada@", BadAddress::Domain),
            ("ada@localhost", BadAddress::Domain),
            ("ada@127.0.0.1", BadAddress::Domain),
            ("ada@exa mple.org", BadAddress::Domain),
            (long_local.as_str(), BadAddress::TooLong),
            (long.as_str(), BadAddress::TooLong),
        ] {
            assert_eq!(Address::parse(typed), Err(expected), "{typed}");
        }
    }
}
