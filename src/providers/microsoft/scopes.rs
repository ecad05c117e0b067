//! Microsoft's scopes: what the words of settings stand for, which service a scope belongs to in which cloud, and what a
//! grant is renewed with. Always: the scopes of one token request are of one service.

use url::Url;

use super::super::oauth::scopes::{Need, Spelling, Wanted};

/// About the sign-in itself; always asked for, and of no service.
pub const SIGN_IN: [&str; 4] = ["openid", "profile", "email", "offline_access"];

/// These scopes after those of the sign-in, in one text.
pub fn asking<'a>(scopes: impl Iterator<Item = &'a str>) -> String {
    SIGN_IN.into_iter().chain(scopes).collect::<Vec<_>>().join(" ")
}

/// Exchange Online, as the word `imap` names it.
const EXCHANGE: &str = "https://outlook.office.com/";

pub const SPELLING: Spelling = Spelling {
    words: |word| match word {
        "mail" => Some((Need::Mail, &["Mail.ReadWrite", "Mail.Send"])),
        "calendar" => Some((Need::Calendar, &["Calendars.ReadWrite"])),
        "contacts" => Some((Need::Contacts, &["Contacts.ReadWrite"])),
        "imap" => Some((
            Need::Mail,
            &["https://outlook.office.com/IMAP.AccessAsUser.All", "https://outlook.office.com/SMTP.Send"],
        )),
        _ => None,
    },
    // Microsoft gives scopes back with or without their service; all of one grant are of the same one.
    canonical: |scope| scope.rsplit('/').next().unwrap_or_default().to_ascii_lowercase(),
};

/// The service that a scope belongs to, in one spelling; empty when it does not say.
pub fn service(scope: &str) -> String {
    let service = scope.rsplit_once('/').map_or("", |(service, _)| service);
    // Two names of Exchange Online.
    service.to_ascii_lowercase().replace("//outlook.office365.com", "//outlook.office.com")
}

/// A scope of the settings as it is sent: one without a service is Graph's, and Exchange Online has another name in the
/// national clouds.
pub fn complete(name: &str, base: &Url, graph: &Url) -> String {
    let exchange = match base.host_str() {
        Some("login.microsoftonline.us") => "https://outlook.office365.us/",
        Some("login.partner.microsoftonline.cn") => "https://partner.outlook.cn/",
        _ => EXCHANGE,
    };
    match name.strip_prefix(EXCHANGE) {
        Some(name) => format!("{exchange}{name}"),
        None if name.contains("://") => name.to_owned(),
        None => format!("{graph}{name}"),
    }
}

/// What a grant is renewed with: what it holds, each scope with its service, and never what is asked of others since
/// (RFC 6749, section 6). `None` when it does not say what it holds.
pub fn of_grant(granted: &[String], wanted: &Wanted, graph: &Url) -> Option<String> {
    let held: Vec<_> = granted.iter().filter(|scope| !SIGN_IN.contains(&&***scope)).collect();
    let named = held.iter().find(|scope| scope.contains("://")).and_then(|scope| scope.rsplit_once('/'));
    let spelt = |scope: &str| {
        let canonical = (SPELLING.canonical)(scope);
        let known = || wanted.names().find(|name| (SPELLING.canonical)(name) == canonical);
        match named {
            _ if scope.contains("://") => scope.to_owned(),
            Some((service, _)) => format!("{service}/{scope}"),
            None => known().map_or_else(|| format!("{graph}{scope}"), str::to_owned),
        }
    };
    let all = SIGN_IN.into_iter().map(str::to_owned).chain(held.iter().map(|scope| spelt(scope)));
    (!held.is_empty()).then(|| all.collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn a_grant_is_renewed_with_what_it_holds_however_it_was_spelt() {
        let graph = url("https://graph.microsoft.com");
        let wanted = |words: &str| {
            let base = url("https://login.microsoftonline.com");
            Wanted::new(&list(words), &[], SPELLING, |name| complete(name, &base, &graph))
        };
        const FIRST: &str = "openid profile email offline_access";
        for (granted, words, sent) in [
            ("Mail.Read openid profile", "mail calendar", "https://graph.microsoft.com/Mail.Read"),
            (
                "https://graph.microsoft.com/Mail.Send email User.Read",
                "mail",
                "https://graph.microsoft.com/Mail.Send https://graph.microsoft.com/User.Read",
            ),
            // Settings that have moved on to another service change nothing for those who are connected.
            (
                "https://outlook.office.com/IMAP.AccessAsUser.All SMTP.Send",
                "mail",
                "https://outlook.office.com/IMAP.AccessAsUser.All https://outlook.office.com/SMTP.Send",
            ),
            ("SMTP.Send", "imap", "https://outlook.office.com/SMTP.Send"),
        ] {
            let told = of_grant(&list(granted), &wanted(words), &graph);
            assert_eq!(told.unwrap(), format!("{FIRST} {sent}"), "{granted}");
        }
        assert_eq!(of_grant(&list("openid email"), &wanted("mail"), &graph), None);
    }

    #[test]
    fn a_national_cloud_has_its_own_exchange() {
        for (base, service) in [
            ("https://login.microsoftonline.com", "https://outlook.office.com"),
            ("https://login.microsoftonline.us", "https://outlook.office365.us"),
            ("https://login.partner.microsoftonline.cn", "https://partner.outlook.cn"),
            ("https://localhost:8443", "https://outlook.office.com"),
        ] {
            let (_, names) = (SPELLING.words)("imap").unwrap();
            for name in names {
                let whole = complete(name, &url(base), &url("https://graph.microsoft.com"));
                assert_eq!(whole.rsplit_once('/').unwrap().0, service, "{base}");
            }
            let own = "https://webmail.apps.mil/SMTP.Send";
            assert_eq!(complete(own, &url(base), &url("https://graph.microsoft.us")), own);
        }
    }
}
