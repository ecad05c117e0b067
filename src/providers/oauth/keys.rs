//! A provider's public keys: read from its key set (RFC 7517), kept as long as it says, asked for again when a token
//! names one that is not among them. What is no key for signatures that we accept is passed over.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::header::{AGE, CACHE_CONTROL, HeaderMap};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde::Deserialize;
use url::Url;

use crate::contract::Context;
use crate::kernel::clock::Millis;

use super::endpoint;
use super::refusal::Refusal;

/// Keys are asked for again no sooner than this, however short their life is said to be.
const SHORTEST: Duration = Duration::from_secs(5 * 60);

/// And no later than this.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// Where nothing is said about their life.
const USUAL: Duration = Duration::from_secs(60 * 60);

/// An unknown key makes us ask again, once in this time: anybody can make up key ids.
const BETWEEN: Duration = Duration::from_secs(60);

/// How often we ask in that time while no answer comes: one that is lost must not turn away whoever signs in next.
const TRIES: u32 = 10;

/// More keys than any provider has at once.
const MOST: usize = 64;

/// The signatures that are accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// RSA with PKCS #1 v1.5 padding and SHA-256.
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
}

impl Algorithm {
    /// By its name; `None` for every other one, `none` and shared secrets among them.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "RS256" => Some(Self::Rs256),
            "ES256" => Some(Self::Es256),
            _ => None,
        }
    }
}

/// One key.
#[derive(Debug)]
pub struct Key {
    /// What tokens name it by.
    pub id: Option<String>,
    /// What it signs with.
    pub algorithm: Algorithm,
    /// Whose tokens it may sign, where the provider ties its keys to issuers.
    pub issuer: Option<String>,
    material: Material,
}

#[derive(Debug)]
enum Material {
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    /// An uncompressed point.
    P256(Vec<u8>),
}

impl Key {
    /// Whether it made this signature.
    pub fn made(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.material {
            Material::Rsa { n, e } => RsaPublicKeyComponents { n, e }
                .verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
                .is_ok(),
            Material::P256(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature).is_ok()
            }
        }
    }
}

#[derive(Deserialize)]
struct Jwks {
    keys: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    alg: Option<String>,
    issuer: Option<String>,
    n: Option<String>,
    e: Option<String>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

/// The keys of one moment.
#[derive(Debug, Default)]
pub struct KeySet(pub Vec<Key>);

impl KeySet {
    /// Reads a key set.
    ///
    /// # Errors
    /// When it is none, or has no key that could be used.
    pub fn read(text: &[u8]) -> Result<Self, Refusal> {
        let set: Jwks = serde_json::from_slice(text).map_err(|_| Refusal::invalid("keys_not_json"))?;
        let keys: Vec<_> = set.keys.into_iter().take(MOST).filter_map(usable).collect();
        if keys.is_empty() { Err(Refusal::invalid("keys_unusable")) } else { Ok(Self(keys)) }
    }

    /// The key that a token names, among those for its algorithm; `None` when there is none.
    ///
    /// # Errors
    /// When it names none, or one that two keys have, and there are several.
    pub fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Result<Option<&Key>, Refusal> {
        let fits = |key: &&Key| key.algorithm == algorithm && (id.is_none() || key.id.as_deref() == id);
        let mut found = self.0.iter().filter(fits);
        match (found.next(), found.next()) {
            (found, None) => Ok(found),
            (_, Some(_)) => Err(Refusal::invalid("id_token_key_ambiguous")),
        }
    }
}

fn usable(value: serde_json::Value) -> Option<Key> {
    let key: Jwk = serde_json::from_value(value).ok()?;
    if key.usage.as_deref().is_some_and(|usage| usage != "sig") {
        return None;
    }
    let bytes = |text: Option<String>| URL_SAFE_NO_PAD.decode(text?).ok().filter(|bytes| bytes.len() <= 1024);
    let (algorithm, material) = match &*key.kty {
        "RSA" => (Algorithm::Rs256, Material::Rsa { n: bytes(key.n)?, e: bytes(key.e)? }),
        "EC" if key.crv.as_deref() == Some("P-256") => {
            let (x, y) = (bytes(key.x)?, bytes(key.y)?);
            (Algorithm::Es256, Material::P256([&[4][..], &x, &y].concat()))
        }
        _ => return None,
    };
    let named = key.alg.as_deref().is_none_or(|name| Algorithm::parse(name) == Some(algorithm));
    named.then_some(Key { id: key.kid, algorithm, issuer: key.issuer, material })
}

/// The keys behind one address.
#[derive(Debug)]
pub struct Keys {
    url: Url,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    set: Option<Arc<KeySet>>,
    /// When they were asked for, and how long they are good from then.
    asked: Option<Millis>,
    good: Duration,
    /// When they were last asked for because one was unknown, and came.
    again: Option<Millis>,
    /// How often they were asked for because one was unknown, and since when that is counted.
    tries: Option<(Millis, u32)>,
}

impl Keys {
    /// Those behind this address; nothing is asked yet.
    pub fn at(url: Url) -> Self {
        Self { url, kept: Mutex::default() }
    }

    /// The keys; asked for when those at hand are too old.
    ///
    /// # Errors
    /// Why there are none.
    pub async fn get(&self, cx: &Context) -> Result<Arc<KeySet>, Refusal> {
        match self.fresh(cx.clock.now()) {
            Some(set) => Ok(set),
            None => self.ask(cx).await,
        }
    }

