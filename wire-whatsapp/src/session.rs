//! A linked device as it is stored: everything that a library needs to go on with it, in JSON.
//!
//! All keys are standard base64 with padding; private keys are clamped, public ones have no type byte before them.
//!
//! ```json
//! {
//!   "format": "whatsapp-device/1",
//!   "jid": "4915112345678:7@s.whatsapp.net",
//!   "lid": "123456789:7@lid",
//!   "name": "Shop",
//!   "platform": "android",
//!   "registrationId": 4711,
//!   "noiseKey":    { "private": "…", "public": "…" },
//!   "identityKey": { "private": "…", "public": "…" },
//!   "signedPreKey": { "id": 1, "private": "…", "public": "…", "signature": "…" },
//!   "advSecret": "…",
//!   "account": { "details": "…", "accountSignatureKey": "…", "accountSignature": "…", "deviceSignature": "…" },
//!   "preKeys": { "1": "…", "2": "…" },
//!   "nextPreKeyId": 813,
//!   "preKeysUploaded": true,
//!   "routing": "…",
//!   "server": { "key": "…", "notAfter": 1900000000 },
//!   "browser": "Chrome", "system": "Mac OS"
//! }
//! ```
//!
//! `name` is there for businesses; `lid`, `name`, `platform`, `routing` and `server` may be `null`. `preKeys` are the private
//! one-time keys by id, whose public halves the service gives to those who write first. The repository's
//! `docs/whatsapp-session.md` maps all of it to the stores of Baileys and whatsmeow.
//!
//! **One connection.** The service lets a session be online once; a second connection takes the first one's place. Whoever
//! is handed the session goes on with it alone.

use crate::certificate::ServerKey;
use crate::curve::{KeyPair, Public};
use crate::error::Error;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use zeroize::{Zeroize, Zeroizing};

/// What stands in `format`.
const FORMAT: &str = "whatsapp-device/1";

/// A private key in a session; wiped when dropped.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Private(
    #[serde(serialize_with = "crate::base64::serialize", deserialize_with = "crate::base64::key")] [u8; 32],
);

impl Drop for Private {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl std::ops::Deref for Private {
    type Target = [u8; 32];

    fn deref(&self) -> &[u8; 32] {
        &self.0
    }
}

impl From<&[u8; 32]> for Private {
    fn from(key: &[u8; 32]) -> Self {
        Self(*key)
    }
}

/// Both halves of a key.
#[derive(Clone, Serialize, Deserialize)]
pub struct Pair {
    /// The private half.
    pub private: Private,
    /// The public half, which follows from the private one.
    #[serde(with = "crate::base64")]
    pub public: Public,
}

impl Pair {
    /// For signing and agreeing.
    pub fn keys(&self) -> KeyPair {
        KeyPair::from_private(&self.private)
    }
}

impl From<&KeyPair> for Pair {
    fn from(keys: &KeyPair) -> Self {
        Self { private: keys.private().into(), public: *keys.public() }
    }
}

/// The medium-term key that conversations begin with, signed by the identity key.
#[derive(Clone, Serialize, Deserialize)]
pub struct SignedPreKey {
    /// Its number.
    pub id: u32,
    /// Both halves.
    #[serde(flatten)]
    pub pair: Pair,
    /// The identity key's signature over the public half with the type byte 5 before it.
    #[serde(with = "crate::base64")]
    pub signature: [u8; 64],
}

/// The account's word for the device, and the device's for itself; sent along with some messages.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Account {
    /// What was signed: an `ADVDeviceIdentity`.
    #[serde(with = "crate::base64")]
    pub details: Vec<u8>,
    /// The account's identity key, which is its phone's.
    #[serde(with = "crate::base64")]
    pub account_signature_key: Vec<u8>,
    /// Its signature.
    #[serde(with = "crate::base64")]
    pub account_signature: Vec<u8>,
    /// The device's signature.
    #[serde(with = "crate::base64")]
    pub device_signature: Vec<u8>,
}

/// A linked device. It is as good as the account itself: keep it sealed.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    format: String,
    /// The account's phone number and the device's number: `<phone>:<device>@s.whatsapp.net`.
    pub jid: String,
    /// The same under the account's hidden name: `<number>:<device>@lid`.
    pub lid: Option<String>,
    /// A business's name.
    pub name: Option<String>,
    /// The phone's system, as the service spells it.
    pub platform: Option<String>,
    /// The device's number in Signal's protocol, 14 bits.
    pub registration_id: u32,
    /// Logs in.
    pub noise_key: Pair,
    /// Identifies the device to others.
    pub identity_key: Pair,
    /// Begins conversations.
    pub signed_pre_key: SignedPreKey,
    /// What the phone and the device agreed on when linking.
    pub adv_secret: Private,
    /// Who vouches for the device.
    pub account: Account,
    /// Private one-time keys by number.
    pub pre_keys: BTreeMap<u32, Private>,
    /// The number of the next one to be made.
    pub next_pre_key_id: u32,
    /// Whether the service has their public halves.
    pub pre_keys_uploaded: bool,
    /// Where the service last asked to be sent to.
    #[serde(with = "crate::base64::maybe")]
    pub routing: Option<Vec<u8>>,
    /// The server's key, for a shorter greeting.
    pub server: Option<ServerKey>,
    /// What the device said it is, for whoever goes on to say the same.
    pub browser: String,
    /// The system's part of that.
    pub system: String,
}

