//! Judging an ID token (OpenID Connect Core 3.1.3.7) as a signed JWT (RFC 7515, RFC 7519, RFC 8725), on ring. No library
//! does it here: `jsonwebtoken` could do without a second cryptography, but only through a provider installed once for
//! the whole process; it reads the system's clock itself, lets `crit` pass, and leaves audiences, `azp`, `nonce` and a
//! key's own issuer to us, which is most of what there is. Always: two algorithms, both with public keys; a member of the
//! header or the claims that stands there twice is refused; sizes are bounded before anything is decoded.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::contract::{Context, NotTaken};
use crate::kernel::clock::Millis;

use super::keys::{Algorithm, Key, KeySet, Keys};
use super::refusal::Refusal;

/// Longer than any honest token, in bytes.
const LONGEST: usize = 32 * 1024;

/// How far clocks may be apart, in milliseconds.
pub(super) const SKEW: i64 = 60_000;

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    /// Extensions that must be understood; we understand none.
    #[serde(default, deserialize_with = "there")]
    crit: bool,
}

/// What a token says, as far as it is of use.
#[derive(Debug, Default, Deserialize)]
pub struct Claims {
    #[serde(default)]
    iss: Option<String>,
    #[serde(default)]
    aud: Option<Audience>,
    #[serde(default)]
    azp: Option<String>,
    #[serde(default)]
    exp: Option<f64>,
    #[serde(default)]
    iat: Option<f64>,
    #[serde(default)]
    nbf: Option<f64>,
    #[serde(default)]
    nonce: Option<String>,
    /// The person, by the provider's own id.
    #[serde(default)]
    pub sub: Option<String>,
    /// A mail address.
    #[serde(default)]
    pub email: Option<String>,
    /// Whether that address belongs to a domain that the tenant has proven to be its own (Microsoft, where the app asks
    /// for it).
    #[serde(default, deserialize_with = "yes")]
    pub xms_edov: bool,
    /// The name that people know the account by.
    #[serde(default)]
    pub preferred_username: Option<String>,
    /// A person's name.
    #[serde(default)]
    pub name: Option<String>,
    /// The organisation an account belongs to (Google).
    #[serde(default)]
    pub hd: Option<String>,
    /// The tenant (Microsoft).
    #[serde(default)]
    pub tid: Option<String>,
    /// The person within the tenant (Microsoft).
    #[serde(default)]
    pub oid: Option<String>,
}

impl Claims {
    /// Who issued it; empty when it does not say.
    pub fn issuer(&self) -> &str {
        self.iss.as_deref().unwrap_or_default()
    }

    /// Who signed in; never empty in a token that was accepted.
    pub fn subject(&self) -> &str {
        self.sub.as_deref().unwrap_or_default()
    }
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

/// What a token must say.
pub struct Expected<'a> {
    /// For whom.
    pub client_id: &'a str,
    /// About which sign-in; `None` where nobody was sent to sign in, and the token came with a renewal.
    pub nonce: Option<&'a str>,
    /// By whom, as this provider writes it, and signed with a key that may speak for that issuer.
    pub issuer: &'a (dyn Fn(&Claims, &Key) -> Result<(), Refusal> + Sync),
}

/// A token taken apart, not yet believed.
struct Parts<'a> {
    header: Header,
    algorithm: Algorithm,
    message: &'a [u8],
    payload: Vec<u8>,
    signature: Vec<u8>,
}

/// Judges a token with a provider's keys, asking for them again when it names one that is not there.
///
/// # Errors
/// Why it is not accepted.
pub async fn judge(
    cx: &Context,
    keys: &Keys,
    set: Arc<KeySet>,
    token: &str,
    expected: &Expected<'_>,
) -> Result<Claims, Refusal> {
    let parts = take_apart(token)?;
    let known = set.find(parts.header.kid.as_deref(), parts.algorithm)?.is_some();
    let set = if known { set } else { keys.again(cx, &set).await? };
    believe(&parts, &set, expected, cx.clock.now())
}

/// What a token of another kind says, once one of a provider's keys is known to have signed it; RS256 only.
///
/// # Errors
/// Why it is not believed.
pub async fn signed(cx: &Context, keys: &Keys, token: &str) -> Result<Vec<u8>, NotTaken> {
    let parts = take_apart(token).map_err(|_| NotTaken::Malformed)?;
    if parts.algorithm != Algorithm::Rs256 {
        return Err(NotTaken::Key);
    }
    let away = |refusal: Refusal| NotTaken::Unavailable(refusal.code);
    let mut set = keys.get(cx).await.map_err(away)?;
    let named =
        |set: &KeySet| set.find(parts.header.kid.as_deref(), Algorithm::Rs256).map(|key| key.is_some());
    if !named(&set).map_err(|_| NotTaken::Key)? {
        set = keys.again(cx, &set).await.map_err(away)?;
    }
    match set.find(parts.header.kid.as_deref(), Algorithm::Rs256) {
        Ok(Some(key)) if key.made(parts.message, &parts.signature) => {}
        _ => return Err(NotTaken::Key),
    }
    // A member that stands there twice makes it no object that everybody reads alike.
    match object::<serde_json::Map<String, Value>>(&parts.payload) {
        Some(_) => Ok(parts.payload),
        None => Err(NotTaken::Malformed),
    }
}

