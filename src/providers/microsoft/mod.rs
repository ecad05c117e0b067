//! The provider `microsoft`: mail, calendars and contacts of Microsoft 365 and Outlook.com accounts, by OAuth with the
//! operator's own app registration. It owns Microsoft's addresses and tenants, scopes, numbered errors, rules for ID
//! tokens, and the branch in which an administrator has to approve first; the conversation itself is `oauth`'s. Always:
//! one access token is for one resource, and the renewing token that came last is the one that is kept.

mod aadsts;
mod approval;
mod claims;
mod config;
mod renewal;
mod settings;
mod sign_in;
mod tenant;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use async_trait::async_trait;
use url::Url;

use crate::contract::{
    About, Action, Answer, Begin, Context, Credentials, Finding, Next, Outlook, Profile, Provider, Renewed,
    State, Trouble,
};
use crate::kernel::clock::Millis;

use super::oauth;
use super::oauth::callback::Naming;
use super::oauth::grant::Grant;
use super::oauth::keys::Keys;
use super::oauth::party::Party;
use super::oauth::scopes::{Need, Spelling, Wanted};
use super::oauth::step::Voice;
use super::oauth::trip::Place;
use super::section::Section;
use config::Config;
use tenant::Tenant;

const VOICE: Voice = Voice { slug: "microsoft", name: "Microsoft" };

const SPELLING: Spelling = Spelling {
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
    // Microsoft gives scopes back with or without their resource; all of one grant are of the same one.
    canonical: |scope| scope.rsplit('/').next().unwrap_or_default().to_ascii_lowercase(),
};

/// The provider.
struct Microsoft {
    about: About,
    party: Party,
    base: Url,
    graph: Url,
    tenant: Tenant,
    wanted: Wanted,
    /// Everything that is asked for, in one text.
    scope: String,
    /// When the client secret ends, where the operator said so.
    secret_expires: Option<Millis>,
}

/// Builds it from its section; `None` while it has no client.
///
/// # Errors
/// When the files it is built with are faulty, which the tests would have said first.
pub(super) fn build(section: &mut Section) -> Result<Option<Arc<dyn Provider>>, String> {
    let config = Config::read(section)?;
    let about = oauth::worded(about!()?)?;
    let Some(client) = config.client else { return Ok(None) };
    let (base, tenant) = (config.base, config.tenant);
    let place = |path: &str| {
        base.join(&format!("/{}/{path}", tenant.as_str())).map_err(|error| format!("an address: {error}"))
    };
    let party = Party {
        client_id: client.id,
        client_secret: client.secret,
        page: place("oauth2/v2.0/authorize")?,
        token: place("oauth2/v2.0/token")?,
        keys: Keys::at(place("discovery/v2.0/keys")?),
        // It does not name itself so far. Should it begin to, the name must be right.
        naming: Naming::Perhaps,
        issuer: claims::template(&base),
    };
    let scope = ["openid", "profile", "email", "offline_access"].into_iter().chain(config.wanted.names());
    let scope = scope.collect::<Vec<_>>().join(" ");
    Ok(Some(Arc::new(Microsoft {
        about,
        party,
        base,
        graph: config.graph,
        tenant,
        wanted: config.wanted,
        scope,
        secret_expires: config.secret_expires,
    })))
}

#[async_trait]
impl Provider for Microsoft {
    fn about(&self) -> &About {
        &self.about
    }

    async fn begin(&self, cx: &Context, begin: Begin) -> Result<Next, Trouble> {
        self.leave(cx, Place::begin(&begin), None)
    }

    async fn answer(&self, cx: &Context, state: State, answer: Answer) -> Result<Next, Trouble> {
        let place = Place::read(state)?;
        match &answer.action {
            Action::Submit => self.leave(cx, place, None),
            Action::Returned => self.returned(cx, place, &answer).await,
            Action::Alternative(way) if way == approval::NAME && self.may_need_approval() => {
                self.approval(cx, place, None)
            }
            Action::Decided { granted } => self.decided(cx, place, *granted),
            Action::Alternative(_) => Err(Trouble::bug("unknown_action")),
        }
    }

    fn credentials(&self, secret: &State, _profile: &Profile) -> Result<Credentials, Trouble> {
        Ok(Grant::read(secret.clone())?.credentials())
    }

    async fn renew(&self, cx: &Context, secret: State) -> Result<Renewed, Trouble> {
        self.renew_grant(cx, Grant::read(secret)?).await
    }

    fn outlook(&self, secret: &State) -> Result<Outlook, Trouble> {
        Ok(Grant::read(secret.clone())?.outlook(self.secret_expires))
    }

    fn client(&self) -> Option<&str> {
        Some(&self.party.client_id)
    }

    async fn try_settings(&self, cx: &Context) -> Vec<Finding> {
        settings::findings(self, cx).await
    }
}
