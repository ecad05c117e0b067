//! The passkey gate: for some accounts the service wants, besides the code, the signature of a passkey that belongs to its
//! own site. No other site's page can ask for one, so what is asked is handed out, and a signature is taken in from
//! whatever could get it. After that both sides show the same eight characters, and the device sends its keys sealed.

use crate::code::spell;
use crate::crypto::{Key, Sealing, derive, random, sha256};
use crate::curve::{KeyPair, Public};
use crate::device::Device;
use crate::error::Error;
use crate::node::{leaf, request};
use crate::pairing::parts;
use crate::proto::{
    Commitment, CompanionIdentity, EncryptedPairingRequest, PairingRequest, PrimaryIdentity, Prologue,
};
use crate::settings::Settings;
use prost::Message;
use wacore_binary::Node;
use zeroize::Zeroizing;

/// What `navigator.credentials.get` gave on the service's own site.
#[derive(Clone)]
pub struct Assertion {
    /// The credential as JSON: `id`, `rawId`, `type`, and in `response` `clientDataJSON`, `authenticatorData`, `signature`
    /// and `userHandle`; bytes as base64url without padding.
    pub json: String,
    /// The bytes of `rawId`.
    pub credential: Vec<u8>,
}

impl Assertion {
    /// Reads a credential as browsers write it (`PublicKeyCredential.toJSON()`).
    ///
    /// # Errors
    /// The text names the field that is missing or wrong.
    pub fn from_json(json: &str) -> Result<Self, Error> {
        use base64::Engine;
        const ENGINE: base64::engine::GeneralPurpose = base64::engine::GeneralPurpose::new(
            &base64::alphabet::URL_SAFE,
            base64::engine::GeneralPurposeConfig::new()
                .with_decode_padding_mode(base64::engine::DecodePaddingMode::Indifferent),
        );
        if json.len() > 16 << 10 {
            return Err(Error::Input("assertion: longer than 16 kB"));
        }
        let value: serde_json::Value =
            serde_json::from_str(json).map_err(|_| Error::Input("assertion: not JSON"))?;
        let decode =
            |value: &serde_json::Value| ENGINE.decode(value.as_str()?).ok().filter(|bytes| !bytes.is_empty());
        let credential =
            decode(&value["rawId"]).ok_or(Error::Input("assertion: rawId is missing or not base64url"))?;
        if value["type"] != "public-key" {
            return Err(Error::Input("assertion: type is not public-key"));
        }
        for (name, error) in [
            (
                "clientDataJSON",
                Error::Input("assertion: response.clientDataJSON is missing or not base64url"),
            ),
            (
                "authenticatorData",
                Error::Input("assertion: response.authenticatorData is missing or not base64url"),
            ),
            ("signature", Error::Input("assertion: response.signature is missing or not base64url")),
        ] {
            decode(&value["response"][name]).ok_or(error)?;
        }
        Ok(Self { json: json.to_owned(), credential })
    }
}

impl std::fmt::Debug for Assertion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Assertion(..)")
    }
}

/// One way through the gate, from the assertion to the sealed keys.
pub(crate) struct Gate {
    assertion: Assertion,
    passing: KeyPair,
    nonce: [u8; 32],
    secret: Key,
    reference: String,
    key: Option<Key>,
}

impl Gate {
    pub fn new(assertion: Assertion) -> Self {
        Self {
            assertion,
            passing: KeyPair::generate(),
            nonce: random(),
            secret: Zeroizing::new(random()),
            reference: String::new(),
            key: None,
        }
    }

    /// Sends the assertion, and binds itself to a nonce that is shown later.
    pub fn prologue(&mut self, id: &str, reference: String, settings: &Settings) -> Node {
        self.reference = reference;
        let identity = CompanionIdentity {
            public_key: Some(self.passing.public().to_vec()),
            device_type: Some(settings.browser.platform()),
            reference: Some(self.reference.clone()),
        }
        .encode_to_vec();
        let hash = sha256(&[&identity, &self.nonce]).to_vec();
        let prologue = Prologue {
            companion_identity: Some(identity),
            commitment: Some(Commitment { hash: Some(hash) }),
        };
        let body = parts(
            "passkey_prologue",
            vec![
                ("credential_id", self.assertion.credential.clone()),
                ("webauthn_assertion", self.assertion.json.clone().into_bytes()),
                ("prologue_payload", prologue.encode_to_vec()),
            ],
        );
        request(id, "set", "md", vec![body.build()])
    }

    /// Reads the phone's key and nonce; what comes back shows the own nonce, and is what both sides show.
    pub fn meet(&mut self, id: &str, primary: &[u8], settings: &Settings) -> Result<(Node, String), Error> {
        const WRONG: Error = Error::Protocol("a phone's identity that cannot be read");
        if self.reference.is_empty() || self.key.is_some() {
            return Err(Error::Protocol("a phone's identity out of turn"));
        }
        let primary = PrimaryIdentity::decode(primary).map_err(|_| WRONG)?;
        let public: Public = primary.public_key.unwrap_or_default().try_into().map_err(|_| WRONG)?;
        let nonce: [u8; 32] = primary.nonce.unwrap_or_default().try_into().map_err(|_| WRONG)?;
        let shared = self.passing.agree(&public)?;
        let salt = format!("Companion Pairing {} with ref {}", settings.browser.platform(), self.reference);
        self.key = Some(derive(salt.as_bytes(), &*shared, b"Pairing Information Encryption Key")?);
        let digest = sha256(&[&self.nonce, &public]);
        let code = spell(&std::array::from_fn(|at| nonce[at] ^ digest[at]));
        let body = leaf("companion_nonce", self.nonce);
        Ok((request(id, "set", "md", vec![body]), code))
    }

