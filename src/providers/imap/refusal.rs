//! What went wrong, as stable codes: server answers of both protocols are sorted here, by response code where
//! the server gives one and by the known wordings of large providers where it does not. The server's own
//! words end here; they are neither shown nor logged.

use crate::contract::Actor;
use crate::kernel::egress::ConnectError;

use super::table::Rule;

/// Makes the codes, their words and their list in one go, so that none can be forgotten.
macro_rules! codes {
    ($($(#[$doc:meta])* $code:ident = $word:literal, $actor:ident;)*) => {
        /// Why a mail server did not let us in.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Code { $($(#[$doc])* $code,)* }

        impl Code {
            /// Every code.
            #[cfg(test)]
            pub(crate) const ALL: &[Self] = &[$(Self::$code),*];

            /// The stable word; also the last part of its sentences' keys.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$code => $word,)* }
            }

            fn actor(self) -> Actor {
                match self { $(Self::$code => Actor::$actor,)* }
            }
        }
    };
}

codes! {
    /// Wrong password or sign-in name.
    CredentialsInvalid = "credentials_invalid", Person;
    /// The password was right once.
    PasswordExpired = "password_expired", Person;
    /// The usual password does not work here; one made for this use does.
    AppPasswordRequired = "app_password_required", Person;
    /// No password works here, only the provider's own sign-in page.
    OauthRequired = "oauth_required", Person;
    /// IMAP, or sending with a password, is switched off.
    ProtocolDisabled = "protocol_disabled", Person;
    /// The provider wants to see the person in a browser first.
    WebLoginRequired = "web_login_required", Person;
    /// A rule of the provider or of an administrator stands against it.
    PolicyBlocked = "policy_blocked", Person;
    /// Too many tries.
    RateLimited = "rate_limited", Nobody;
    /// Too many tries for one name or one server, counted here.
    Throttled = "throttled", Nobody;
    /// This session has connected as often as it may.
    TooManyConnects = "too_many_connects", Person;
    /// The mail system has trouble of its own.
    ProviderUnavailable = "provider_unavailable", Nobody;
    /// Signed in, but the inbox does not open.
    MailboxUnavailable = "mailbox_unavailable", Person;
    /// This server cannot be given a password with these characters.
    PasswordCharacters = "password_characters", Person;
    /// No way to sign in is offered on this port.
    LoginNotOffered = "login_not_offered", Person;
    /// No such name.
    HostNotFound = "host_not_found", Person;
    /// The name system did not answer.
    DnsUnavailable = "dns_unavailable", Nobody;
    /// Nobody listens, or we may not go there: the two must not be told apart by whoever types host names.
    ConnectRefused = "connect_refused", Person;
    /// No connection in time.
    Timeout = "timeout", Person;
    /// No connection in time, while the server answers on the port that does the same: many networks close one.
    PortBlocked = "port_blocked", Person;
    /// Connected, and then too little was said in time.
    ServerSilent = "server_silent", Person;
    /// The line went dead.
    ConnectionBroken = "connection_broken", Nobody;
    /// What came was not the protocol we expected.
    ProtocolError = "protocol_error", Person;
    /// STARTTLS is not to be had.
    TlsNotOffered = "tls_not_offered", Person;
    /// Not TLS on this port.
    TlsNotSpoken = "tls_not_spoken", Person;
    /// The certificate's time is over.
    TlsExpired = "tls_certificate_expired", Admin;
    /// The certificate's time has not come.
    TlsNotYetValid = "tls_certificate_not_yet_valid", Admin;
    /// The certificate is for another name.
    TlsWrongName = "tls_certificate_wrong_name", Person;
    /// Nobody known vouches for the certificate.
    TlsUnknownIssuer = "tls_certificate_unknown_issuer", Admin;
    /// The certificate is faulty.
    TlsBad = "tls_certificate_bad", Admin;
    /// No common version of TLS.
    TlsHandshake = "tls_handshake_failed", Admin;
}

/// A code, and who has to act on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What it is.
    pub code: Code,
    /// Who has to act.
    pub actor: Actor,
}

impl From<Code> for Refusal {
    fn from(code: Code) -> Self {
        Self { code, actor: code.actor() }
    }
}

