//! The pairing code: eight characters that a person types on the phone. The code stretches to a key that wraps both sides'
//! passing keys, so who has not seen the code can agree on nothing.

use crate::crypto::{Key, Sealing, derive, random, scramble, stretch};
use crate::curve::{KeyPair, Public};
use crate::error::Error;
use crate::node::{request, text};
use crate::pairing::{fixed, parts};
use crate::settings::Settings;
use wacore_binary::Node;
use zeroize::Zeroizing;

/// Crockford's alphabet without what is easily misread: no 0, I, O or U.
const ALPHABET: &[u8; 32] = b"123456789ABCDEFGHJKLMNPQRSTVWXYZ";

/// How often a phone may answer for one code.
pub(crate) const ANSWERS: u32 = 3;

/// A code that is shown, and what it needs to be finished with.
pub(crate) struct Code {
    /// As it is typed, without a hyphen.
    pub text: Zeroizing<String>,
    phone: String,
    passing: KeyPair,
    /// The server's name for this pairing, once it has one.
    pub reference: Option<Vec<u8>>,
    /// How often the phone has answered.
    pub answers: u32,
}

impl Code {
    /// A new code for a phone number: digits with the country's code, a plus and the usual separators allowed.
    ///
    /// # Errors
    /// What no phone number looks like.
    pub fn new(phone: &str) -> Result<Self, Error> {
        let digits: String = phone.chars().filter(char::is_ascii_digit).collect();
        let usual = phone.chars().all(|c| c.is_ascii_digit() || "+ -()./".contains(c));
        if !usual || !(7..=15).contains(&digits.len()) || digits.starts_with('0') {
            return Err(Error::Input(
                "phone: not a number with its country's code, such as +49 151 12345678",
            ));
        }
        let text = Zeroizing::new(spell(&random()));
        Ok(Self { text, phone: digits, passing: KeyPair::generate(), reference: None, answers: 0 })
    }

    /// Asks the server to let the phone wait for the code. Takes some 50 ms of computing.
    pub fn hello(&self, id: &str, noise: &Public, settings: &Settings) -> Node {
        let (salt, iv) = (random::<32>(), random::<16>());
        let mut wrapped = *self.passing.public();
        scramble(&stretch(&self.text, &salt), &iv, &mut wrapped);
        let shown = format!("{} ({})", settings.browser.name(), settings.system);
        let body = parts(
            "link_code_companion_reg",
            vec![
                ("link_code_pairing_wrapped_companion_ephemeral_pub", [&salt[..], &iv, &wrapped].concat()),
                ("companion_server_auth_key_pub", noise.to_vec()),
                ("companion_platform_id", settings.browser.client().to_string().into_bytes()),
                ("companion_platform_display", shown.into_bytes()),
                ("link_code_pairing_nonce", vec![0]),
            ],
        )
        .attr("jid", format!("{}@s.whatsapp.net", self.phone))
        .attr("stage", "companion_hello")
        .attr("should_show_push_notification", "true");
        request(id, "set", "md", vec![body.build()])
    }

    /// Reads the phone's answer. Takes some 50 ms of computing, in [`Answer::finish`].
    pub fn answer(&mut self, notice: &Node) -> Result<Answer, Error> {
        let reference: Vec<u8> = crate::node::part(notice, "link_code_pairing_ref")
            .ok_or(Error::Protocol("an answer without a reference"))?;
        if self.reference.as_ref() != Some(&reference) {
            return Err(Error::Protocol("an answer for another code"));
        }
        if self.answers >= ANSWERS {
            return Err(Error::Protocol("too many answers for one code"));
        }
        self.answers += 1;
        Ok(Answer {
            text: self.text.clone(),
            phone: self.phone.clone(),
            passing: self.passing.clone(),
            reference,
            identity: fixed(notice, "primary_identity_pub")?,
            wrapped: fixed(notice, "link_code_pairing_wrapped_primary_ephemeral_pub")?,
        })
    }
}

/// A phone's answer, to be finished.
pub(crate) struct Answer {
    text: Zeroizing<String>,
    phone: String,
    passing: KeyPair,
    reference: Vec<u8>,
    identity: Public,
    wrapped: [u8; 80],
}

impl Answer {
    /// What completes the pairing, and the secret that the phone will seal its word with.
    pub fn finish(&self, id: &str, identity: &KeyPair) -> Result<(Node, Key), Error> {
        let (salt, rest) = self.wrapped.split_at(32);
        let (iv, key) = rest.split_at(16);
        const LENGTH: Error = Error::Protocol("a key of another length");
        let iv: [u8; 16] = iv.try_into().map_err(|_| LENGTH)?;
        let mut theirs: Public = key.try_into().map_err(|_| LENGTH)?;
        scramble(&stretch(&self.text, salt), &iv, &mut theirs);

        let shared = self.passing.agree(&theirs)?;
        let (salt, iv, share) = (random::<32>(), random::<12>(), Zeroizing::new(random::<32>()));
        let key = derive::<32>(&salt, &*shared, b"link_code_pairing_key_bundle_encryption_key")?;
        let bundle = Zeroizing::new([identity.public().as_slice(), &self.identity, &*share].concat());
        let bundle = [&salt[..], &iv, &Sealing::new(&key).seal(iv, &[], &bundle)?].concat();

        let lasting = identity.agree(&self.identity)?;
        let all = Zeroizing::new([&shared[..], &lasting[..], &share[..]].concat());
        let secret = derive::<32>(&[], &all, b"adv_secret")?;
        let body = parts(
            "link_code_companion_reg",
            vec![
                ("link_code_pairing_wrapped_key_bundle", bundle),
                ("companion_identity_public", identity.public().to_vec()),
                ("link_code_pairing_ref", self.reference.clone()),
            ],
        )
        .attr("jid", format!("{}@s.whatsapp.net", self.phone))
        .attr("stage", "companion_finish");
        Ok((request(id, "set", "md", vec![body.build()]), secret))
    }
}

