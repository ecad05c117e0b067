//! The built-in table: mail systems whose servers, sign-in names and password rules are known, so that most
//! people type an address and a password and nothing else. It is data (`table.toml`), read once.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::address::Address;
use super::servers::{Encryption, Server, Servers};

/// Which password works at a mail system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// The one the person signs in with elsewhere.
    Normal,
    /// One made for this use alone, while the usual one is refused.
    AppPassword,
    /// A code the mail system shows when IMAP is switched on.
    AuthCode,
    /// One mail password beside the account's.
    SeparatePassword,
    /// None: only the provider's own sign-in page.
    OauthOnly,
    /// None: mail programs are not let in at all.
    Unsupported,
}

impl Rule {
    /// Every rule under which a password can be asked.
    pub const ASKING: &[Self] = &[Self::Normal, Self::AppPassword, Self::AuthCode, Self::SeparatePassword];

    /// The word in the table and in string keys.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::AppPassword => "app_password",
            Self::AuthCode => "auth_code",
            Self::SeparatePassword => "separate_password",
            Self::OauthOnly => "oauth_only",
            Self::Unsupported => "unsupported",
        }
    }
}

/// What is known of the look of a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// Sixteen letters, shown in groups with spaces that do not count.
    Letters16,
}

impl Shape {
    /// The password as the server knows it, when it looks as it should.
    pub fn normalise(self, typed: &str) -> Option<String> {
        match self {
            Self::Letters16 => {
                let bare: String = typed.chars().filter(|c| !c.is_whitespace()).collect();
                (bare.len() == 16 && bare.bytes().all(|b| b.is_ascii_alphabetic())).then_some(bare)
            }
        }
    }
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Login {
    #[default]
    Address,
    LocalPart,
}

impl Login {
    fn of(self, address: &Address) -> String {
        match self {
            Self::Address => address.to_string(),
            Self::LocalPart => address.local.clone(),
        }
    }
}

/// Pages to read, all https and all from the table.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pages {
    /// Where the password is made.
    pub password: Option<String>,
    /// How IMAP is switched on.
    pub enable: Option<String>,
    /// The provider's own web mail.
    pub sign_in: Option<String>,
    /// Why it is not possible, or how it works.
    pub about: Option<String>,
}

/// One mail system.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct System {
    /// What a person calls it.
    pub name: String,
    /// Which password works.
    pub rule: Rule,
    /// What such a password looks like, where that is certain.
    pub shape: Option<Shape>,
    /// Whether the usual password stops working, and one made for this use is needed, once the person has
    /// switched on sign-in in two steps.
    #[serde(default)]
    pub two_step: bool,
    /// Pages to read.
    #[serde(default)]
    pub pages: Pages,
    domains: String,
    /// Suffixes of the hosts that take mail for it.
    #[serde(default)]
    mx: String,
    imap: Option<String>,
    smtp: Option<String>,
    #[serde(default)]
    login: Login,
    smtp_login: Option<Login>,
}

impl System {
    /// The servers for an address; `None` where there are none to reach.
    pub fn servers(&self, address: &Address) -> Option<Servers> {
        let server = |text: &Option<String>, login: Login| {
            let (host, port) = split(text.as_deref()?)?;
            let encryption = Encryption::usual(port);
            Some(Server { host: host.to_owned(), port, encryption, login: login.of(address) })
        };
        let imap = server(&self.imap, self.login)?;
        let smtp = server(&self.smtp, self.smtp_login.unwrap_or(self.login))?;
        Some(Servers { imap, smtp: Some(smtp) })
    }

    fn runs(&self, host: &str) -> bool {
        let mut hosts = [&self.imap, &self.smtp].into_iter().flatten();
        hosts.any(|server| split(server).is_some_and(|(known, _)| known == host))
    }
}

/// All known mail systems.
#[derive(Debug)]
pub struct Table {
    systems: Vec<System>,
    by_domain: BTreeMap<String, usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    system: Vec<System>,
}

impl Table {
    /// Reads the built-in table.
    ///
    /// # Errors
    /// When it is faulty, which the tests would have said first.
    pub fn built_in() -> Result<Self, String> {
        Self::read(include_str!("table.toml"))
    }

    fn read(text: &str) -> Result<Self, String> {
        let File { system: systems } =
            toml::from_str(text).map_err(|error| format!("the built-in table: {error}"))?;
        let mut by_domain = BTreeMap::new();
        for (at, system) in systems.iter().enumerate() {
            for server in [&system.imap, &system.smtp].into_iter().flatten() {
                split(server).ok_or_else(|| format!("the built-in table: {server} is not host:port"))?;
            }
            for domain in system.domains.split_whitespace().flat_map(expand) {
                if by_domain.insert(domain.clone(), at).is_some() {
                    return Err(format!("the built-in table: {domain} stands there twice"));
                }
            }
        }
        Ok(Self { systems, by_domain })
    }