impl From<ConnectError> for Refusal {
    fn from(error: ConnectError) -> Self {
        use crate::kernel::egress::TlsTrouble as Tls;
        Self::from(match error {
            ConnectError::HostNotFound => Code::HostNotFound,
            ConnectError::NameServer => Code::DnsUnavailable,
            ConnectError::Blocked | ConnectError::Refused => Code::ConnectRefused,
            ConnectError::Timeout => Code::Timeout,
            ConnectError::Broken => Code::ConnectionBroken,
            ConnectError::Protocol => Code::ProtocolError,
            ConnectError::Tls(Tls::Expired) => Code::TlsExpired,
            ConnectError::Tls(Tls::NotYetValid) => Code::TlsNotYetValid,
            ConnectError::Tls(Tls::WrongName) => Code::TlsWrongName,
            ConnectError::Tls(Tls::UnknownIssuer) => Code::TlsUnknownIssuer,
            ConnectError::Tls(Tls::BadCertificate) => Code::TlsBad,
            ConnectError::Tls(Tls::NotTls) => Code::TlsNotSpoken,
            ConnectError::Tls(Tls::Handshake) => Code::TlsHandshake,
        })
    }
}

impl Refusal {
    /// The same refusal in the light of what is known about the mail system. `looks_right` is whether the
    /// password looks like one of its app passwords, where that can be told.
    #[must_use]
    pub fn at(self, rule: Rule, looks_right: Option<bool>) -> Self {
        match (self.code, rule) {
            (Code::CredentialsInvalid, Rule::OauthOnly) => Code::OauthRequired.into(),
            (Code::CredentialsInvalid, Rule::AppPassword) if looks_right != Some(true) => {
                Code::AppPasswordRequired.into()
            }
            _ => self,
        }
    }

    /// Whether other server settings could help: a person who typed them should see them again.
    pub fn is_about_the_server(self) -> bool {
        match self.code {
            Code::HostNotFound
            | Code::ConnectRefused
            | Code::Timeout
            | Code::PortBlocked
            | Code::ServerSilent
            | Code::ProtocolError
            | Code::LoginNotOffered
            | Code::TlsNotOffered
            | Code::TlsNotSpoken
            | Code::TlsExpired
            | Code::TlsNotYetValid
            | Code::TlsWrongName
            | Code::TlsUnknownIssuer
            | Code::TlsBad
            | Code::TlsHandshake => true,
            Code::CredentialsInvalid
            | Code::PasswordExpired
            | Code::AppPasswordRequired
            | Code::OauthRequired
            | Code::ProtocolDisabled
            | Code::WebLoginRequired
            | Code::PolicyBlocked
            | Code::RateLimited
            | Code::Throttled
            | Code::TooManyConnects
            | Code::ProviderUnavailable
            | Code::MailboxUnavailable
            | Code::PasswordCharacters
            | Code::DnsUnavailable
            | Code::ConnectionBroken => false,
        }
    }

    /// Whether the field the password was typed into is what is wrong.
    pub fn is_about_the_password(self) -> bool {
        use Code::{AppPasswordRequired, CredentialsInvalid, PasswordCharacters, PasswordExpired};
        matches!(self.code, CredentialsInvalid | PasswordExpired | AppPasswordRequired | PasswordCharacters)
    }
}

