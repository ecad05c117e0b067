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
    About, Action, Actor, Answer, Begin, Context, Credentials, Finding, Next, NotTaken, Outlook, Profile,
    Provider, Renewed, SecurityEvent, State, Trouble,
};

use super::oauth;
use super::oauth::callback::Naming;
use super::oauth::endpoint;
use super::oauth::grant::Grant;
use super::oauth::keys::Keys;
use super::oauth::party::Party;
use super::oauth::refusal::Refusal;
use super::oauth::scopes::{Need, Spelling, Wanted};
use super::oauth::step::Voice;
use super::oauth::tokens::Outcome;
use super::oauth::trip::Place;
use super::section::Section;
use config::Config;
use places::Places;

const VOICE: Voice = Voice { slug: "google", name: "Google" };

const SPELLING: Spelling = Spelling {
    words: |word| match word {
        "mail" => Some((Need::Mail, &["https://mail.google.com/"])),
        "calendar" => Some((Need::Calendar, &["https://www.googleapis.com/auth/calendar"])),
        "contacts" => Some((Need::Contacts, &["https://www.googleapis.com/auth/contacts"])),
        _ => None,
    },
    canonical,
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
        naming: Naming::Always,
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
        let (step, state) = self.leave(cx, Place::begin(&begin), None)?;
        Ok(Next::Step { step, state })
    }

    async fn answer(&self, cx: &Context, state: State, answer: Answer) -> Result<Next, Trouble> {
        let place = Place::read(state)?;
        match answer.action {
            Action::Submit => {
                let (step, state) = self.leave(cx, place, None)?;
                Ok(Next::Step { step, state })
            }
            Action::Returned => self.returned(cx, place, &answer).await,
            Action::Alternative(_) | Action::Decided { .. } => Err(Trouble::bug("unknown_action")),
        }
    }

    fn credentials(&self, secret: &State, _profile: &Profile) -> Result<Credentials, Trouble> {
        Ok(Grant::read(secret.clone())?.credentials())
    }

    async fn renew(&self, cx: &Context, secret: State) -> Result<Renewed, Trouble> {
        let grant = Grant::read(secret)?;
        if grant.client_id != self.party.client_id {
            return Ok(oauth::grant::another_client());
        }
        let refresh = grant.refresh_token.clone().ok_or(Trouble::bug("nothing_to_renew"))?;
        let asked = cx.clock.now();
        match self.party.renew(cx, &refresh, &[]).await.map_err(Refusal::trouble)? {
            Outcome::Granted(tokens) => Ok(Renewed::Fresh(grant.renewed(&tokens, asked).write()?)),
            Outcome::Denied(denial) if denial.error == "invalid_grant" => {
                tracing::info!(provider = "google", suberror = denial.suberror, "a grant is gone");
                Ok(Renewed::Gone { cause: "session_expired".to_owned(), actor: Actor::Person })
            }
            Outcome::Denied(denial) => {
                tracing::warn!(provider = "google", error = denial.error, "a grant could not be renewed");
                Err(sign_in::refusal(&denial.error).trouble())
            }
        }
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

    async fn try_settings(&self, cx: &Context) -> Vec<Finding> {
        settings::findings(self, cx).await
    }
}

fn says_invalid_token(body: &[u8]) -> bool {
    let reply: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    reply["error"] == "invalid_token"
}
