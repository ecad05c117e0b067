//! What a completed sign-in gives: who it is, what may be shown of it, and what is sealed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::contract::{Connected, Credentials, Profile, State, Trouble};
use crate::kernel::secret::Secret;

use super::servers::{Encryption, Server, Servers};
use super::steps::form::say;

/// Everything it takes to act as the person; the sealed part of an account.
#[derive(Debug, Serialize, Deserialize)]
pub struct Keys {
    /// The form this is written in.
    pub version: u32,
    /// For reading.
    pub imap: Key,
    /// For sending, unless the account only receives.
    pub smtp: Option<Key>,
}

impl Keys {
    /// Reads them back.
    ///
    /// # Errors
    /// When the stored secret is not one of ours.
    pub fn read(secret: &State) -> Result<Self, Trouble> {
        serde_json::from_value(secret.0.clone()).map_err(|_| Trouble::bug("secret_unreadable"))
    }
}

/// A server and the password for it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Key {
    /// The server.
    #[serde(flatten)]
    pub server: Server,
    /// Its password.
    pub password: Secret,
}

/// Puts the outcome together.
///
/// # Errors
/// None that could happen; plain values always become JSON.
pub fn connected(address: &str, imap: Key, smtp: Option<Key>) -> Result<Connected, Trouble> {
    let identity = format!("{}/{}", imap.server.host, imap.server.login);
    let mut details = BTreeMap::from([("address".to_owned(), json!(address))]);
    describe(&mut details, "imap", &imap.server);
    match &smtp {
        Some(smtp) => describe(&mut details, "smtp", &smtp.server),
        None => {
            details.insert("receive_only".to_owned(), json!(true));
        }
    }
    let note = smtp.is_none().then(|| say("success.receive_only"));
    let profile = Profile { label: address.to_owned(), details, note };
    let keys = Keys { version: 1, imap, smtp };
    let secret = serde_json::to_value(keys).map(State).map_err(|_| Trouble::bug("secret_unwritable"))?;
    Ok(Connected { identity, profile, secret })
}

/// What a backend signs in with: `imap` and, unless the account only receives, `smtp`, each with `host`, `port`,
/// `encryption`, `login` and `password`.
///
/// # Errors
/// When the stored secret is not one of ours.
pub fn credentials(secret: &State) -> Result<Credentials, Trouble> {
    let keys = Keys::read(secret)?;
    let value = json!({ "type": "password", "imap": keys.imap, "smtp": keys.smtp });
    Ok(Credentials { value, expires_at: None, missing: Vec::new() })
}

/// The servers an account was connected with; `None` when its details do not say.
pub fn servers(profile: &Profile) -> Option<Servers> {
    let imap = recall(profile, "imap")?;
    if profile.details.get("receive_only") == Some(&Value::Bool(true)) {
        return Some(Servers { imap, smtp: None });
    }
    Some(Servers { imap, smtp: Some(recall(profile, "smtp")?) })
}

fn describe(details: &mut BTreeMap<String, Value>, leg: &str, server: &Server) {
    details.insert(format!("{leg}_host"), json!(server.host));
    details.insert(format!("{leg}_port"), json!(server.port));
    details.insert(format!("{leg}_user"), json!(server.login));
    details.insert(format!("{leg}_encryption"), json!(server.encryption.as_str()));
}

fn recall(profile: &Profile, leg: &str) -> Option<Server> {
    let text = |name: &str| Some(profile.text(&format!("{leg}_{name}"))).filter(|text| !text.is_empty());
    Some(Server {
        host: text("host")?.to_owned(),
        port: u16::try_from(profile.number(&format!("{leg}_port"))?).ok()?,
        encryption: Encryption::parse(text("encryption")?)?,
        login: text("user")?.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_outcome_names_the_mailbox_and_shows_no_secret() {
        let server = |host: &str, login: &str| Server {
            host: host.into(),
            port: 993,
            encryption: Encryption::Tls,
            login: login.into(),
        };
        let key =
            |host: &str, login: &str| Key { server: server(host, login), password: Secret::new("hunter2") };
        let imap = || key("mail.example.org", "Ada");
        let smtp = Some(key("out.example.org", "ada@example.org"));
        let both = connected("ada@example.org", imap(), smtp).unwrap();
        assert_eq!(both.identity, "mail.example.org/Ada");
        assert_eq!(both.profile.label, "ada@example.org");
        assert_eq!(both.profile.number("imap_port"), Some(993));
        assert_eq!(both.profile.text("smtp_user"), "ada@example.org");
        assert!(!format!("{both:?}").contains("hunter2"));
        assert!(!serde_json::to_string(&both.profile).unwrap().contains("hunter2"));
        let keys: Keys = serde_json::from_value(both.secret.0.clone()).unwrap();
        assert_eq!(keys.imap.password.reveal(), "hunter2");
        let again = super::servers(&both.profile).unwrap();
        assert_eq!((again.imap, again.smtp), (keys.imap.server, keys.smtp.map(|key| key.server)));
        let one = connected("ada@example.org", imap(), None).unwrap();
        assert_eq!(one.profile.details["receive_only"], json!(true));
        assert!(!one.profile.details.contains_key("smtp_host"));
        assert_eq!(servers(&one.profile).unwrap().smtp, None);
    }
}
