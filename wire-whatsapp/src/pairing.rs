//! The phone's word for a new device: checked against the secret of the code it scanned, countersigned, and made a session.

use crate::crypto::signed;
use crate::curve::{Public, verify};
use crate::device::Device;
use crate::error::Error;
use crate::node::{child, content, done, leaf, text};
use crate::proto::{DeviceIdentity, SealedDeviceIdentity, SignedDeviceIdentity};
use crate::session::{Account, Linked, Session};
use crate::settings::Settings;
use prost::Message;
use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;

/// The number of accounts that a company hosts, whose signatures have prefixes of their own.
const HOSTED: u32 = 1;

/// Before what is signed: by the account, by the device, each for itself and for hosted accounts.
const ACCOUNT: [[u8; 2]; 2] = [[6, 0], [6, 5]];
const DEVICE: [[u8; 2]; 2] = [[6, 1], [6, 6]];

/// The longest name, of a business or of anything else, that is kept.
const NAME: usize = 512;

/// Why a pairing did not hold, and what is answered then.
pub(crate) struct Mismatch {
    pub error: Error,
    pub reply: Node,
}

/// Reads an `<iq>` with a `<pair-success>`; what comes back is the new session and the answer that completes it.
pub(crate) fn accept(
    stanza: &Node,
    device: &Device,
    settings: &Settings,
) -> Result<(Session, Node), Box<Mismatch>> {
    let refuse = |code: u16, error: &'static str| {
        let reply = NodeBuilder::new("iq")
            .attr("to", crate::node::server())
            .attr("type", "error")
            .attr("id", text(stanza, "id"))
            .children([NodeBuilder::new("error").attr("code", code.to_string()).attr("text", error).build()])
            .build();
        Box::new(Mismatch { error: Error::Untrusted(error), reply })
    };
    let internal = || refuse(500, "internal-error");
    let success = child(stanza, "pair-success").ok_or_else(internal)?;
    let identity = child(success, "device-identity").and_then(content).ok_or_else(internal)?;
    let address = child(success, "device").ok_or_else(internal)?;

    let sealed = SealedDeviceIdentity::decode(identity.as_slice()).map_err(|_| internal())?;
    let (details, hmac) = (sealed.details.unwrap_or_default(), sealed.hmac.unwrap_or_default());
    let hosted = sealed.account_type == Some(HOSTED);
    let prefix: &[u8] = if hosted { &ACCOUNT[1] } else { &[] };
    if !signed(&*device.adv_secret, &[prefix, &details], &hmac) {
        return Err(refuse(401, "hmac-mismatch"));
    }
    let mut account = SignedDeviceIdentity::decode(details.as_slice()).map_err(|_| internal())?;
    let details = account.details.clone().unwrap_or_default();
    let known = DeviceIdentity::decode(details.as_slice()).map_err(|_| internal())?;
    let hosted = usize::from(hosted || known.device_type == Some(HOSTED));
    let key = account.account_signature_key.clone().unwrap_or_default();
    let Ok(account_key) = Public::try_from(key.as_slice()) else { return Err(internal()) };
    let own = device.identity.public();
    let message = [ACCOUNT[hosted].as_slice(), &details, own].concat();
    let signature = account.account_signature.clone().unwrap_or_default();
    if !verify(&account_key, &message, &signature) {
        return Err(refuse(401, "signature-mismatch"));
    }
    let message = [DEVICE[hosted].as_slice(), &details, own, &key].concat();
    let device_signature = device.identity.sign(&message).to_vec();

    account.device_signature = Some(device_signature.clone());
    account.account_signature_key = None;
    let signed = NodeBuilder::new("pair-device-sign").children([NodeBuilder::new("device-identity")
        .attr("key-index", known.key_index.unwrap_or_default().to_string())
        .bytes(account.encode_to_vec())
        .build()]);
    let reply = done(stanza, vec![signed.build()]);

    let named = |node: Option<&Node>, name| {
        node.map(|node| text(node, name)).filter(|text| (1..=NAME).contains(&text.len()))
    };
    let linked = Linked {
        jid: text(address, "jid"),
        lid: named(Some(address), "lid"),
        name: named(child(success, "biz"), "name"),
        platform: named(child(success, "platform"), "name"),
        account: Account {
            details,
            account_signature_key: key,
            account_signature: signature,
            device_signature,
        },
    };
    let session = Session::new(device, linked, settings);
    session.user().map_err(|_| internal())?;
    Ok((session, reply))
}

