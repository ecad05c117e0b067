//! What strangers write, read as these providers read it, and what must hold of it however it was written.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::json;

use super::callback::{self, Brought};
use super::id_token::{Claims, Expected, check};
use super::keys::{Key, KeySet};
use super::refusal::Refusal;
use crate::contract::{Action, Answer};
use crate::kernel::clock::Millis;
use crate::kernel::secret::Secret;

const ISSUER: &str = "https://id.example/{tenantid}/v2.0";
const NOW: Millis = Millis(2_000_000_000_000);

/// Reads what a person brings back, as the callback lets it through.
pub fn callback(fields: BTreeMap<String, Secret>) {
    let answer = Answer { action: Action::Returned, fields };
    let value = |name: &str| answer.secret(name).map(Secret::reveal).filter(|value| !value.is_empty());
    match callback::read(&answer, ISSUER) {
        Ok(Brought::Code { code, named }) => {
            assert_eq!(value("code"), Some(code.reveal()));
            assert!(value("error").is_none() && code.reveal().bytes().all(|byte| byte.is_ascii_graphic()));
            assert_eq!(named, value("iss").is_some());
            assert!(value("iss").is_none_or(|iss| iss.starts_with("https://id.example/") && iss.len() == 60));
        }
        Ok(Brought::Error(declined)) => {
            assert!(value("error").is_some() && declined.error.len() <= 80);
            assert!(!declined.error.contains(['\r', '\n', ' ']));
        }
        Err(refusal) => assert!(refusal.code.starts_with("callback_")),
    }
}

struct Signer {
    pair: EcdsaKeyPair,
    set: KeySet,
}

static SIGNER: LazyLock<Option<Signer>> = LazyLock::new(|| {
    let random = SystemRandom::new();
    let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).ok()?;
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random).ok()?;
    let point = pair.public_key().as_ref();
    let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let key = json!({ "kty": "EC", "crv": "P-256", "x": part(&point[1..33]), "y": part(&point[33..]) });
    let set = KeySet::read(json!({ "keys": [key] }).to_string().as_bytes()).ok()?;
    Some(Signer { pair, set })
});

/// Judges a token that somebody made up, then a rightly signed one with these claims; and reads a key set.
pub fn id_token(text: &[u8]) {
    if let Ok(set) = KeySet::read(text) {
        assert!((1..=64).contains(&set.0.len()));
    }
    let Some(signer) = &*SIGNER else { panic!("no key") };
    let issuer = |claims: &Claims, _: &Key| match claims.issuer() {
        "https://id.example" => Ok(()),
        _ => Err(Refusal::invalid("id_token_issuer")),
    };
    let expected = Expected { client_id: "us", nonce: Some("n"), issuer: &issuer };
    if let Ok(token) = std::str::from_utf8(text) {
        assert!(check(token, &signer.set, &expected, NOW).is_err(), "nobody else has the key");
    }
    let message =
        format!("{}.{}", URL_SAFE_NO_PAD.encode(r#"{"alg":"ES256"}"#), URL_SAFE_NO_PAD.encode(text));
    let Ok(signature) = signer.pair.sign(&SystemRandom::new(), message.as_bytes()) else {
        panic!("no signature")
    };
    let token = format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature));
    if let Ok(claims) = check(&token, &signer.set, &expected, NOW) {
        assert_eq!(claims.issuer(), "https://id.example");
        assert!((1..=255).contains(&claims.subject().len()));
        let value: serde_json::Value = serde_json::from_slice(text).unwrap_or_default();
        assert!(value["nonce"] == "n" && (value["aud"] == "us" || value["aud"] == json!(["us"])));
        assert!(value["exp"].as_f64().is_some_and(|end| end > 1_999_999_940.0));
    }
}