/// The stage that a notice about a code is at.
pub(crate) fn stage(notice: &Node) -> String {
    crate::node::child(notice, "link_code_companion_reg").map(|node| text(node, "stage")).unwrap_or_default()
}

/// Five bytes in eight characters.
pub(crate) fn spell(bytes: &[u8; 5]) -> String {
    let number = bytes.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    (0..8).rev().map(|at| char::from(ALPHABET[(number >> (5 * at) & 31) as usize])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Version;
    use crate::device::Device;
    use crate::node::{child, part};
    use std::sync::Arc;

    #[test]
    fn a_code_has_eight_characters_that_nobody_misreads() {
        assert_eq!(spell(&[0; 5]), "11111111");
        assert_eq!(spell(&[0xff; 5]), "ZZZZZZZZ");
        // 1, 2, 3 … 8 in groups of five bits.
        assert_eq!(spell(&[0x08, 0x86, 0x42, 0x98, 0xe8]), "23456789");
        for phone in ["+49 151 12345678", "4915112345678", "+1 (555) 123-4567"] {
            assert!(Code::new(phone).is_ok(), "{phone}");
        }
        for phone in ["", "12", "+49 151 abc", "0151 12345678", "1234567890123456"] {
            assert!(matches!(Code::new(phone), Err(Error::Input(_))), "{phone}");
        }
    }

    /// Whether a phone on which this was typed opens the bundle, and agrees on the secret.
    fn phone(typed: Option<&str>) -> bool {
        let settings = Settings::new(Version::BUILT_IN, Arc::new(|| 0));
        let (device, mut code) = (Device::generate(), Code::new("+4915112345678").unwrap());
        let hello = code.hello("1", device.noise.public(), &settings);
        let hello = child(&hello, "link_code_companion_reg").unwrap();
        assert_eq!(part(hello, "companion_platform_display").unwrap(), b"Chrome (Mac OS)");
        let typed = typed.unwrap_or(&code.text).to_owned();
        let wrapped: [u8; 80] = fixed(hello, "link_code_pairing_wrapped_companion_ephemeral_pub").unwrap();
        let mut theirs: Public = wrapped[48..].try_into().unwrap();
        scramble(&stretch(&typed, &wrapped[..32]), &wrapped[32..48].try_into().unwrap(), &mut theirs);

        let (identity, passing) = (KeyPair::generate(), KeyPair::generate());
        let (salt, iv) = (random::<32>(), random::<16>());
        let mut own = *passing.public();
        scramble(&stretch(&typed, &salt), &iv, &mut own);
        code.reference = Some(b"ref".to_vec());
        let notice = parts(
            "link_code_companion_reg",
            vec![
                ("link_code_pairing_ref", b"ref".to_vec()),
                ("primary_identity_pub", identity.public().to_vec()),
                ("link_code_pairing_wrapped_primary_ephemeral_pub", [&salt[..], &iv, &own].concat()),
            ],
        )
        .build();
        let (finish, secret) = code.answer(&notice).unwrap().finish("2", &device.identity).unwrap();
        let finish = child(&finish, "link_code_companion_reg").unwrap();
        let bundle = part(finish, "link_code_pairing_wrapped_key_bundle").unwrap();
        let shared = passing.agree(&theirs).unwrap();
        let key =
            derive::<32>(&bundle[..32], &*shared, b"link_code_pairing_key_bundle_encryption_key").unwrap();
        let opened = Sealing::new(&key).open(bundle[32..44].try_into().unwrap(), &[], bundle[44..].to_vec());
        let Ok(opened) = opened else { return false };
        assert_eq!(opened[..32], *device.identity.public());
        assert_eq!(opened[32..64], *identity.public());
        let lasting = identity.agree(device.identity.public()).unwrap();
        let all = [&shared[..], &lasting[..], &opened[64..]].concat();
        *derive::<32>(&[], &all, b"adv_secret").unwrap() == *secret
    }

    #[test]
    fn the_right_code_agrees_and_a_wrong_one_does_not() {
        assert!(phone(None));
        assert!(!phone(Some("11111111")));
    }

    #[test]
    fn answers_are_counted_and_must_name_the_code() {
        let mut code = Code::new("4915112345678").unwrap();
        let notice = |reference: &[u8]| {
            parts(
                "link_code_companion_reg",
                vec![
                    ("link_code_pairing_ref", reference.to_vec()),
                    ("primary_identity_pub", vec![9; 32]),
                    ("link_code_pairing_wrapped_primary_ephemeral_pub", vec![0; 80]),
                ],
            )
            .build()
        };
        assert!(code.answer(&notice(b"x")).is_err());
        code.reference = Some(b"x".to_vec());
        assert!(code.answer(&notice(b"y")).is_err());
        for _ in 0..ANSWERS {
            assert!(code.answer(&notice(b"x")).is_ok());
        }
        assert!(code.answer(&notice(b"x")).is_err());
    }
}
