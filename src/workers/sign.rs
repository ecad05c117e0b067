//! Signing of calls to the backend. By the Standard Webhooks specification: `webhook-id`, `webhook-timestamp` and
//! `webhook-signature: v1,<base64 of HMAC-SHA256 over "id.timestamp.body">`, several of which are separated by spaces. And
//! as Riposte does: `x-riposte-timestamp` and `x-riposte-signature: <hex of HMAC-SHA256 over "timestamp.body">`, several of
//! which are separated by commas.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use ring::hmac;

use crate::kernel::clock::Millis;
use crate::kernel::secret::Secret;

/// Signs with one secret.
#[derive(Clone)]
pub(super) struct Signer {
    /// What Standard Webhooks takes as the key.
    decoded: hmac::Key,
    /// The secret's text as it was handed out.
    text: hmac::Key,
}

impl Signer {
    /// Takes a secret as it is handed out, `whsec_` and base64; anything else is used as it stands.
    pub(super) fn new(secret: &Secret) -> Self {
        let text = secret.reveal();
        let decoded = text.strip_prefix("whsec_").and_then(|text| STANDARD.decode(text).ok());
        let key = |bytes: &[u8]| hmac::Key::new(hmac::HMAC_SHA256, bytes);
        Self { decoded: key(decoded.as_deref().unwrap_or(text.as_bytes())), text: key(text.as_bytes()) }
    }
}

fn sign(key: &hmac::Key, parts: &[&[u8]]) -> hmac::Tag {
    let mut context = hmac::Context::with_key(key);
    for part in parts {
        context.update(part);
    }
    context.sign()
}

/// Adds the three headers of Standard Webhooks for one try at one message.
pub(super) fn standard(headers: &mut HeaderMap, signers: &[Signer], id: &str, now: Millis, body: &[u8]) {
    let timestamp = (now.0 / 1000).to_string();
    let parts = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body];
    let signatures: Vec<_> = signers
        .iter()
        .map(|signer| format!("v1,{}", STANDARD.encode(sign(&signer.decoded, &parts))))
        .collect();
    set(headers, "webhook-id", id);
    set(headers, "webhook-timestamp", &timestamp);
    set(headers, "webhook-signature", &signatures.join(" "));
}

/// Adds Riposte's two headers. Their key is the secret's text as it stands, since that is what a receiver has at hand.
pub(super) fn riposte(headers: &mut HeaderMap, signers: &[Signer], now: Millis, body: &[u8]) {
    let timestamp = (now.0 / 1000).to_string();
    let parts = [timestamp.as_bytes(), b".", body];
    let signatures: Vec<_> = signers.iter().map(|signer| hex(sign(&signer.text, &parts).as_ref())).collect();
    set(headers, "x-riposte-timestamp", &timestamp);
    set(headers, "x-riposte-signature", &signatures.join(","));
}

fn set(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(HeaderName::from_static(name), value);
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const AT: Millis = Millis(1_614_265_330_000);

    #[test]
    fn the_specification_s_own_example_comes_out() {
        let mut headers = HeaderMap::new();
        let signers = [Signer::new(&Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))];
        standard(&mut headers, &signers, "msg_p5jXN8AQM9LWM0D4loKWxJek", AT, BODY);
        assert_eq!(headers["webhook-timestamp"], "1614265330");
        assert_eq!(headers["webhook-signature"], "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn two_secrets_sign_one_beside_the_other() {
        let signers = ["one", "two"].map(|secret| Signer::new(&Secret::new(secret)));
        let mut headers = HeaderMap::new();
        standard(&mut headers, &signers, "dlv_1", AT, BODY);
        riposte(&mut headers, &signers, AT, BODY);
        let text = |name: &str| headers[name].to_str().unwrap().to_owned();
        assert_eq!(text("webhook-signature").split(' ').count(), 2);
        // printf '1614265330.{"test": 2432232314}' | openssl dgst -sha256 -hmac one
        let first = "607723a14291b267bf522495a11ee421cb90e7d3dc7b5706b868b276bb9ed578";
        let second = "f221ca073dfb79061e16e76a8116ea6ed089cd66edc5dc4ef213c12504a22fc9";
        assert_eq!(text("x-riposte-signature"), format!("{first},{second}"));
        assert_eq!(text("x-riposte-timestamp"), "1614265330");
    }
}
