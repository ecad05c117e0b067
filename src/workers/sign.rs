//! Signing of calls to the backend by the Standard Webhooks specification: `webhook-id`, `webhook-timestamp` and
//! `webhook-signature: v1,<base64 of HMAC-SHA256 over "id.timestamp.body">`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use ring::hmac;

use crate::kernel::clock::Millis;
use crate::kernel::secret::Secret;

/// Signs with one secret.
#[derive(Clone)]
pub(super) struct Signer(hmac::Key);

impl Signer {
    /// Takes a secret as it is shown to operators, `whsec_` and base64; anything else is used as it stands.
    pub(super) fn new(secret: &Secret) -> Self {
        let text = secret.reveal();
        let decoded = text.strip_prefix("whsec_").and_then(|text| STANDARD.decode(text).ok());
        Self(hmac::Key::new(hmac::HMAC_SHA256, decoded.as_deref().unwrap_or(text.as_bytes())))
    }

    /// The three headers for one try at one message.
    pub(super) fn headers(&self, id: &str, now: Millis, body: &[u8]) -> HeaderMap {
        let timestamp = (now.0 / 1000).to_string();
        let mut context = hmac::Context::with_key(&self.0);
        for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
            context.update(part);
        }
        let signature = format!("v1,{}", STANDARD.encode(context.sign()));
        let mut headers = HeaderMap::new();
        for (name, value) in
            [("webhook-id", id), ("webhook-timestamp", &timestamp), ("webhook-signature", &signature)]
        {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
        headers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_specification_s_own_example_comes_out() {
        let signer = Signer::new(&Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"));
        let body = br#"{"test": 2432232314}"#;
        let headers = signer.headers("msg_p5jXN8AQM9LWM0D4loKWxJek", Millis(1_614_265_330_000), body);
        assert_eq!(headers["webhook-timestamp"], "1614265330");
        assert_eq!(headers["webhook-signature"], "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }
}
