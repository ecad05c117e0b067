//! The sealed part of an account that was signed in to by OAuth, and what a backend is handed of it.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::contract::{Actor, Credentials, End, Outlook, Renewed, State, Trouble};
use crate::kernel::clock::Millis;
use crate::kernel::secret::Secret;

use super::tokens::Tokens;

/// Everything it takes to act as the person.
#[derive(Debug, Serialize, Deserialize)]
pub struct Grant {
    /// The form this is written in.
    pub version: u32,
    /// For acting.
    pub access_token: Secret,
    /// How it is sent.
    pub token_type: String,
    /// When it ends.
    pub expires_at: Millis,
    /// For renewing; absent only in grants that are given back at once.
    pub refresh_token: Option<Secret>,
    /// When that ends by itself, where it does.
    pub refresh_expires_at: Option<Millis>,
    /// What was granted.
    pub scopes: Vec<String>,
    /// What was granted once and taken back since, while something required is among it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<String>,
    /// When this was given.
    pub obtained_at: Millis,
    /// To whom it was given.
    pub client_id: String,
    /// Who gave it.
    pub issuer: String,
    /// In which part of the issuer, where there are several.
    pub tenant: Option<String>,
    /// What to sign in with where a protocol wants a name besides the token (SASL XOAUTH2).
    pub login: String,
}

/// Whose grant it is and who gave it.
#[derive(Debug)]
pub struct Holder<'a> {
    /// Our id at the provider.
    pub client_id: &'a str,
    /// The provider.
    pub issuer: &'a str,
    /// A part of it.
    pub tenant: Option<&'a str>,
    /// The person's name in protocols.
    pub login: &'a str,
}

/// What a grant to another client comes to: nobody but that client can renew it. The public documents call this the
/// OAuth keys having changed.
pub fn another_client() -> Renewed {
    Renewed::Gone { cause: "oauth_client_changed".to_owned(), actor: Actor::Person }
}

impl Grant {
    /// A fresh one; `asked` is when the tokens were asked for, so that no life is counted too long.
    pub fn new(tokens: &Tokens, scopes: Vec<String>, asked: Millis, holder: &Holder<'_>) -> Self {
        Self {
            version: 1,
            access_token: tokens.access.clone(),
            token_type: "Bearer".to_owned(),
            expires_at: asked.after(Duration::from_secs(tokens.lives)),
            refresh_token: tokens.refresh.clone(),
            refresh_expires_at: tokens.refresh_lives.map(|span| asked.after(Duration::from_secs(span))),
            scopes,
            lost: Vec::new(),
            obtained_at: asked,
            client_id: holder.client_id.to_owned(),
            issuer: holder.issuer.to_owned(),
            tenant: holder.tenant.map(str::to_owned),
            login: holder.login.to_owned(),
        }
    }

    /// The same grant with what renewing gave, which is good for these scopes. What did not come back stays as it was.
    #[must_use]
    pub fn renewed(self, tokens: &Tokens, scopes: Vec<String>, asked: Millis) -> Self {
        let rotated = tokens.refresh.is_some() || tokens.refresh_lives.is_some();
        let ends = tokens.refresh_lives.map(|span| asked.after(Duration::from_secs(span)));
        Self {
            access_token: tokens.access.clone(),
            expires_at: asked.after(Duration::from_secs(tokens.lives)),
            refresh_token: tokens.refresh.clone().or(self.refresh_token),
            refresh_expires_at: if rotated { ends } else { self.refresh_expires_at },
            scopes,
            obtained_at: asked,
            ..self
        }
    }

    /// What was granted, whether or not it was taken back since.
    pub fn ever_granted(&self) -> Vec<String> {
        self.scopes.iter().chain(&self.lost).cloned().collect()
    }

    /// Reads one back.
    ///
    /// # Errors
    /// When the stored secret is not one of ours.
    pub fn read(secret: State) -> Result<Self, Trouble> {
        serde_json::from_value(secret.0).map_err(|_| Trouble::bug("secret_unreadable"))
    }

    /// Writes it.
    ///
    /// # Errors
    /// None that could happen; plain values always become JSON.
    pub fn write(self) -> Result<State, Trouble> {
        serde_json::to_value(self).map(State).map_err(|_| Trouble::bug("secret_unwritable"))
    }

    /// The token that stands for the whole grant where one is given back.
    pub fn whole(&self) -> &Secret {
        self.refresh_token.as_ref().unwrap_or(&self.access_token)
    }

    /// What is known of its future. `secret_ends` is when our own secret at the provider does.
    pub fn outlook(&self, secret_ends: Option<Millis>) -> Outlook {
        let ours = secret_ends.map(|at| End { cause: "client_secret_expires", at, moves: false });
        let own = match (&self.refresh_token, self.refresh_expires_at) {
            // What cannot be renewed ends with the one token that there is.
            (None, _) => Some(End { cause: "grant_ends", at: self.expires_at, moves: false }),
            (Some(_), Some(at)) => Some(End { cause: "grant_ends", at, moves: true }),
            (Some(_), None) => None,
        };
        Outlook {
            peer: String::new(),
            renews: self.refresh_token.is_some(),
            client: Some(self.client_id.clone()),
            end: own.into_iter().chain(ours).min_by_key(|end| end.at),
        }
    }

