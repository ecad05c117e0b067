//! The provider `microsoft`: mail, calendars and contacts of Microsoft 365 and Outlook.com accounts, by OAuth with the
//! operator's own app registration. It owns Microsoft's addresses and tenants, scopes, numbered errors, rules for ID
//! tokens, and the branch in which an administrator has to approve first; the conversation itself is `oauth`'s. Always:
//! one access token is for one resource, and the renewing token that came last is the one that is kept.

mod aadsts;
mod approval;
mod claims;
mod config;
mod scopes;
mod settings;
mod sign_in;
mod tenant;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use async_trait::async_trait;
use url::Url;

use crate::contract::{
    About, Action, Answer, Begin, Brought, Context, Credentials, Finding, Imported, Next, Outlook, Profile,
    Provider, Renewed, State, Trouble,
};
use crate::kernel::clock::Millis;

use super::oauth;
use super::oauth::grant::{Grant, Mail, Server};
use super::oauth::keys::Keys;
use super::oauth::party::Party;
use super::oauth::scopes::Wanted;
use super::oauth::step::Voice;
use super::oauth::trip::Place;
use super::section::Section;
use config::Config;
use tenant::Tenant;

const VOICE: Voice = Voice { slug: "microsoft", name: "Microsoft" };

/// The token endpoint, below a tenant.
const TOKEN: &str = "oauth2/v2.0/token";

/// The provider.
struct Microsoft {
    about: About,
    party: Party,
    base: Url,
    graph: Url,
    tenant: Tenant,
    /// The token endpoint of the tenant that the app is registered in, where that is known.
    home: Option<Url>,
    wanted: Wanted,
    /// Everything that is asked for, in one text.
    scope: String,
    /// When the client secret ends, where the operator said so.
    secret_expires: Option<Millis>,
}

/// The mail servers of the cloud that is signed in to here, for an account of this tenant
/// (https://learn.microsoft.com/exchange/client-developer/legacy-protocols/how-to-authenticate-an-imap-pop-smtp-application-by-using-oauth).
fn servers(login: &str, tenant: Option<&str>) -> Mail {
    let (imap, smtp) = match login {
        "login.microsoftonline.us" => ("outlook.office365.us", "smtp.office365.us"),
        "login.partner.microsoftonline.cn" => ("partner.outlook.cn", "smtp.partner.outlook.cn"),
        _ if tenant == Some(tenant::PERSONAL) => ("outlook.office365.com", "smtp-mail.outlook.com"),
        _ => ("outlook.office365.com", "smtp.office365.com"),
    };
    Mail {
        imap: Server { host: imap, port: 993, encryption: "tls" },
        smtp: Server { host: smtp, port: 587, encryption: "starttls" },
    }
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
    let at = |tenant: &Tenant, path: &str| {
        base.join(&format!("/{}/{path}", tenant.as_str())).map_err(|error| format!("an address: {error}"))
    };
    let place = |path: &str| at(&tenant, path);
    let home = config.home.or_else(|| Some(tenant.clone()).filter(Tenant::is_one));
    let home = home.map(|home| at(&home, TOKEN)).transpose()?;
    let party = Party {
        client_id: client.id,
        client_secret: client.secret,
        page: place("oauth2/v2.0/authorize")?,
        token: place(TOKEN)?,
        keys: Keys::at(place("discovery/v2.0/keys")?),
        // It does not name itself so far. Should it begin to, the name must be right.
        metadata: None,
        issuer: claims::template(&base),
    };
    let scope = scopes::asking(config.wanted.names());
    Ok(Some(Arc::new(Microsoft {
        about,
        party,
        base,
        graph: config.graph,
        tenant,
        home,
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
        oauth::sign_in::leave(self, cx, Place::begin(&begin), None)
    }

    async fn answer(&self, cx: &Context, state: State, answer: Answer) -> Result<Next, Trouble> {
        let place = Place::read(state)?;
        match &answer.action {
            Action::Submit => oauth::sign_in::leave(self, cx, place, None),
            Action::Returned => oauth::sign_in::returned(self, cx, place, &answer).await,
            Action::Alternative(way) if way == approval::NAME && self.may_need_approval() => {
                self.approval(cx, place, None)
            }
            Action::Decided { granted } => self.decided(cx, place, *granted),
            Action::Alternative(_) => Err(Trouble::bug("unknown_action")),
        }
    }

    fn credentials(&self, secret: &State, _profile: &Profile) -> Result<Credentials, Trouble> {
        let grant = Grant::read(secret.clone())?;
        let opens =
            grant.scopes.iter().any(|scope| (scopes::SPELLING.canonical)(scope) == "imap.accessasuser.all");
        let missing = self.wanted.absent(&grant.scopes, scopes::SPELLING);
        let servers = servers(self.base.host_str().unwrap_or_default(), grant.tenant.as_deref());
        Ok(grant.credentials(missing, opens.then_some(&servers)))
    }

    async fn renew(&self, cx: &Context, secret: State) -> Result<Renewed, Trouble> {
        oauth::renewal::renew(self, cx, secret).await
    }

    async fn import(&self, cx: &Context, brought: Brought) -> Result<Imported, Trouble> {
        oauth::import::prove(self, cx, &brought).await
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
