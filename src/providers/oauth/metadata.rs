//! What a provider announces about itself (RFC 8414): only whether it names itself in what people bring back, and asked
//! only when such a name is absent. Addresses never come from here.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use url::Url;

use crate::contract::Context;
use crate::kernel::clock::Millis;

use super::endpoint;
use super::refusal::Refusal;

/// How long an announcement is believed: a provider that begins to name itself is held to it after this.
const GOOD: Duration = Duration::from_secs(60 * 60);

/// The announcement behind one address.
#[derive(Debug)]
pub struct Metadata {
    url: Url,
    kept: Mutex<Option<(Millis, bool)>>,
}

#[derive(Deserialize)]
struct Announced {
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

impl Metadata {
    /// That behind this address; nothing is asked yet.
    pub fn at(url: Url) -> Self {
        Self { url, kept: Mutex::default() }
    }

    /// Whether the provider says that it names itself in everything that people bring back (RFC 9207, section 3).
    ///
    /// # Errors
    /// Why it is not known.
    pub async fn names_itself(&self, cx: &Context) -> Result<bool, Refusal> {
        let now = cx.clock.now();
        let kept = *self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        // A clock that was set back makes it old rather than eternal.
        if let Some((_, says)) = kept.filter(|(asked, _)| *asked <= now && now.since(*asked) < GOOD) {
            return Ok(says);
        }
        let reply = endpoint::get(cx, &self.url, None, endpoint::METADATA).await?;
        if !reply.status.is_success() {
            return Err(Refusal::unavailable(endpoint::METADATA.failing));
        }
        let announced: Announced =
            serde_json::from_slice(&reply.body).map_err(|_| Refusal::invalid("metadata_not_json"))?;
        let says = announced.authorization_response_iss_parameter_supported;
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, says));
        Ok(says)
    }
}