/// What linking found, to make a session of.
pub(crate) struct Linked {
    pub jid: String,
    pub lid: Option<String>,
    pub name: Option<String>,
    pub platform: Option<String>,
    pub account: Account,
}

impl Session {
    pub(crate) fn new(device: &crate::device::Device, linked: Linked, settings: &crate::Settings) -> Self {
        Self {
            format: FORMAT.to_owned(),
            jid: linked.jid,
            lid: linked.lid,
            name: linked.name,
            platform: linked.platform,
            registration_id: device.registration_id,
            noise_key: (&device.noise).into(),
            identity_key: (&device.identity).into(),
            signed_pre_key: SignedPreKey {
                id: device.signed_id,
                pair: (&device.signed).into(),
                signature: device.signature,
            },
            adv_secret: (&*device.adv_secret).into(),
            account: linked.account,
            pre_keys: BTreeMap::new(),
            next_pre_key_id: 1,
            pre_keys_uploaded: false,
            routing: None,
            server: None,
            browser: settings.browser.name().to_owned(),
            system: settings.system.clone(),
        }
    }

    /// Reads what [`Session::to_json`] wrote.
    ///
    /// # Errors
    /// Another format, a field missing or wrong: the text names it, without what it holds.
    pub fn from_json(json: &str) -> Result<Self, String> {
        let session: Self = serde_json::from_str(json).map_err(|error| {
            // What was found may be a key: only where and of what sort is told.
            format!("not a session: {} at line {}, column {}", sort(&error), error.line(), error.column())
        })?;
        if session.format != FORMAT {
            return Err(format!("not a session of the format {FORMAT}"));
        }
        session.user().map_err(|error| error.to_string())?;
        Ok(session)
    }

    /// Writes it.
    #[expect(clippy::expect_used, reason = "numbers as keys and bytes as text can always be written")]
    pub fn to_json(&self) -> Zeroizing<String> {
        Zeroizing::new(serde_json::to_string(self).expect("a session in JSON"))
    }

    /// The phone number and the device's number.
    ///
    /// # Errors
    /// The address has another form.
    pub fn user(&self) -> Result<(u64, u32), Error> {
        let (user, device) = self
            .jid
            .strip_suffix("@s.whatsapp.net")
            .and_then(|user| user.split_once(':'))
            .ok_or(Error::Input("jid: not <phone>:<device>@s.whatsapp.net"))?;
        match (user.parse(), device.parse()) {
            (Ok(user), Ok(device)) => Ok((user, device)),
            _ => Err(Error::Input("jid: not <phone>:<device>@s.whatsapp.net")),
        }
    }

    /// The phone number with a plus before it.
    pub fn phone(&self) -> String {
        format!("+{}", self.jid.split([':', '@']).next().unwrap_or_default())
    }

    /// Makes one-time keys until so many have been made.
    pub(crate) fn make_pre_keys(&mut self, count: u32) {
        while self.next_pre_key_id <= count {
            let keys = KeyPair::generate();
            self.pre_keys.insert(self.next_pre_key_id, keys.private().into());
            self.next_pre_key_id += 1;
        }
    }
}

fn sort(error: &serde_json::Error) -> &'static str {
    match error.classify() {
        serde_json::error::Category::Data => "a field is missing or wrong",
        serde_json::error::Category::Eof => "it ends too early",
        _ => "it is no JSON",
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Session(..)")
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::device::Device;
    use std::sync::Arc;

    pub fn session() -> Session {
        let settings = crate::Settings::new(crate::Version::BUILT_IN, Arc::new(|| 0));
        let account = Account {
            details: vec![1],
            account_signature_key: vec![2; 32],
            account_signature: vec![3; 64],
            device_signature: vec![4; 64],
        };
        let linked = Linked {
            jid: "4915112345678:7@s.whatsapp.net".to_owned(),
            lid: Some("12:7@lid".to_owned()),
            name: None,
            platform: Some("android".to_owned()),
            account,
        };
        Session::new(&Device::generate(), linked, &settings)
    }

    #[test]
    fn a_session_is_read_as_it_was_written() {
        let mut before = session();
        before.make_pre_keys(3);
        before.routing = Some(vec![1, 2]);
        before.server = Some(ServerKey { key: [5; 32], not_after: 7 });
        let json = before.to_json();
        let after = Session::from_json(&json).unwrap();
        assert_eq!(*after.to_json(), *json);
        assert_eq!(after.user().unwrap(), (4_915_112_345_678, 7));
        assert_eq!(after.phone(), "+4915112345678");
        assert_eq!(after.noise_key.keys().public(), &before.noise_key.public);
        assert_eq!(after.pre_keys.keys().copied().collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(format!("{after:?}"), "Session(..)");
    }

    #[test]
    fn a_session_that_cannot_be_read_tells_no_key() {
        let json = session().to_json();
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        for field in value
            .as_object()
            .unwrap()
            .keys()
            .filter(|field| !["lid", "name", "platform", "server"].contains(&field.as_str()))
        {
            let mut other = value.clone();
            other[field] = serde_json::json!({ "secret": "k3y" });
            let error = Session::from_json(&other.to_string()).unwrap_err();
            assert!(!error.contains("k3y"), "{field}: {error}");
        }
        assert!(Session::from_json(&json.replace("device/1", "device/2")).unwrap_err().contains("format"));
        assert!(Session::from_json(&json.replace(":7@s.", "@s.")).unwrap_err().contains("jid"));
        assert!(Session::from_json("").unwrap_err().contains("too early"));
    }
}
