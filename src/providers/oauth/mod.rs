//! What providers share that are signed in to on their own pages, by OAuth 2.0 (RFC 6749) with PKCE (RFC 7636) and
//! OpenID Connect: leaving for those pages, reading what comes back, redeeming a code, judging an ID token, comparing
//! what was granted with what was asked, and renewing. It knows no provider; each brings its own addresses, scopes,
//! rules and readings of errors. Always: every address is built from settings and constants, never from anything a
//! provider or a pasted file says; a code is redeemed once; nothing secret and no query string is ever logged.

pub mod callback;
pub mod endpoint;
#[cfg(fuzzing)]
pub mod fuzzing;
pub mod grant;
pub mod house;
pub mod id_token;
pub mod import;
pub mod json;
pub mod keys;
pub mod metadata;
pub mod party;
pub mod refusal;
pub mod renewal;
pub mod scopes;
pub mod security_events;
pub mod sign_in;
pub mod step;
#[cfg(test)]
pub mod tests;
pub mod tokens;
pub mod trip;

use crate::contract::About;

use super::about;

/// Adds the words that these providers share to a provider's own.
///
/// # Errors
/// When the files it is built with are faulty, which the tests would have said first.
pub fn worded(about: About) -> Result<About, String> {
    let shared = [
        ("en", include_str!("locales/en.toml")),
        ("ar", include_str!("locales/ar.toml")),
        ("de", include_str!("locales/de.toml")),
        ("es", include_str!("locales/es.toml")),
        ("fr", include_str!("locales/fr.toml")),
        ("it", include_str!("locales/it.toml")),
        ("ja", include_str!("locales/ja.toml")),
        ("nl", include_str!("locales/nl.toml")),
        ("pl", include_str!("locales/pl.toml")),
        ("pt", include_str!("locales/pt.toml")),
    ];
    about::share(about, &shared)
}
