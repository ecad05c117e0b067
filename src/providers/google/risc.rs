//! Google's cross-account protection (RISC): what its security events mean for accounts here, and where the keys are that
//! sign them. Only events that say that grants have ended change an account; others have it looked at at once, by which
//! Google itself says how things are.

use std::sync::Arc;

use serde::Deserialize;
use url::Url;

use super::super::oauth::endpoint;
use super::super::oauth::keys::Keys;
use super::super::oauth::security_events::{Expected, judge};
use super::Google;
use crate::contract::{Alert, Context, NotTaken, SecurityEvent, Weight};
use crate::kernel::clock::Millis;

const OAUTH: &str = "https://schemas.openid.net/secevent/oauth/event-type/";
const RISC: &str = "https://schemas.openid.net/secevent/risc/event-type/";

/// What is used of Google's RISC configuration.
#[derive(Deserialize)]
struct Configuration {
    issuer: String,
    jwks_uri: Url,
}

/// What an event's type means; `None` for what changes nothing.
fn weight(kind: &str) -> Option<Weight> {
    if let Some(word) = kind.strip_prefix(OAUTH) {
        return (word == "tokens-revoked").then_some(Weight::Ended("grant_revoked"));
    }
    match kind.strip_prefix(RISC)? {
        "account-disabled" => Some(Weight::Ended("account_disabled")),
        "account-purged" => Some(Weight::Ended("account_purged")),
        "account-enabled" | "sessions-revoked" | "account-credential-change-required" => Some(Weight::Look),
        _ => None,
    }
}

impl Google {
    /// Judges a security event.
    pub(super) async fn judge_event(&self, cx: &Context, token: &str) -> Result<SecurityEvent, NotTaken> {
        let (issuer, keys) = self.risc(cx).await?;
        let issuers = [issuer];
        let told = judge(cx, &keys, token, &Expected { issuers: &issuers, client_id: &self.party.client_id })
            .await?;
        let mut alerts = Vec::new();
        for (kind, event) in &told.events {
            let Some(weight) = weight(kind) else {
                // The word after the last slash, if it is one: nothing else of it belongs into a log.
                let word = kind.rsplit('/').next().unwrap_or_default();
                let plain =
                    word.len() <= 60 && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
                tracing::info!(event = if plain { word } else { "?" }, "a security event changes nothing");
                continue;
            };
            let subject = &event["subject"];
            let text = |name: &str| subject[name].as_str().unwrap_or_default();
            let of_theirs = self
                .places
                .issuers
                .iter()
                .chain(&issuers)
                .any(|issuer| issuer.trim_end_matches('/') == text("iss").trim_end_matches('/'));
            if subject["subject_type"] != "iss-sub" && subject["subject_type"] != "iss_sub"
                || !of_theirs
                || text("sub").is_empty()
            {
                return Err(NotTaken::Malformed);
            }
            alerts.push(Alert { identity: text("sub").to_owned(), weight });
        }
        let id = format!("{}\n{}", issuers[0], told.jti);
        Ok(SecurityEvent { id, at: Millis(told.issued()), alerts })
    }

    /// Who issues the events and with which keys, as Google's configuration says; once, since neither changes while the
    /// keys themselves do. It may name no host but the ones that are Google's here.
    async fn risc(&self, cx: &Context) -> Result<(String, Arc<Keys>), NotTaken> {
        if let Some(known) = self.risc.get() {
            return Ok(known.clone());
        }
        let reply = endpoint::get(cx, &self.places.risc, None, endpoint::RISC).await;
        let reply = reply.map_err(|refusal| NotTaken::Unavailable(refusal.code))?;
        let unusable = NotTaken::Unavailable("risc_configuration_unusable");
        let read: Configuration = serde_json::from_slice(&reply.body).map_err(|_| unusable.clone())?;
        let named = read.issuer.trim_end_matches('/') == self.places.issuer;
        let theirs = read.jwks_uri.origin() == self.places.keys.origin();
        if !reply.status.is_success() || !named || !theirs {
            return Err(unusable);
        }
        let keys = Arc::new(Keys::at(read.jwks_uri));
        Ok(self.risc.get_or_init(|| (read.issuer, keys)).clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_events_that_say_that_grants_ended_change_an_account() {
        let said = |base: &str, word: &str| weight(&format!("{base}{word}"));
        assert_eq!(said(OAUTH, "tokens-revoked"), Some(Weight::Ended("grant_revoked")));
        assert_eq!(said(RISC, "account-disabled"), Some(Weight::Ended("account_disabled")));
        assert_eq!(said(RISC, "account-purged"), Some(Weight::Ended("account_purged")));
        for word in ["account-enabled", "sessions-revoked", "account-credential-change-required"] {
            assert_eq!(said(RISC, word), Some(Weight::Look));
        }
        assert_eq!(said(RISC, "verification"), None);
        assert_eq!(said(RISC, "tokens-revoked"), None);
        assert_eq!(weight("tokens-revoked"), None);
    }
}