/// Judges a token with these keys at this time, without asking anybody.
///
/// # Errors
/// Why it is not accepted.
#[cfg(any(test, fuzzing))]
pub fn check(token: &str, set: &KeySet, expected: &Expected<'_>, now: Millis) -> Result<Claims, Refusal> {
    believe(&take_apart(token)?, set, expected, now)
}

fn take_apart(token: &str) -> Result<Parts<'_>, Refusal> {
    const MALFORMED: Refusal = Refusal::invalid("id_token_malformed");
    let mut parts = token.split('.');
    let (Some(header), Some(payload), Some(signature), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(MALFORMED);
    };
    if token.len() > LONGEST {
        return Err(MALFORMED);
    }
    let bytes = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| MALFORMED);
    let message = &token.as_bytes()[..header.len() + 1 + payload.len()];
    let header: Header = object(&bytes(header)?).ok_or(MALFORMED)?;
    let algorithm = Algorithm::parse(&header.alg).ok_or(Refusal::invalid("id_token_alg"))?;
    if header.crit {
        return Err(Refusal::invalid("id_token_crit"));
    }
    Ok(Parts { header, algorithm, message, payload: bytes(payload)?, signature: bytes(signature)? })
}

fn believe(parts: &Parts<'_>, set: &KeySet, expected: &Expected<'_>, now: Millis) -> Result<Claims, Refusal> {
    let refuse = |code| Err(Refusal::invalid(code));
    let key = set.find(parts.header.kid.as_deref(), parts.algorithm)?;
    let Some(key) = key else { return refuse("id_token_key_unknown") };
    if !key.made(parts.message, &parts.signature) {
        return refuse("id_token_signature");
    }
    let claims: Claims = object(&parts.payload).ok_or(Refusal::invalid("id_token_claims"))?;
    (expected.issuer)(&claims, key)?;
    audience(&claims, expected.client_id)?;
    let at = |seconds: Option<f64>| seconds.map(|seconds| (seconds * 1000.0) as i64);
    let Some(expires) = at(claims.exp) else { return refuse("id_token_expiry_missing") };
    if expires.saturating_add(SKEW) <= now.0 {
        return refuse("id_token_expired");
    }
    let Some(issued) = at(claims.iat) else { return refuse("id_token_issued_missing") };
    if issued.max(at(claims.nbf).unwrap_or(i64::MIN)) > now.0.saturating_add(SKEW) {
        return refuse("id_token_in_future");
    }
    match (expected.nonce, claims.nonce.as_deref()) {
        (Some(_), None) => return refuse("id_token_nonce_missing"),
        (Some(expected), Some(nonce)) if nonce != expected => return refuse("id_token_nonce"),
        _ => {}
    }
    let subject = claims.subject();
    if subject.is_empty() || subject.len() > 255 || !subject.is_ascii() {
        return refuse("id_token_sub");
    }
    Ok(claims)
}

/// A token for several audiences is refused, whoever may use it: we trust nobody else with it (3.1.3.7, rule 3).
fn audience(claims: &Claims, client_id: &str) -> Result<(), Refusal> {
    let audiences = match &claims.aud {
        None => &[],
        Some(Audience::One(one)) => std::slice::from_ref(one),
        Some(Audience::Many(many)) => &many[..],
    };
    if !audiences.iter().any(|audience| audience == client_id) {
        return Err(Refusal::invalid("id_token_audience"));
    }
    if audiences.len() > 1 {
        return Err(Refusal::invalid("id_token_audience_several"));
    }
    match claims.azp.as_deref() {
        Some(party) if party != client_id => Err(Refusal::invalid("id_token_azp")),
        _ => Ok(()),
    }
}

/// Reads a JSON object; a list of the same values is none.
fn object<T: DeserializeOwned>(text: &[u8]) -> Option<T> {
    text.trim_ascii_start().starts_with(b"{").then(|| serde_json::from_slice(text).ok())?
}

fn there<'de, D: Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
    Value::deserialize(from).map(|_| true)
}

/// A yes in any of the ways it is written; everything else is none.
fn yes<'de, D: Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
    let value = Value::deserialize(from)?;
    Ok(value == true || value == 1 || matches!(value.as_str(), Some("1" | "true")))
}
