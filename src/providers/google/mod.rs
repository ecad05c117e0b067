//! The provider `google`: Gmail, calendars and contacts of Google accounts, by OAuth with the operator's own client. It
//! owns Google's addresses, scopes and readings of errors; the conversation itself is `oauth`'s. Always: consent is asked
//! for with every sign-in, because Google gives no token for renewing without it.

mod claims;
mod client_json;
mod config;
#[cfg(fuzzing)]
pub(super) mod fuzzing;
mod places;
mod risc;
mod settings;
mod sign_in;
#[cfg(test)]
mod tests;

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;

use crate::contract::{
    About, Action, Answer, Begin, Brought, Context, Credentials, Finding, Imported, Next, NotTaken, Outlook,
    Profile, Provider, Renewed, SecurityEvent, State, Trouble,
};

use super::oauth;
use super::oauth::endpoint;
use super::oauth::grant::{Grant, Mail, Server};
use super::oauth::keys::Keys;
use super::oauth::metadata::Metadata;
use super::oauth::party::Party;
use super::oauth::refusal::Refusal;
use super::oauth::scopes::{Need, Spelling, Wanted};
use super::oauth::step::Voice;
use super::oauth::trip::Place;
use super::section::Section;
use config::Config;
use places::Places;

const VOICE: Voice = Voice { slug: "google", name: "Google" };

const SPELLING: Spelling = Spelling {
    words: |word| match word {
        "mail" => Some((Need::Mail, &[MAIL])),
        "calendar" => Some((Need::Calendar, &["https://www.googleapis.com/auth/calendar"])),
        "contacts" => Some((Need::Contacts, &["https://www.googleapis.com/auth/contacts"])),
        _ => None,
    },
    canonical,
};

/// The scope that opens a mailbox to IMAP and SMTP.
const MAIL: &str = "https://mail.google.com/";

/// The servers of all its mailboxes (https://developers.google.com/workspace/gmail/imap/imap-smtp).
const SERVERS: Mail = Mail {
    imap: Server { host: "imap.gmail.com", port: 993, encryption: "tls" },
    smtp: Server { host: "smtp.gmail.com", port: 465, encryption: "tls" },
};

/// Scopes that Google gives back under another of their names.
fn canonical(scope: &str) -> String {
    match scope {
        "email" => "https://www.googleapis.com/auth/userinfo.email",
        "profile" => "https://www.googleapis.com/auth/userinfo.profile",
        "https://mail.google.com" => "https://mail.google.com/",
        "https://www.google.com/m8/feeds" | "https://www.google.com/m8/feeds/" => {
            "https://www.googleapis.com/auth/contacts"
        }
        "https://www.google.com/calendar/feeds" | "https://www.google.com/calendar/feeds/" => {
            "https://www.googleapis.com/auth/calendar"
        }
        other => other,
    }
    .to_owned()
}

/// The provider.
struct Google {
    about: About,
    party: Party,
    places: Places,
    wanted: Wanted,
    /// Everything that is asked for, in one text.
    scope: String,
    /// The addresses that the pasted file says are registered.
    registered: Option<Vec<String>>,
    /// Who issues security events, and the keys that sign them, once known.
    risc: OnceLock<(String, Arc<Keys>)>,
}

/// Builds it from its section; `None` while it has no client.
///
/// # Errors
/// When the files it is built with are faulty, which the tests would have said first.
pub(super) fn build(section: &mut Section) -> Result<Option<Arc<dyn Provider>>, String> {
    let config = Config::read(section)?;
    let about = oauth::worded(about!()?)?;
    let Some(client) = config.client else { return Ok(None) };
    let places = config.places;
    let party = Party {
        client_id: client.id,
        client_secret: client.secret,
        page: places.page.clone(),
        token: places.token.clone(),
        keys: Keys::at(places.keys.clone()),
        metadata: Some(Metadata::at(places.metadata.clone())),
        issuer: places.issuer.clone(),
    };
    let scope: Vec<&str> = ["openid", "email", "profile"].into_iter().chain(config.wanted.names()).collect();
    let scope = scope.join(" ");
    let registered = config.registered;
    let risc = OnceLock::new();
    Ok(Some(Arc::new(Google { about, party, places, scope, wanted: config.wanted, registered, risc })))
}

#[async_trait]
impl Provider for Google {
    fn about(&self) -> &About {
        &self.about
    }

    async fn begin(&self, cx: &Context, begin: Begin) -> Result<Next, Trouble> {
        oauth::sign_in::leave(self, cx, Place::begin(&begin), None)
    }

    async fn answer(&self, cx: &Context, state: State, answer: Answer) -> Result<Next, Trouble> {
        let place = Place::read(state)?;
        match answer.action {
            Action::Submit => oauth::sign_in::leave(self, cx, place, None),
            Action::Returned => oauth::sign_in::returned(self, cx, place, &answer).await,
            Action::Alternative(_) | Action::Decided { .. } => Err(Trouble::bug("unknown_action")),
        }
    }

    fn credentials(&self, secret: &State, _profile: &Profile) -> Result<Credentials, Trouble> {
        let grant = Grant::read(secret.clone())?;
        let opens = grant.scopes.iter().any(|scope| canonical(scope) == MAIL);
        let missing = self.wanted.absent(&grant.scopes, SPELLING);
        Ok(grant.credentials(missing, opens.then_some(&SERVERS)))
    }

    async fn renew(&self, cx: &Context, secret: State) -> Result<Renewed, Trouble> {
        oauth::renewal::renew(self, cx, secret).await
    }

    fn outlook(&self, secret: &State) -> Result<Outlook, Trouble> {
        Ok(Grant::read(secret.clone())?.outlook(None))
    }

    fn client(&self) -> Option<&str> {
        Some(&self.party.client_id)
    }

    async fn security_event(&self, cx: &Context, token: &str) -> Result<SecurityEvent, NotTaken> {
        self.judge_event(cx, token).await
    }

    fn revokes(&self) -> bool {
        true
    }

    async fn revoke(&self, cx: &Context, secret: State) -> Result<(), Trouble> {
        let grant = Grant::read(secret)?;
        let form = [("token", grant.whole().reveal())];
        let reply = endpoint::post(cx, &self.places.revoke, &form, endpoint::REVOKE).await;
        let reply = reply.map_err(Refusal::trouble)?;
        // A token that Google does not know is one that has ended.
        let unknown = reply.status == hyper::StatusCode::BAD_REQUEST && says_invalid_token(&reply.body);
        if reply.status.is_success() || unknown {
            return Ok(());
        }
        Err(Refusal::unavailable("revoke_refused").trouble())
    }

    async fn import(&self, cx: &Context, brought: Brought) -> Result<Imported, Trouble> {
        oauth::import::prove(self, cx, &brought).await
    }

    async fn try_settings(&self, cx: &Context) -> Vec<Finding> {
        settings::findings(self, cx).await
    }
}

fn says_invalid_token(body: &[u8]) -> bool {
    let reply: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    reply["error"] == "invalid_token"
}
