//! The provider's own settings: `[providers.google]`.

use crate::kernel::secret::Secret;

use super::super::oauth::scopes::Wanted;
use super::super::section::Section;
use super::SPELLING;
use super::client_json::{self, ClientJson};
use super::places::Places;

/// Our id and secret at Google.
#[derive(Debug)]
pub struct Client {
    /// The client ID.
    pub id: String,
    /// The client secret.
    pub secret: Secret,
}

/// The settings.
#[derive(Debug)]
pub struct Config {
    /// `None` while nothing is set up.
    pub client: Option<Client>,
    /// The addresses that the pasted file says are registered.
    pub registered: Option<Vec<String>>,
    /// What is asked for.
    pub wanted: Wanted,
    /// Where everything is.
    pub places: Places,
}

impl Config {
    /// Reads them; the section notes what is wrong.
    ///
    /// # Errors
    /// When the constants are no addresses, which the tests would have said first.
    pub fn read(section: &mut Section) -> Result<Self, String> {
        let base = section.https_origin("base", "");
        let places = Places::at(base.as_ref()).map_err(|error| format!("an address: {error}"))?;
        let id = section.text("client_id", 200);
        let secret = section.secret("client_secret", 200);
        let pasted = section.secret("client_json", 1024 * 1024);
        let pasted = pasted.and_then(|text| match client_json::read(text.reveal()) {
            Ok(pasted) => Some(pasted),
            Err(problem) => {
                section.problem("client_json", problem);
                None
            }
        });
        let registered = pasted.as_ref().map(|pasted| pasted.redirect_uris.clone());
        let client = client(section, id, secret, pasted, places.own);
        let required = scopes(section, "scopes", &["mail"]);
        if required.is_empty() {
            section.problem("scopes", "must name one at least");
        }
        let optional = scopes(section, "optional_scopes", &["calendar", "contacts"]);
        let wanted = Wanted::new(&required, &optional, SPELLING, str::to_owned);
        Ok(Self { client, registered, wanted, places })
    }
}

/// Puts id and secret together from where they stand.
fn client(
    section: &mut Section,
    id: Option<String>,
    secret: Option<Secret>,
    pasted: Option<ClientJson>,
    strict: bool,
) -> Option<Client> {
    let (file_id, file_secret) = match pasted {
        Some(pasted) => (Some(pasted.client_id), pasted.client_secret),
        None => (None, None),
    };
    if let (Some(own), Some(file)) = (&id, &file_id)
        && own != file
    {
        section.problem("client_id", "is not the one in client_json; remove one of them");
    }
    if let (Some(own), Some(file)) = (&secret, &file_secret)
        && own != file
    {
        section.problem("client_secret", "is not the one in client_json; remove one of them");
    }
    let (from_file, id) = (file_id.is_some(), id.or(file_id));
    if let Some(id) = &id
        && strict
        && !client_json::is_client_id(id)
    {
        let rule =
            "must be a client ID of the Google Auth Platform, which ends in .apps.googleusercontent.com";
        section.problem(if from_file { "client_json" } else { "client_id" }, rule);
    }
    match (id, secret.or(file_secret)) {
        (None, None) => None,
        (Some(id), Some(secret)) => Some(Client { id, secret }),
        (Some(_), None) => {
            let rule = "is missing, though there is a client ID; Google shows it once, so add a new one under \
                        “Client secrets” at https://console.cloud.google.com/auth/clients";
            section.problem("client_secret", rule);
            None
        }
        (None, Some(_)) => {
            section.problem("client_id", "is missing, though there is a client secret");
            None
        }
    }
}

fn scopes(section: &mut Section, key: &str, default: &[&str]) -> Vec<String> {
    let mut words = section.words(key, default);
    // Always asked for.
    words.retain(|word| !matches!(word.as_str(), "openid" | "email" | "profile"));
    let known = |word: &String| (SPELLING.words)(word).is_some() || word.starts_with("https://");
    if !words.iter().all(known) {
        section.problem(key, "may hold mail, calendar, contacts and Google’s scopes written out (https://…)");
    }
    words
}
