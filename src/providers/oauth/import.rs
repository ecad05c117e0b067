//! A grant that is brought here from elsewhere: what its backend says of it, and what is said back where it will not do.

use crate::contract::{Imported, State, Trouble};
use crate::kernel::secret::Secret;

use super::super::brought::{Values, unfit};
use super::refusal::{Class, Refusal};
use super::scopes::{Spelling, Verdict, Wanted};

/// What a refresh token is called from outside.
pub const TOKEN: &str = "credentials.refresh_token";
const SCOPES: &str = "credentials.scopes";

/// What was brought.
pub struct Brought {
    /// The token for renewing.
    pub refresh: Secret,
    /// What was granted, as whoever brought it says; it counts only where the provider says nothing.
    pub scopes: Option<Vec<String>>,
}

/// Reads it.
///
/// # Errors
/// What is wrong with it.
pub fn read(brought: &State) -> Result<Brought, Imported> {
    let mut values = Values::of(brought);
    let refresh = values.secret("refresh_token", TOKEN);
    let scopes = values.words("scopes", SCOPES);
    match refresh {
        Some(refresh) if values.is_fine() => Ok(Brought { refresh, scopes }),
        _ => Err(values.unfit()),
    }
}

/// What was granted of what is asked for.
///
/// # Errors
/// What is missing, or that nobody says.
pub fn fit(
    wanted: &Wanted,
    granted: Option<&[String]>,
    brought: Option<&[String]>,
    spelling: Spelling,
) -> Result<Verdict, Imported> {
    let Some(granted) = granted.or(brought) else {
        return Err(unfit(SCOPES, "is required: the provider does not say what was granted"));
    };
    let verdict = wanted.compare(Some(granted), spelling);
    if verdict.missing.is_empty() {
        return Ok(verdict);
    }
    let names: Vec<_> = verdict.missing.iter().map(|scope| &*scope.name).collect();
    let rule =
        format!("was not granted everything that this server asks for: {} is missing", names.join(", "));
    Err(unfit(TOKEN, rule))
}

/// What a refusal means for whoever brought the token. What is nobody's fault, or the operator's, is no answer about it.
///
/// # Errors
/// `Trouble` where there was no definite answer.
pub fn refused(refusal: Refusal) -> Result<Imported, Trouble> {
    match refusal.class {
        Class::Setup if refusal.code != "config_client_unauthorized" => Err(refusal.trouble()),
        Class::ProviderUnavailable => Err(refusal.trouble()),
        _ => Ok(unfit(
            TOKEN,
            format!(
                "was refused by the provider ({}); it must have been given to the client that this server is set up with",
                refusal.code
            ),
        )),
    }
}