    /// The keys after `seen` lacked one: asked for again, unless they came or were asked for often within the last minute.
    ///
    /// # Errors
    /// Why there are none.
    pub async fn again(&self, cx: &Context, seen: &Arc<KeySet>) -> Result<Arc<KeySet>, Refusal> {
        let now = cx.clock.now();
        let lately = |at: Millis| at <= now && now.since(at) < BETWEEN;
        {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            let (since, tries) = kept.tries.filter(|(since, _)| lately(*since)).unwrap_or((now, 0));
            let enough = kept.again.is_some_and(lately) || tries >= TRIES;
            match &kept.set {
                // Somebody else asked in the meantime, or just before.
                Some(set) if enough || !Arc::ptr_eq(set, seen) => return Ok(Arc::clone(set)),
                _ => kept.tries = Some((since, tries + 1)),
            }
        }
        let set = self.ask(cx).await?;
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).again = Some(now);
        Ok(set)
    }

    fn fresh(&self, now: Millis) -> Option<Arc<KeySet>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        // A clock that was set back makes them old rather than eternal.
        let good = kept.asked.is_some_and(|asked| asked <= now && now.since(asked) < kept.good);
        kept.set.clone().filter(|_| good)
    }

    async fn ask(&self, cx: &Context) -> Result<Arc<KeySet>, Refusal> {
        let asked = cx.clock.now();
        let reply = endpoint::get(cx, &self.url, None, endpoint::KEYS).await?;
        if !reply.status.is_success() {
            return Err(Refusal::unavailable(endpoint::KEYS.failing));
        }
        let set = Arc::new(KeySet::read(&reply.body)?);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        (kept.set, kept.asked, kept.good) = (Some(Arc::clone(&set)), Some(asked), life(&reply.headers));
        drop(kept);
        Ok(set)
    }
}

/// How long an answer is good for.
fn life(headers: &HeaderMap) -> Duration {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let rules = text(CACHE_CONTROL).to_ascii_lowercase();
    let mut rules = rules.split(',').map(str::trim);
    let named = rules.find_map(|rule| rule.strip_prefix("max-age=")?.trim_matches('"').parse::<u64>().ok());
    let age = text(AGE).trim().parse().unwrap_or(0);
    let life = named.map_or(USUAL, |seconds| Duration::from_secs(seconds.saturating_sub(age)));
    life.clamp(SHORTEST, LONGEST)
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    #[test]
    fn keys_live_as_long_as_is_said_within_bounds() {
        let life = |rules: &str, age: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(CACHE_CONTROL, HeaderValue::from_str(rules).unwrap());
            headers.insert(AGE, HeaderValue::from_str(age).unwrap());
            super::life(&headers).as_secs()
        };
        assert_eq!(life("public, max-age=22000, must-revalidate", ""), 22_000);
        assert_eq!(life("Max-Age=22000", "2000"), 20_000);
        assert_eq!(life("max-age=1", ""), 300);
        assert_eq!(life("max-age=99999999999", ""), 86_400);
        assert_eq!(life("no-store", ""), 3600);
        assert_eq!(life("max-age=x", "x"), 3600);
    }

    #[test]
    fn what_is_no_key_for_our_signatures_is_passed_over() {
        let set = r#"{"keys":[
            {"kty":"RSA","kid":"a","n":"AQAB","e":"AQAB","use":"sig","alg":"RS256"},
            {"kty":"RSA","kid":"b","n":"AQAB","e":"AQAB","use":"enc"},
            {"kty":"RSA","kid":"c","n":"AQAB","e":"AQAB","alg":"PS256"},
            {"kty":"oct","kid":"d","k":"AQAB"},
            {"kty":"EC","kid":"e","crv":"P-384","x":"AQAB","y":"AQAB"},
            {"kty":"RSA","kid":"f","n":"AQAB=","e":"AQAB"},
            {"kty":"RSA","kid":"g","e":"AQAB"},
            7, {}, {"kty":"EC","kid":"h","crv":"P-256","x":"AQAB","y":"AQAB"}]}"#;
        let set = KeySet::read(set.as_bytes()).unwrap();
        let ids: Vec<_> = set.0.iter().map(|key| key.id.as_deref().unwrap()).collect();
        assert_eq!(ids, ["a", "h"]);
        for (text, code) in
            [("", "keys_not_json"), ("{}", "keys_not_json"), (r#"{"keys":[{}]}"#, "keys_unusable")]
        {
            assert_eq!(KeySet::read(text.as_bytes()).unwrap_err().code, code);
        }
    }

    #[test]
    fn a_key_is_found_by_its_name_or_because_it_is_the_only_one() {
        let rsa = |kid: &str| format!(r#"{{"kty":"RSA","kid":"{kid}","n":"AQAB","e":"AQAB"}}"#);
        let set =
            |keys: &[String]| KeySet::read(format!(r#"{{"keys":[{}]}}"#, keys.join(",")).as_bytes()).unwrap();
        let one = set(&[rsa("a")]);
        assert!(one.find(None, Algorithm::Rs256).unwrap().is_some());
        assert!(one.find(None, Algorithm::Es256).unwrap().is_none());
        assert!(one.find(Some("b"), Algorithm::Rs256).unwrap().is_none());
        let two = set(&[rsa("a"), rsa("b")]);
        assert_eq!(two.find(Some("b"), Algorithm::Rs256).unwrap().unwrap().id.as_deref(), Some("b"));
        assert_eq!(two.find(None, Algorithm::Rs256).unwrap_err().code, "id_token_key_ambiguous");
        let twins = set(&[rsa("a"), rsa("a")]);
        assert_eq!(twins.find(Some("a"), Algorithm::Rs256).unwrap_err().code, "id_token_key_ambiguous");
    }
}
