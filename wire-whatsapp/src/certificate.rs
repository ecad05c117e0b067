//! The server's certificate chain: a root key that is known beforehand signed an intermediate, which signed the key that the
//! server proved to have. Whether times have passed is only asked of a chain that is kept ([`ServerKey`]): on a fresh one
//! the service's own clients do not look at them.

use crate::curve::{Public, verify};
use crate::error::Error;
use crate::proto::{Certificate, CertificateChain, CertificateDetails};
use prost::Message;
use serde::{Deserialize, Serialize};

/// The key that signs the service's intermediate certificates.
pub const WHATSAPP_ROOT: Public = [
    0x14, 0x23, 0x75, 0x57, 0x4d, 0x0a, 0x58, 0x71, 0x66, 0xaa, 0xe7, 0x1e, 0xbe, 0x51, 0x64, 0x37, 0xc4,
    0xa2, 0x8b, 0x73, 0xe3, 0x69, 0x5c, 0x6c, 0xe1, 0xf7, 0xf9, 0x54, 0x5d, 0xa8, 0xee, 0x6b,
];

/// The root's own number, by which an intermediate names it.
const ROOT_SERIAL: u32 = 0;

/// A server's key that a chain vouched for; with it the next greeting is a round trip shorter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServerKey {
    /// The key.
    #[serde(with = "crate::base64")]
    pub key: Public,
    /// When the shorter of both certificates ends, in seconds of the Unix era; 0 where none says.
    pub not_after: u64,
}

/// Checks a chain as a server sent it, for the key that the greeting showed.
///
/// # Errors
/// [`Error::Untrusted`] says which link does not hold.
pub fn check(chain: &[u8], root: &Public, shown: &Public) -> Result<ServerKey, Error> {
    let chain =
        CertificateChain::decode(chain).map_err(|_| Error::Untrusted("a chain that cannot be read"))?;
    let intermediate = link(chain.intermediate, root, "the intermediate certificate")?;
    if intermediate.issuer_serial.unwrap_or_default() != ROOT_SERIAL {
        return Err(Error::Untrusted("the intermediate certificate names another root"));
    }
    let key = key(&intermediate).ok_or(Error::Untrusted("the intermediate certificate has no key"))?;
    let leaf = link(chain.leaf, &key, "the leaf certificate")?;
    if leaf.issuer_serial.unwrap_or_default() != intermediate.serial.unwrap_or_default() {
        return Err(Error::Untrusted("the leaf certificate names another issuer"));
    }
    if self::key(&leaf).as_ref() != Some(shown) {
        return Err(Error::Untrusted("the leaf certificate is for another key"));
    }
    let ends = [leaf.not_after, intermediate.not_after];
    Ok(ServerKey {
        key: *shown,
        not_after: ends.into_iter().flatten().filter(|end| *end > 0).min().unwrap_or(0),
    })
}

fn link(
    certificate: Option<Certificate>,
    signer: &Public,
    name: &'static str,
) -> Result<CertificateDetails, Error> {
    let Some(Certificate { details: Some(details), signature: Some(signature) }) = certificate else {
        return Err(Error::Untrusted("a chain with a link missing"));
    };
    if !verify(signer, &details, &signature) {
        return Err(Error::Untrusted(match name {
            "the leaf certificate" => "the leaf certificate's signature does not hold",
            _ => "the intermediate certificate is not signed by the root key",
        }));
    }
    CertificateDetails::decode(details.as_slice())
        .map_err(|_| Error::Untrusted("a certificate that cannot be read"))
}

fn key(details: &CertificateDetails) -> Option<Public> {
    details.key.as_deref()?.try_into().ok()
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::curve::KeyPair;

    /// A chain over the key, signed by the root.
    pub fn chain(
        root: &KeyPair,
        shown: &Public,
        change: impl FnOnce(&mut [CertificateDetails; 2]),
    ) -> Vec<u8> {
        let middle = KeyPair::generate();
        let mut details = [
            CertificateDetails {
                serial: Some(7),
                issuer_serial: Some(0),
                key: Some(middle.public().to_vec()),
                not_before: Some(1),
                not_after: Some(2_000_000_000),
            },
            CertificateDetails {
                serial: Some(9),
                issuer_serial: Some(7),
                key: Some(shown.to_vec()),
                not_before: Some(1),
                not_after: Some(1_900_000_000),
            },
        ];
        change(&mut details);
        let [upper, lower] = details.map(|details| details.encode_to_vec());
        let sign = |by: &KeyPair, details: Vec<u8>| {
            Some(Certificate { signature: Some(by.sign(&details).to_vec()), details: Some(details) })
        };
        CertificateChain { leaf: sign(&middle, lower), intermediate: sign(root, upper) }.encode_to_vec()
    }

    #[test]
    fn a_chain_holds_under_its_root_only() {
        let (root, server) = (KeyPair::generate(), KeyPair::generate());
        let good = chain(&root, server.public(), |_| {});
        let found = check(&good, root.public(), server.public()).unwrap();
        assert_eq!(found, ServerKey { key: *server.public(), not_after: 1_900_000_000 });
        let foreign = check(&good, &WHATSAPP_ROOT, server.public()).unwrap_err();
        assert_eq!(foreign, Error::Untrusted("the intermediate certificate is not signed by the root key"));
        assert!(check(&good, root.public(), root.public()).is_err());
        assert!(check(&[], root.public(), server.public()).is_err());
        // Each bit counts, except in what protobuf lets one write differently.
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x10;
            assert!(check(&bad, root.public(), server.public()).is_err(), "{at}");
        }
    }

    #[test]
    fn every_link_of_a_chain_is_checked() {
        let (root, server) = (KeyPair::generate(), KeyPair::generate());
        type Change = fn(&mut [CertificateDetails; 2]);
        let changes: [(Change, &str); 5] = [
            (|details| details[0].issuer_serial = Some(1), "names another root"),
            (|details| details[0].key = None, "has no key"),
            (|details| details[0].key = Some(vec![9; 31]), "has no key"),
            (|details| details[1].issuer_serial = Some(8), "names another issuer"),
            (|details| details[1].key = Some(vec![9; 32]), "is for another key"),
        ];
        for (change, reason) in changes {
            let bad = chain(&root, server.public(), change);
            let error = check(&bad, root.public(), server.public()).unwrap_err();
            assert!(error.to_string().contains(reason), "{error}");
        }
    }
}