/// The bytes of a node that are wanted by their tag and of one length.
pub(crate) fn fixed<const N: usize>(node: &Node, tag: &str) -> Result<[u8; N], Error> {
    let bytes = crate::node::part(node, tag).ok_or(Error::Protocol("a notice with a part missing"))?;
    bytes.try_into().map_err(|_| Error::Protocol("a notice with a part of another length"))
}

/// Our own parts are leaves; kept here so that both other ways of pairing read alike.
pub(crate) fn parts(tag: &'static str, parts: Vec<(&'static str, Vec<u8>)>) -> NodeBuilder {
    NodeBuilder::new(tag).children(parts.into_iter().map(|(tag, bytes)| leaf(tag, bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Version;
    use crate::crypto::sign;
    use crate::curve::KeyPair;
    use std::sync::Arc;

    struct Phone {
        account: KeyPair,
        secret: Vec<u8>,
        prefix: [u8; 2],
        hosted: bool,
    }

    impl Phone {
        fn success(&self, device: &Device) -> Node {
            let kind = self.hosted.then_some(HOSTED);
            let details =
                DeviceIdentity { raw_id: Some(1), timestamp: Some(2), key_index: Some(3), device_type: kind }
                    .encode_to_vec();
            let message = [self.prefix.as_slice(), &details, device.identity.public()].concat();
            let signed = SignedDeviceIdentity {
                account_signature: Some(self.account.sign(&message).to_vec()),
                account_signature_key: Some(self.account.public().to_vec()),
                details: Some(details),
                device_signature: None,
            }
            .encode_to_vec();
            let prefix: &[u8] = if self.hosted { &[6, 5] } else { &[] };
            let sealed = SealedDeviceIdentity {
                hmac: Some(sign(&self.secret, &[prefix, &signed]).to_vec()),
                details: Some(signed),
                account_type: kind,
            };
            let success = NodeBuilder::new("pair-success").children([
                leaf("device-identity", sealed.encode_to_vec()),
                NodeBuilder::new("device")
                    .attr("jid", "4915:7@s.whatsapp.net")
                    .attr("lid", "12:7@lid")
                    .build(),
                NodeBuilder::new("platform").attr("name", "iphone").build(),
            ]);
            NodeBuilder::new("iq").attr("id", "9").attr("type", "set").children([success.build()]).build()
        }
    }

    #[test]
    fn a_phone_that_saw_the_code_is_believed() {
        let settings = Settings::new(Version::BUILT_IN, Arc::new(|| 0));
        let device = Device::generate();
        for hosted in [false, true] {
            let prefix = ACCOUNT[usize::from(hosted)];
            let phone =
                Phone { account: KeyPair::generate(), secret: device.adv_secret.to_vec(), prefix, hosted };
            let (session, reply) = accept(&phone.success(&device), &device, &settings).ok().unwrap();
            assert_eq!(
                (session.jid.as_str(), session.lid.as_deref()),
                ("4915:7@s.whatsapp.net", Some("12:7@lid"))
            );
            assert_eq!((session.platform.as_deref(), session.name), (Some("iphone"), None));
            let sign =
                child(&reply, "pair-device-sign").and_then(|node| child(node, "device-identity")).unwrap();
            assert_eq!(text(sign, "key-index"), "3");
            let sent = SignedDeviceIdentity::decode(content(sign).unwrap().as_slice()).unwrap();
            assert_eq!(sent.account_signature_key, None);
            let message = [
                DEVICE[usize::from(hosted)].as_slice(),
                &session.account.details,
                device.identity.public(),
                phone.account.public(),
            ];
            assert!(verify(device.identity.public(), &message.concat(), &sent.device_signature.unwrap()));
        }
    }

    #[test]
    fn whoever_did_not_is_not() {
        let settings = Settings::new(Version::BUILT_IN, Arc::new(|| 0));
        let device = Device::generate();
        let account = KeyPair::generate;
        let secret = device.adv_secret.to_vec();
        for (phone, reason) in [
            (
                Phone { account: account(), secret: vec![0; 32], prefix: [6, 0], hosted: false },
                "hmac-mismatch",
            ),
            (
                Phone { account: account(), secret: secret.clone(), prefix: [6, 1], hosted: false },
                "signature-mismatch",
            ),
            (Phone { account: account(), secret, prefix: [6, 0], hosted: true }, "signature-mismatch"),
        ] {
            let refused = accept(&phone.success(&device), &device, &settings).err().unwrap();
            assert_eq!(refused.error, Error::Untrusted(reason));
            assert_eq!(text(child(&refused.reply, "error").unwrap(), "code"), "401");
        }
        let nothing = NodeBuilder::new("iq").children([crate::node::empty("pair-success")]).build();
        assert!(accept(&nothing, &device, &settings).is_err());
    }
}
