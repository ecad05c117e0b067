//! A device that is not linked yet: its keys, what it registers with, and what its codes say.

use crate::base64::encode;
use crate::crypto::{Key, random};
use crate::curve::KeyPair;
use crate::proto::{
    AppVersion, ClientPayload, DevicePairingData, DeviceProps, HistorySyncConfig, UserAgent, WebInfo,
};
use crate::settings::Settings;
use md5::{Digest, Md5};
use prost::Message;
use zeroize::Zeroizing;

/// The byte before a public key that says which curve it is on.
pub(crate) const KEY_TYPE: u8 = 5;

/// The platform "web" in a client's description of itself.
const WEB: u32 = 14;

pub(crate) struct Device {
    pub noise: KeyPair,
    pub identity: KeyPair,
    pub signed_id: u32,
    pub signed: KeyPair,
    pub signature: [u8; 64],
    pub registration_id: u32,
    /// The secret in the QR code.
    pub adv_secret: Key,
}

impl Device {
    pub fn generate() -> Self {
        let (identity, signed) = (KeyPair::generate(), KeyPair::generate());
        let signature = identity.sign(&[&[KEY_TYPE], signed.public().as_slice()].concat());
        // Fourteen bits, and never 0.
        let registration_id = u32::from(u16::from_be_bytes(random())) % 16_380 + 1;
        let adv_secret = Zeroizing::new(random());
        Self {
            noise: KeyPair::generate(),
            identity,
            signed_id: 1,
            signed,
            signature,
            registration_id,
            adv_secret,
        }
    }

    /// What a QR code says for one of the server's references. The address before it opens the app when any camera reads
    /// the code.
    pub fn qr(&self, reference: &str, settings: &Settings) -> String {
        let [noise, identity] = [&self.noise, &self.identity].map(|keys| encode(keys.public()));
        let secret = Zeroizing::new(encode(&*self.adv_secret));
        let client = settings.browser.client();
        format!("https://wa.me/settings/linked_devices#{reference},{noise},{identity},{},{client}", *secret)
    }

    /// What a new device says when it connects.
    pub fn registration(&self, settings: &Settings) -> Vec<u8> {
        let props = DeviceProps {
            os: Some(settings.system.clone()),
            version: Some(AppVersion { primary: Some(10), secondary: Some(15), tertiary: Some(7) }),
            platform_type: Some(settings.browser.platform()),
            require_full_sync: Some(settings.full_history),
            history_sync_config: Some(HistorySyncConfig {
                storage_quota_mb: Some(10_240),
                inline_initial_payload: Some(true),
                call_log_history: Some(false),
                bot_user_agent_chat_history: Some(true),
                cag_reactions_and_polls: Some(true),
                biz_hosted_msg: Some(true),
                recent_sync_chunk_message_count_tuning: Some(true),
                hosted_group_msg: Some(true),
                fbid_bot_chat_history: Some(true),
                message_association: Some(true),
                group_history: Some(false),
            }),
        };
        let pairing = DevicePairingData {
            registration_id: Some(self.registration_id.to_be_bytes().to_vec()),
            key_type: Some(vec![KEY_TYPE]),
            identity: Some(self.identity.public().to_vec()),
            signed_key_id: Some(self.signed_id.to_be_bytes()[1..].to_vec()),
            signed_key: Some(self.signed.public().to_vec()),
            signed_key_signature: Some(self.signature.to_vec()),
            build_hash: Some(Md5::digest(settings.version.to_string()).to_vec()),
            device_props: Some(props.encode_to_vec()),
        };
        ClientPayload {
            passive: Some(false),
            pull: Some(false),
            device_pairing_data: Some(pairing),
            ..client(settings)
        }
        .encode_to_vec()
    }
}

/// What a linked device says when it connects. It stays passive: messages wait for whoever asks for them.
pub(crate) fn login(user: u64, device: u32, settings: &Settings) -> Vec<u8> {
    ClientPayload {
        username: Some(user),
        device: Some(device),
        passive: Some(true),
        pull: Some(true),
        lid_db_migrated: Some(false),
        ..client(settings)
    }
    .encode_to_vec()
}

fn client(settings: &Settings) -> ClientPayload {
    let text = |text: &str| Some(text.to_owned());
    let [primary, secondary, tertiary] = settings.version.0.map(Some);
    ClientPayload {
        connect_type: Some(1),
        connect_reason: Some(1),
        user_agent: Some(UserAgent {
            platform: Some(WEB),
            app_version: Some(AppVersion { primary, secondary, tertiary }),
            mcc: text("000"),
            mnc: text("000"),
            os_version: text("0.1"),
            device: text("Desktop"),
            os_build_number: text("0.1"),
            release_channel: Some(0),
            locale_language: text("en"),
            locale_country: text(&settings.country),
        }),
        web_info: Some(WebInfo { web_sub_platform: Some(0) }),
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Version;
    use crate::curve::verify;
    use std::sync::Arc;

    #[test]
    fn a_registration_says_what_it_is_and_signs_its_key() {
        let (device, settings) = (Device::generate(), Settings::new(Version::BUILT_IN, Arc::new(|| 0)));
        let payload = ClientPayload::decode(device.registration(&settings).as_slice()).unwrap();
        let pairing = payload.device_pairing_data.unwrap();
        let key = [&[5], pairing.signed_key.unwrap().as_slice()].concat();
        assert!(verify(device.identity.public(), &key, &pairing.signed_key_signature.unwrap()));
        assert_eq!(pairing.signed_key_id.unwrap(), [0, 0, 1]);
        assert!((1..16_384).contains(&device.registration_id));
        assert_eq!((payload.username, payload.passive, payload.pull), (None, Some(false), Some(false)));
        let login = ClientPayload::decode(login(49_151, 7, &settings).as_slice()).unwrap();
        assert_eq!((login.username, login.device, login.passive), (Some(49_151), Some(7), Some(true)));
    }

    #[test]
    fn a_code_has_five_fields_behind_an_address() {
        let (device, settings) = (Device::generate(), Settings::new(Version::BUILT_IN, Arc::new(|| 0)));
        let code = device.qr("2@abc", &settings);
        let (address, fields) = code.split_once('#').unwrap();
        assert_eq!(address, "https://wa.me/settings/linked_devices");
        let fields: Vec<_> = fields.split(',').collect();
        let keys =
            [*device.noise.public(), *device.identity.public(), *device.adv_secret].map(|key| encode(&key));
        assert_eq!(fields, ["2@abc", &keys[0], &keys[1], &keys[2], "1"]);
    }
}
