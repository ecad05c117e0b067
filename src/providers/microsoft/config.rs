//! The provider's own settings: `[providers.microsoft]`.

use url::Url;

use crate::kernel::clock::Millis;
use crate::kernel::secret::Secret;

use super::super::oauth::scopes::Wanted;
use super::super::section::Section;
use super::scopes::{self, SIGN_IN, SPELLING};
use super::tenant::{Tenant, is_guid};

const LOGIN: &str = "https://login.microsoftonline.com";
const GRAPH: &str = "https://graph.microsoft.com";

/// The clouds that Microsoft itself runs; there, ids have the shape of Microsoft's.
const CLOUDS: &[&str] =
    &["login.microsoftonline.com", "login.microsoftonline.us", "login.partner.microsoftonline.cn"];

/// Our id and secret at Microsoft.
#[derive(Debug)]
pub struct Client {
    /// The application (client) ID.
    pub id: String,
    /// The client secret's value.
    pub secret: Secret,
}

/// The settings.
#[derive(Debug)]
pub struct Config {
    /// `None` while nothing is set up.
    pub client: Option<Client>,
    /// When its secret ends.
    pub secret_expires: Option<Millis>,
    /// Whose accounts may sign in.
    pub tenant: Tenant,
    /// The tenant that the app is registered in, which only a check of the settings asks.
    pub home: Option<Tenant>,
    /// What is asked for.
    pub wanted: Wanted,
    /// Where people sign in.
    pub base: Url,
    /// Whose resource the words of `scopes` are.
    pub graph: Url,
}

impl Config {
    /// Reads them; the section notes what is wrong.
    ///
    /// # Errors
    /// When the constants are no addresses, which the tests would have said first.
    pub fn read(section: &mut Section) -> Result<Self, String> {
        let mut origin = |key: &str, default: &str| match section.https_origin(key, default) {
            Some(url) => Ok(url),
            None => Url::parse(default).map_err(|error| format!("an address: {error}")),
        };
        let (base, graph) = (origin("base", LOGIN)?, origin("graph_base", GRAPH)?);
        let strict = base.host_str().is_some_and(|host| CLOUDS.contains(&host));
        let tenant = section.text("tenant", 253);
        let tenant = Tenant::parse(tenant.as_deref().unwrap_or("common"));
        // Tokens name their tenant by its ID alone, which a domain could not be held against.
        let tenant = tenant.filter(|tenant| !matches!(tenant, Tenant::Domain(_))).unwrap_or_else(|| {
            let rule = "must be common, organizations, consumers or one tenant’s “Directory (tenant) ID”, not a domain of it";
            section.problem("tenant", rule);
            Tenant::Common
        });
        let home = section.text("home_tenant", 253).and_then(|text| {
            let home = Tenant::parse(&text).filter(Tenant::is_one);
            if home.is_none() {
                let rule = "must be the “Directory (tenant) ID” on the “Overview” of the app registration, or one of \
                            that tenant’s domains";
                section.problem("home_tenant", rule);
            }
            home
        });
        let client = client(section, strict, &[Some(&tenant), home.as_ref()]);
        let secret_expires = section.date("client_secret_expires");
        let required = words(section, "scopes", &["mail"]);
        if required.is_empty() {
            section.problem("scopes", "must name one at least");
        }
        let optional = words(section, "optional_scopes", &["calendar", "contacts"]);
        let complete = |name: &str| scopes::complete(name, &base, &graph);
        let wanted = Wanted::new(&required, &optional, SPELLING, complete);
        let national = base.host_str().is_some_and(|host| CLOUDS[1..].contains(&host));
        if national && wanted.names().any(|name| name.starts_with(GRAPH)) {
            let rule = "is the worldwide Graph, which the national cloud of base knows no scopes of; name that cloud’s own: \
                        https://graph.microsoft.us, https://dod-graph.microsoft.us or \
                        https://microsoftgraph.chinacloudapi.cn";
            section.problem("graph_base", rule);
        }
        let mut services: Vec<_> = wanted.names().map(scopes::service).collect();
        services.dedup();
        if services.len() > 1 {
            // The one that is named last is the one that somebody added.
            let key = if wanted.optional.is_empty() { "scopes" } else { "optional_scopes" };
            let rule = "mixes scopes of several services; a token is for one of them, so choose either imap, with \
                        optional_scopes = [], or mail, calendar and contacts. Where nothing is set, optional_scopes \
                        is calendar and contacts";
            section.problem(key, rule);
        }
        Ok(Self { client, secret_expires, tenant, home, wanted, base, graph })
    }
}

fn client(section: &mut Section, strict: bool, tenants: &[Option<&Tenant>]) -> Option<Client> {
    let id = section.text("client_id", 200);
    let secret = section.secret("client_secret", 200);
    if let Some(id) = &id
        && strict
    {
        if !is_guid(id) {
            section.problem("client_id", "must be the “Application (client) ID” of the app registration, which looks like 00000000-0000-0000-0000-000000000000");
        } else if tenants.iter().flatten().any(|tenant| id.eq_ignore_ascii_case(tenant.as_str())) {
            section.problem(
                "client_id",
                "is the same as the tenant; one of them is the “Directory (tenant) ID”",
            );
        }
    }
    if secret.as_ref().is_some_and(|secret| is_guid(secret.reveal())) {
        let rule = "is the secret’s ID; it must be its “Value”, which is shown only when it is made. Add a new one under \
                    “Certificates & secrets” at https://entra.microsoft.com";
        section.problem("client_secret", rule);
    }
    match (id, secret) {
        (None, None) => None,
        (Some(id), Some(secret)) => Some(Client { id, secret }),
        (Some(_), None) => {
            section.problem("client_secret", "is missing, though there is a client ID");
            None
        }
        (None, Some(_)) => {
            section.problem("client_id", "is missing, though there is a client secret");
            None
        }
    }
}

fn words(section: &mut Section, key: &str, default: &[&str]) -> Vec<String> {
    let mut words = section.words(key, default);
    // Always asked for.
    words.retain(|word| !SIGN_IN.contains(&word.as_str()));
    let known =
        |word: &String| (SPELLING.words)(word).is_some() || word.contains("://") || word.contains('.');
    if !words.iter().all(known) {
        let rule = "may hold mail, calendar, contacts, imap and Microsoft’s scopes, such as Mail.Read or \
                    https://graph.microsoft.com/Mail.Read";
        section.problem(key, rule);
    }
    words
}