    /// What a backend acts with: `access_token` with its `token_type`, `expires_at` (RFC 3339), `scopes` and `login`; and,
    /// where the token opens a mailbox, `mail` with the servers that take it by SASL XOAUTH2.
    pub fn credentials(&self, missing: Vec<String>, mail: Option<&Mail>) -> Credentials {
        let mut value = json!({
            "type": "oauth",
            "access_token": self.access_token,
            "token_type": self.token_type,
            "expires_at": self.expires_at.rfc3339(),
            "scopes": self.scopes,
            "login": self.login,
        });
        if let Some(Mail { imap, smtp }) = mail {
            let server = |server: &Server| json!({ "host": server.host, "port": server.port, "encryption": server.encryption });
            value["mail"] = json!({
                "mechanism": "XOAUTH2",
                "login": self.login,
                "imap": server(imap),
                "smtp": server(smtp),
            });
        }
        Credentials { value, expires_at: Some(self.expires_at), missing }
    }
}

/// A mail server that takes access tokens.
#[derive(Clone, Copy, Debug)]
pub struct Server {
    /// Its name.
    pub host: &'static str,
    /// The port.
    pub port: u16,
    /// `tls` from the first byte, or `starttls`.
    pub encryption: &'static str,
}

/// Where a provider's mailboxes are read and sent from.
#[derive(Clone, Copy, Debug)]
pub struct Mail {
    /// Reading.
    pub imap: Server,
    /// Sending.
    pub smtp: Server,
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOLDER: Holder<'static> =
        Holder { client_id: "us", issuer: "https://id.example", tenant: None, login: "ada@example.org" };

    fn tokens(access: &str, refresh: Option<&str>) -> Tokens {
        Tokens {
            access: Secret::new(access),
            lives: 3600,
            refresh: refresh.map(Secret::new),
            refresh_lives: None,
            scopes: None,
            id_token: None,
        }
    }

    #[test]
    fn a_backend_gets_the_access_token_and_never_the_one_for_renewing() {
        let grant = Grant::new(&tokens("at", Some("rt")), vec!["mail".into()], Millis(0), &HOLDER);
        let credentials = grant.credentials(Vec::new(), None);
        assert_eq!(credentials.expires_at, Some(Millis(3_600_000)));
        let expected = json!({
            "type": "oauth", "access_token": "at", "token_type": "Bearer", "expires_at": "1970-01-01T01:00:00.000Z",
            "scopes": ["mail"], "login": "ada@example.org",
        });
        assert_eq!(credentials.value, expected);
        assert!(!format!("{grant:?}").contains("rt\""));
        let server = |host, port| Server { host, port, encryption: "tls" };
        let mail = Mail { imap: server("imap.example", 993), smtp: server("smtp.example", 465) };
        let credentials = grant.credentials(vec!["more".into()], Some(&mail));
        assert_eq!(credentials.missing, ["more"]);
        let expected = json!({
            "mechanism": "XOAUTH2", "login": "ada@example.org",
            "imap": { "host": "imap.example", "port": 993, "encryption": "tls" },
            "smtp": { "host": "smtp.example", "port": 465, "encryption": "tls" },
        });
        assert_eq!(credentials.value["mail"], expected);
    }

    #[test]
    fn the_next_known_end_is_told_and_only_a_renewable_one_may_move() {
        let grant = |refresh, lives| {
            let first = Tokens { refresh_lives: lives, ..tokens("1", refresh) };
            Grant::new(&first, Vec::new(), Millis(0), &HOLDER)
        };
        let end = |cause, at, moves| Some(End { cause, at: Millis(at), moves });
        assert_eq!(grant(Some("r"), None).outlook(None).end, None);
        assert_eq!(grant(Some("r"), Some(60)).outlook(None).end, end("grant_ends", 60_000, true));
        assert_eq!(grant(None, None).outlook(None).end, end("grant_ends", 3_600_000, false));
        let ours = Some(Millis(5));
        assert_eq!(grant(Some("r"), Some(60)).outlook(ours).end, end("client_secret_expires", 5, false));
        let outlook = grant(Some("r"), None).outlook(None);
        assert_eq!((outlook.client.as_deref(), outlook.renews), (Some("us"), true));
    }

    #[test]
    fn renewing_keeps_what_does_not_come_back_and_takes_what_does() {
        let grant = |lives| {
            let first = Tokens { refresh_lives: lives, ..tokens("1", Some("a")) };
            Grant::new(&first, vec!["mail".into()], Millis(0), &HOLDER)
        };
        let kept = grant(Some(60)).renewed(&tokens("2", None), vec!["mail".into()], Millis(5));
        assert_eq!(kept.refresh_token.unwrap().reveal(), "a");
        assert_eq!((kept.refresh_expires_at, kept.scopes), (Some(Millis(60_000)), vec!["mail".to_owned()]));
        let taken = grant(Some(60)).renewed(&tokens("2", Some("b")), Vec::new(), Millis(5));
        assert_eq!((taken.refresh_token.unwrap().reveal(), taken.refresh_expires_at), ("b", None));
        assert_eq!((taken.access_token.reveal(), taken.obtained_at), ("2", Millis(5)));
        assert!(taken.scopes.is_empty());
        let back = Grant::read(grant(None).write().unwrap()).unwrap();
        assert_eq!((back.whole().reveal(), back.version), ("a", 1));
    }
}