    /// Seals the device's keys for the phone, and gives the secret that the phone will seal its word with.
    pub fn confirm(&mut self, id: &str, device: &Device) -> Result<(Node, Key), Error> {
        let key =
            self.key.as_ref().ok_or(Error::Input("the phone's code is not there to be confirmed yet"))?;
        let wish = PairingRequest {
            companion_public_key: Some(device.noise.public().to_vec()),
            companion_identity_key: Some(device.identity.public().to_vec()),
            adv_secret: Some(self.secret.to_vec()),
        };
        let (wish, iv) = (Zeroizing::new(wish.encode_to_vec()), random::<12>());
        let sealed = Sealing::new(key).seal(iv, &[], &wish)?;
        let sealed = EncryptedPairingRequest { encrypted_payload: Some(sealed), iv: Some(iv.to_vec()) };
        let body = leaf("encrypted_pairing_request", sealed.encode_to_vec());
        Ok((request(id, "set", "md", vec![body]), self.secret.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Version;
    use crate::node::{child, part};
    use std::sync::Arc;

    const GIVEN: &str = r#"{"id":"AQID","rawId":"AQID","type":"public-key",
        "response":{"clientDataJSON":"e30","authenticatorData":"AA","signature":"AA","userHandle":null}}"#;

    #[test]
    fn an_assertion_says_which_field_is_wrong() {
        assert_eq!(Assertion::from_json(GIVEN).unwrap().credential, [1, 2, 3]);
        for (from, to, field) in [
            (r#""rawId":"AQID""#, r#""rawId":"%""#, "rawId"),
            ("public-key", "password", "type"),
            (r#""clientDataJSON":"e30""#, r#""x":1"#, "clientDataJSON"),
            (r#""authenticatorData":"AA""#, r#""authenticatorData":7"#, "authenticatorData"),
            (r#""signature":"AA""#, r#""signature":"""#, "signature"),
            ("{", "", "JSON"),
        ] {
            let error = Assertion::from_json(&GIVEN.replacen(from, to, 1)).unwrap_err();
            assert!(error.to_string().contains(field), "{error}");
        }
        assert!(Assertion::from_json(&" ".repeat(20_000)).is_err());
    }

    #[test]
    fn both_sides_show_the_same_and_the_phone_gets_the_keys() {
        let (device, settings) = (Device::generate(), Settings::new(Version::BUILT_IN, Arc::new(|| 0)));
        let mut gate = Gate::new(Assertion::from_json(GIVEN).unwrap());
        assert!(gate.confirm("0", &device).is_err());
        let prologue = gate.prologue("1", "ref".to_owned(), &settings);
        let prologue = child(&prologue, "passkey_prologue").unwrap();
        assert_eq!(part(prologue, "credential_id").unwrap(), [1, 2, 3]);
        let payload = Prologue::decode(part(prologue, "prologue_payload").unwrap().as_slice()).unwrap();
        let identity = payload.companion_identity.unwrap();

        let (phone, nonce) = (KeyPair::generate(), random::<32>());
        let primary =
            PrimaryIdentity { public_key: Some(phone.public().to_vec()), nonce: Some(nonce.to_vec()) }
                .encode_to_vec();
        let (reply, code) = gate.meet("2", &primary, &settings).unwrap();
        assert!(gate.meet("3", &primary, &settings).is_err());
        let theirs = part(&reply, "companion_nonce").unwrap();
        assert_eq!(payload.commitment.unwrap().hash.unwrap(), sha256(&[&identity, &theirs]));
        let digest = sha256(&[&theirs, phone.public()]);
        assert_eq!(code, spell(&std::array::from_fn(|at| nonce[at] ^ digest[at])));

        let (sealed, secret) = gate.confirm("4", &device).unwrap();
        let sealed = part(&sealed, "encrypted_pairing_request").unwrap();
        let sealed = EncryptedPairingRequest::decode(sealed.as_slice()).unwrap();
        let identity = CompanionIdentity::decode(identity.as_slice()).unwrap();
        let shared = phone.agree(&identity.public_key.unwrap().try_into().unwrap()).unwrap();
        let key =
            derive(b"Companion Pairing 1 with ref ref", &*shared, b"Pairing Information Encryption Key")
                .unwrap();
        let iv = sealed.iv.unwrap().try_into().unwrap();
        let wish = Sealing::new(&key).open(iv, &[], sealed.encrypted_payload.unwrap()).unwrap();
        let wish = PairingRequest::decode(wish.as_slice()).unwrap();
        assert_eq!(wish.companion_identity_key.unwrap(), device.identity.public());
        assert_eq!(wish.adv_secret.unwrap(), *secret);
    }
}