/// Wordings that say more than the code they come with, each with what it means. Lower case, first match
/// wins; `true` where it takes an administrator.
const WORDINGS: &[(&str, Code, bool)] = &[
    ("application-specific password", Code::AppPasswordRequired, false),
    ("app-specific password", Code::AppPasswordRequired, false),
    ("app password", Code::AppPasswordRequired, false),
    ("application password", Code::AppPasswordRequired, false),
    ("invalidsecondfactor", Code::AppPasswordRequired, false),
    ("web login required", Code::WebLoginRequired, false),
    ("webloginrequired", Code::WebLoginRequired, false),
    ("via your web browser", Code::WebLoginRequired, false),
    ("with your web browser", Code::WebLoginRequired, false),
    ("smtpclientauthentication is disabled", Code::ProtocolDisabled, true),
    ("basic authentication is disabled", Code::OauthRequired, false),
    ("basic authentication is not supported", Code::OauthRequired, false),
    ("basicauthblocked", Code::OauthRequired, false),
    ("access is disabled for your domain", Code::ProtocolDisabled, true),
    ("yet to enable imap", Code::ProtocolDisabled, false),
    ("not enabled for imap", Code::ProtocolDisabled, false),
    ("imap access is disabled", Code::ProtocolDisabled, false),
    ("imap is disabled", Code::ProtocolDisabled, false),
    ("enable imap", Code::ProtocolDisabled, false),
    ("security defaults policy", Code::PolicyBlocked, true),
    ("did not meet the criteria", Code::PolicyBlocked, true),
    ("unsafe login", Code::PolicyBlocked, false),
    ("suspended", Code::PolicyBlocked, false),
    ("account locked", Code::PolicyBlocked, false),
    ("account is locked", Code::PolicyBlocked, false),
    ("account has been locked", Code::PolicyBlocked, false),
    ("account disabled", Code::PolicyBlocked, false),
    ("account is disabled", Code::PolicyBlocked, false),
    ("account has been disabled", Code::PolicyBlocked, false),
    ("password expired", Code::PasswordExpired, false),
    ("password has expired", Code::PasswordExpired, false),
    ("too many", Code::RateLimited, false),
    ("rate limit", Code::RateLimited, false),
    ("auth005", Code::RateLimited, false),
    ("temporar", Code::ProviderUnavailable, false),
    ("try again later", Code::ProviderUnavailable, false),
    ("internal error", Code::ProviderUnavailable, false),
];

fn by_wording(text: &str) -> Option<Refusal> {
    let text = text.to_lowercase();
    let (_, code, admin) = WORDINGS.iter().find(|(wording, _, _)| text.contains(wording))?;
    let mut refusal = Refusal::from(*code);
    if *admin {
        refusal.actor = Actor::Admin;
    }
    Some(refusal)
}

/// Sorts an IMAP `NO`, `BAD` or `BYE`: its response code (RFC 5530 and others), its text, and what to think
/// when neither says anything.
pub fn imap(response_code: Option<&str>, text: &str, otherwise: Code) -> Refusal {
    if let Some(refusal) = by_wording(text) {
        return refusal;
    }
    Refusal::from(match response_code.map(str::to_uppercase).as_deref() {
        Some("AUTHENTICATIONFAILED") => Code::CredentialsInvalid,
        Some("EXPIRED") => Code::PasswordExpired,
        Some("CONTACTADMIN") => return Refusal { code: Code::PolicyBlocked, actor: Actor::Admin },
        Some("AUTHORIZATIONFAILED" | "NOPERM") => Code::PolicyBlocked,
        Some("PRIVACYREQUIRED") => Code::TlsNotOffered,
        Some("UNAVAILABLE" | "INUSE" | "SERVERBUG") => Code::ProviderUnavailable,
        Some("LIMIT") => Code::RateLimited,
        Some("WEBALERT") => Code::WebLoginRequired,
        Some("NONEXISTENT") => Code::MailboxUnavailable,
        _ => otherwise,
    })
}

/// Sorts an SMTP reply that is not the wanted one: its status and its lines in one text.
pub fn smtp(status: u16, text: &str, otherwise: Code) -> Refusal {
    let text = text.to_lowercase();
    // These come first since their longer texts hold words that mean something else in other replies.
    match status {
        534 if text.contains("5.7.14") || text.contains("web browser") => {
            return Code::WebLoginRequired.into();
        }
        534 if text.contains("5.7.9") => return Code::AppPasswordRequired.into(),
        421 if text.contains("4.7.0 try again later") => return Code::RateLimited.into(),
        530 | 538 if text.contains("tls") || status == 538 => return Code::TlsNotOffered.into(),
        _ => {}
    }
    if let Some(refusal) = by_wording(&text) {
        return refusal;
    }
    Refusal::from(match status {
        421 if text.contains("4.7.") || otherwise == Code::CredentialsInvalid => Code::RateLimited,
        400..=499 => Code::ProviderUnavailable,
        535 => Code::CredentialsInvalid,
        503 | 504 => Code::LoginNotOffered,
        550 if text.contains("5.7.30") => Code::OauthRequired,
        550 | 554 => Code::PolicyBlocked,
        500..=502 => Code::ProtocolError,
        _ => otherwise,
    })
}

#[cfg(test)]
#[path = "refusal_tests.rs"]
mod tests;