    /// The system a domain belongs to.
    pub fn by_domain(&self, domain: &str) -> Option<&System> {
        self.by_domain.get(domain).and_then(|at| self.systems.get(*at))
    }

    /// The system that takes mail at this host, for people whose own domain is served by a large one.
    pub fn by_exchange(&self, host: &str) -> Option<&System> {
        let takes = |suffix: &str| {
            host.strip_suffix(suffix).is_some_and(|before| before.is_empty() || before.ends_with('.'))
        };
        self.systems.iter().find(|system| system.mx.split_whitespace().any(takes))
    }

    /// The system that runs a server, for people whose own domain is served by a large one.
    pub fn by_host(&self, host: &str) -> Option<&System> {
        self.systems.iter().find(|system| system.runs(host))
    }
}

fn split(server: &str) -> Option<(&str, u16)> {
    let (host, port) = server.rsplit_once(':')?;
    Some((host, port.parse().ok()?))
}

/// `a.{x,y}` becomes `a.x` and `a.y`.
fn expand(pattern: &str) -> Vec<String> {
    match pattern.strip_suffix('}').and_then(|open| open.split_once('{')) {
        Some((stem, ends)) => ends.split(',').map(|end| format!("{stem}{end}")).collect(),
        None => vec![pattern.to_owned()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        Table::built_in().unwrap()
    }

    fn shown(typed: &str) -> (String, String, String, String) {
        let address = Address::parse(typed).unwrap();
        let servers = table().by_domain(&address.domain).unwrap().servers(&address).unwrap();
        let smtp = servers.smtp.unwrap();
        (servers.imap.to_string(), servers.imap.login, smtp.to_string(), smtp.login)
    }

    #[test]
    fn an_address_at_a_large_provider_gives_its_servers_and_sign_in_names() {
        for (typed, imap, login, smtp, smtp_login) in [
            ("ada@gmail.com", "imap.gmail.com:993", "ada@gmail.com", "smtp.gmail.com:465", "ada@gmail.com"),
            (
                "ada@googlemail.com",
                "imap.gmail.com:993",
                "ada@googlemail.com",
                "smtp.gmail.com:465",
                "ada@googlemail.com",
            ),
            ("ada@me.com", "imap.mail.me.com:993", "ada", "smtp.mail.me.com:587", "ada@me.com"),
            (
                "ada@yahoo.co.uk",
                "imap.mail.yahoo.com:993",
                "ada@yahoo.co.uk",
                "smtp.mail.yahoo.com:465",
                "ada@yahoo.co.uk",
            ),
            ("ada@yahoo.co.jp", "imap.mail.yahoo.co.jp:993", "ada", "smtp.mail.yahoo.co.jp:465", "ada"),
            ("ada@gmx.at", "imap.gmx.net:993", "ada@gmx.at", "mail.gmx.net:465", "ada@gmx.at"),
            ("ada@gmx.co.uk", "imap.gmx.com:993", "ada@gmx.co.uk", "mail.gmx.com:465", "ada@gmx.co.uk"),
            ("ada@web.de", "imap.web.de:993", "ada", "smtp.web.de:465", "ada"),
            ("ada@126.com", "imap.126.com:993", "ada@126.com", "smtp.126.com:465", "ada@126.com"),
        ] {
            let expected = (imap.into(), login.into(), smtp.into(), smtp_login.into());
            assert_eq!(shown(typed), expected, "{typed}");
        }
    }

    #[test]
    fn each_domain_has_the_password_rule_of_its_provider() {
        for (domain, rule) in [
            ("gmail.com", Rule::AppPassword),
            ("icloud.com", Rule::AppPassword),
            ("mac.com", Rule::AppPassword),
            ("aol.com", Rule::AppPassword),
            ("fastmail.fm", Rule::AppPassword),
            ("bk.ru", Rule::AppPassword),
            ("yandex.ru", Rule::AppPassword),
            ("foxmail.com", Rule::AuthCode),
            ("163.com", Rule::AuthCode),
            ("t-online.de", Rule::SeparatePassword),
            ("zohomail.eu", Rule::Normal),
            ("naver.com", Rule::Normal),
            ("comcast.net", Rule::Normal),
            ("outlook.com", Rule::OauthOnly),
            ("hotmail.co.uk", Rule::OauthOnly),
            ("live.nl", Rule::OauthOnly),
            ("msn.com", Rule::OauthOnly),
            ("proton.me", Rule::Unsupported),
            ("tutanota.com", Rule::Unsupported),
            ("hey.com", Rule::Unsupported),
        ] {
            assert_eq!(table().by_domain(domain).map(|system| system.rule), Some(rule), "{domain}");
        }
        assert!(table().by_domain("example.org").is_none());
        assert!(table().by_domain("notgmail.com").is_none());
    }

    #[test]
    fn the_host_that_takes_a_domain_s_mail_leads_to_one_system() {
        let table = table();
        for (host, imap) in [
            ("alt4.aspmx.l.google.com", "imap.gmail.com:993"),
            ("mx2.zoho.eu", "imappro.zoho.eu:993"),
            ("mx01.emig.gmx.net", "imap.gmx.net:993"),
            ("mx00.ionos.co.uk", "imap.ionos.co.uk:993"),
            ("mx01.kundenserver.de", "imap.ionos.de:993"),
            ("smtpin.rzone.de", "imap.strato.de:993"),
            ("fb.mail.gandi.net", "mail.gandi.net:993"),
            ("mailstore1.secureserver.net", "imap.secureserver.net:993"),
            ("mx1.emailsrvr.com", "secure.emailsrvr.com:993"),
            ("mx2.privateemail.com", "mail.privateemail.com:993"),
            ("aspmx1.migadu.com", "imap.migadu.com:993"),
            ("mta-gw.infomaniak.ch", "mail.infomaniak.com:993"),
            ("mailserver.purelymail.com", "imap.purelymail.com:993"),
            ("mxbiz2.qq.com", "imap.exmail.qq.com:993"),
            ("qiye163mx01.mxmail.netease.com", "imap.qiye.163.com:993"),
            ("mxw.mxhichina.com", "imap.qiye.aliyun.com:993"),
        ] {
            let found = table.by_exchange(host).and_then(|system| system.imap.as_deref());
            assert_eq!(found, Some(imap), "{host}");
        }
        // A rented server, and a name that only ends like a known one.
        for host in
            ["p3plcpnl0711.prod.phx3.secureserver.net", "s15346.kundenserver.de", "notmx1.emailsrvr.com"]
        {
            assert!(table.by_exchange(host).is_none(), "{host}");
        }
        let ends: Vec<_> = table.systems.iter().flat_map(|system| system.mx.split_whitespace()).collect();
        for (at, end) in ends.iter().enumerate() {
            assert_eq!(**end, end.to_ascii_lowercase(), "hosts are compared in small letters");
            let other = ends.iter().enumerate().find(|(other, longer)| {
                *other != at
                    && longer.strip_suffix(end).is_some_and(|left| left.is_empty() || left.ends_with('.'))
            });
            assert_eq!(other, None, "{end} takes the mail of another row as well");
        }
    }

    #[test]
    fn every_row_that_can_be_reached_names_both_servers_and_only_https_pages() {
        for system in table().systems {
            assert_eq!(system.imap.is_some(), system.rule != Rule::Unsupported, "{}", system.name);
            assert_eq!(system.smtp.is_some(), system.imap.is_some(), "{}", system.name);
            let Pages { password, enable, sign_in, about } = system.pages;
            for page in [password, enable, sign_in, about].into_iter().flatten() {
                assert!(page.starts_with("https://"), "{page}");
            }
        }
    }

    #[test]
    fn a_hand_written_server_of_a_known_system_is_recognised() {
        let rule = |host: &str| table().by_host(host).map(|system| system.rule);
        assert_eq!(rule("imap.gmail.com"), Some(Rule::AppPassword));
        assert_eq!(rule("outlook.office365.com"), Some(Rule::OauthOnly));
        assert_eq!(rule("smtp.office365.com"), Some(Rule::OauthOnly));
        assert_eq!(rule("imap.example.org"), None);
    }

    #[test]
    fn only_what_looks_like_an_app_password_loses_its_spaces() {
        let shape = Shape::Letters16;
        assert_eq!(shape.normalise("abcd efgh ijkl mnop").as_deref(), Some("abcdefghijklmnop"));
        assert_eq!(shape.normalise(" abcdefghijklmnop ").as_deref(), Some("abcdefghijklmnop"));
        assert_eq!(shape.normalise("correct horse battery"), None);
        assert_eq!(shape.normalise("abcd efgh ijkl mno1"), None);
    }

    #[test]
    fn a_domain_in_two_rows_is_refused() {
        let row = "[[system]]\nname = 'x'\nrule = 'unsupported'\ndomains = 'a.{b,c}'\n";
        assert!(Table::read(row).is_ok());
        assert!(Table::read(&format!("{row}{row}")).unwrap_err().contains("twice"));
    }
}
