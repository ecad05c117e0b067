//! Looking whether a mailbox still lets us in: a login where mail is read and, unless the account only receives, one where
//! it is sent. What a person did not choose to try is not counted as their tries. Always: only words about the sign-in
//! itself are an answer; a server that is away, busy or oddly set up has said nothing about the password.

use tokio::time::Duration;

use crate::contract::{Actor, Checked, Context, Outlook, Trouble};

use super::Imap;
use super::outcome::{Key, Keys};
use super::probe::{self, Limits};
use super::refusal::{Code, Refusal};

/// What is known of its future: passwords have no known end.
pub fn outlook(keys: &Keys) -> Result<Outlook, Trouble> {
    let peer = keys.imap.server.host.to_ascii_lowercase();
    Ok(Outlook { peer, renews: false, client: None, end: None })
}

/// Signs in at both servers.
///
/// # Errors
/// Why there was no definite answer.
pub async fn check(imap: &Imap, cx: &Context, keys: &Keys) -> Result<Checked, Trouble> {
    let connect = imap.config.connect;
    // Longer than it takes, and shorter together than a look may.
    let limits = || Limits { connect, whole: (2 * connect).min(Duration::from_secs(27)) };
    let permitted = |key: &Key| match imap.config.permits(key.server.port) {
        true => Ok(()),
        false => Err(Trouble { code: "port_not_permitted", actor: Actor::Operator }),
    };
    permitted(&keys.imap)?;
    let read = probe::reading(&cx.egress, &keys.imap.server, &keys.imap.password, limits()).await;
    let read = judge(imap, &keys.imap, "", read)?;
    let (Checked::Fine, Some(smtp)) = (&read, &keys.smtp) else { return Ok(read) };
    permitted(smtp)?;
    let sent = probe::sending(&cx.egress, &smtp.server, &smtp.password, limits()).await;
    judge(imap, smtp, "smtp_", sent)
}

/// What a server's answer says about the account. `leg` stands before the code where mail is sent.
fn judge(imap: &Imap, key: &Key, leg: &str, tried: Result<(), Refusal>) -> Result<Checked, Trouble> {
    let Err(refusal) = tried else { return Ok(Checked::Fine) };
    // It was let in once, so what its system wants now is not what the wizard would guess for a password typed anew.
    let rule = imap.table.by_host(&key.server.host).map(|system| system.rule);
    let refusal = rule.map_or(refusal, |rule| refusal.at(rule, Some(true)));
    let refused = |sure| Checked::Refused {
        cause: format!("{leg}{}", refusal.code.as_str()),
        actor: refusal.actor,
        sure,
    };
    match refusal.code {
        // Said in so many words, by a code or a sentence that a busy server does not use.
        Code::PasswordExpired | Code::AppPasswordRequired | Code::OauthRequired => Ok(refused(true)),
        // Servers whose user database is slow or away say these as well.
        Code::CredentialsInvalid | Code::ProtocolDisabled | Code::WebLoginRequired | Code::PolicyBlocked => {
            Ok(refused(false))
        }
        code => {
            let actor = if refusal.actor == Actor::Person { Actor::Nobody } else { refusal.actor };
            Err(Trouble { code: code.as_str(), actor })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::secret::Secret;
    use crate::providers::imap::servers::{Encryption, Server};

    #[test]
    fn only_words_about_the_sign_in_itself_are_an_answer() {
        let imap = Imap {
            about: crate::contract::About::clone(&about()),
            config: super::super::config::Config::default(),
            table: super::super::table::Table::built_in().unwrap(),
        };
        let server = Server {
            host: "mail.example.org".to_owned(),
            port: 993,
            encryption: Encryption::Tls,
            login: "ada".to_owned(),
        };
        let key = Key { server, password: Secret::new("x") };
        let mut definite = Vec::new();
        for code in Code::ALL {
            match judge(&imap, &key, "", Err((*code).into())) {
                Ok(Checked::Refused { cause, sure, .. }) => definite.push((cause, sure)),
                Ok(Checked::Fine) => panic!("{code:?}"),
                Err(trouble) => {
                    assert_eq!(trouble.code, code.as_str());
                    assert_ne!(trouble.actor, Actor::Person, "nobody has refused the person");
                }
            }
        }
        let named: Vec<_> = definite.iter().map(|(cause, sure)| (&**cause, *sure)).collect();
        assert_eq!(
            named,
            [
                ("credentials_invalid", false),
                ("password_expired", true),
                ("app_password_required", true),
                ("oauth_required", true),
                ("protocol_disabled", false),
                ("web_login_required", false),
                ("policy_blocked", false),
            ]
        );
        let sending = judge(&imap, &key, "smtp_", Err(Code::CredentialsInvalid.into())).unwrap();
        assert!(matches!(sending, Checked::Refused { cause, .. } if cause == "smtp_credentials_invalid"));
    }

    fn about() -> std::sync::Arc<crate::contract::About> {
        let mut section = super::super::Section::new("imap", toml::Table::new());
        let built = super::super::build(&mut section).unwrap().unwrap();
        std::sync::Arc::new(built.about().clone())
    }
}
