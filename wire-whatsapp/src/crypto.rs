//! The symmetric primitives, in the forms that the protocol uses them in.

use crate::error::Error;
use aes::cipher::{KeyIvInit, StreamCipher};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::{digest, hkdf, hmac, pbkdf2, rand};
use std::num::NonZeroU32;
use zeroize::Zeroizing;

/// A key, or what keys are derived from.
pub type Key = Zeroizing<[u8; 32]>;

/// Bytes from the system's generator; a system without one cannot go on.
#[expect(clippy::expect_used, reason = "nothing secret can be made without randomness")]
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    rand::SecureRandom::fill(&rand::SystemRandom::new(), &mut bytes).expect("the system has randomness");
    bytes
}

/// SHA-256 of the parts, one after another.
pub fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    hash(&digest::SHA256, parts)
}

/// SHA-512 of the parts, one after another.
pub fn sha512(parts: &[&[u8]]) -> [u8; 64] {
    hash(&digest::SHA512, parts)
}

fn hash<const N: usize>(algorithm: &'static digest::Algorithm, parts: &[&[u8]]) -> [u8; N] {
    let mut context = digest::Context::new(algorithm);
    for part in parts {
        context.update(part);
    }
    let mut bytes = [0; N];
    bytes.copy_from_slice(context.finish().as_ref());
    bytes
}

/// HMAC-SHA256 of the parts, one after another.
#[cfg(test)]
pub fn sign(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key));
    for part in parts {
        context.update(part);
    }
    let mut bytes = [0; 32];
    bytes.copy_from_slice(context.sign().as_ref());
    bytes
}

/// Whether it is the HMAC-SHA256 of the parts; takes the same time for every wrong one.
pub fn signed(key: &[u8], parts: &[&[u8]], signature: &[u8]) -> bool {
    hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, key), &parts.concat(), signature).is_ok()
}

struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

/// HKDF-SHA256. An empty salt is what RFC 5869 calls none.
pub fn derive<const N: usize>(salt: &[u8], secret: &[u8], info: &[u8]) -> Result<Zeroizing<[u8; N]>, Error> {
    let prk = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(secret);
    let mut key = Zeroizing::new([0; N]);
    prk.expand(&[info], Length(N))
        .and_then(|okm| okm.fill(&mut *key))
        .map_err(|_| Error::Protocol("a key too long to derive"))?;
    Ok(key)
}

/// The key that a pairing code stands for: PBKDF2 with 2^17 rounds, some 50 ms.
pub fn stretch(code: &str, salt: &[u8]) -> Key {
    const ROUNDS: NonZeroU32 = NonZeroU32::new(1 << 17).unwrap();
    let mut key = Zeroizing::new([0; 32]);
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, ROUNDS, salt, code.as_bytes(), &mut *key);
    key
}

/// AES-256-CTR in place; the same call undoes it.
pub fn scramble(key: &Key, iv: &[u8; 16], data: &mut [u8]) {
    ctr::Ctr128BE::<aes::Aes256>::new((&**key).into(), iv.into()).apply_keystream(data);
}

/// AES-256-GCM whose tag follows the text, the nonce given in full.
pub struct Sealing(LessSafeKey);

impl Sealing {
    /// Takes the key.
    #[expect(clippy::expect_used, reason = "the length is right by its type")]
    pub fn new(key: &[u8; 32]) -> Self {
        Self(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).expect("a key of 32 bytes")))
    }

    /// Seals the text together with what is only authenticated.
    pub fn seal(&self, nonce: [u8; 12], aad: &[u8], text: &[u8]) -> Result<Vec<u8>, Error> {
        let mut sealed = Vec::with_capacity(text.len() + 16);
        sealed.extend_from_slice(text);
        self.0
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(aad), &mut sealed)
            .map_err(|_| Error::Protocol("a text too long to seal"))?;
        Ok(sealed)
    }

    /// Opens what was sealed so.
    ///
    /// # Errors
    /// Another key, nonce or text sealed it, or it was changed.
    pub fn open(&self, nonce: [u8; 12], aad: &[u8], mut sealed: Vec<u8>) -> Result<Vec<u8>, Error> {
        let length = self
            .0
            .open_in_place(Nonce::assume_unique_for_key(nonce), Aad::from(aad), &mut sealed)
            .map_err(|_| Error::Protocol("a text that does not open"))?
            .len();
        sealed.truncate(length);
        Ok(sealed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn keys_are_derived_as_rfc_5869_says() {
        let salt: Vec<u8> = (0..13).collect();
        let info: Vec<u8> = (0xf0..0xfa).collect();
        let key = derive::<42>(&salt, &[0x0b; 22], &info).unwrap();
        assert_eq!(
            hex(&*key),
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
        );
        let key = derive::<42>(&[], &[0x0b; 22], &[]).unwrap();
        assert_eq!(
            hex(&*key),
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"
        );
    }

    // NIST SP 800-38A, F.5.5.
    #[test]
    fn scrambling_is_ctr_and_undoes_itself() {
        let key = [
            0x60, 0x3d, 0xeb, 0x10, 0x15, 0xca, 0x71, 0xbe, 0x2b, 0x73, 0xae, 0xf0, 0x85, 0x7d, 0x77, 0x81,
            0x1f, 0x35, 0x2c, 0x07, 0x3b, 0x61, 0x08, 0xd7, 0x2d, 0x98, 0x10, 0xa3, 0x09, 0x14, 0xdf, 0xf4,
        ];
        let iv: [u8; 16] = std::array::from_fn(|at| 0xf0 + at as u8);
        let mut data =
            [0x6b, 0xc1, 0xbe, 0xe2, 0x2e, 0x40, 0x9f, 0x96, 0xe9, 0x3d, 0x7e, 0x11, 0x73, 0x93, 0x17, 0x2a];
        scramble(&Zeroizing::new(key), &iv, &mut data);
        assert_eq!(hex(&data), "601ec313775789a5b7a7f504bbf3d228");
        scramble(&Zeroizing::new(key), &iv, &mut data);
        assert_eq!(hex(&data), "6bc1bee22e409f96e93d7e117393172a");
    }

    #[test]
    fn what_is_sealed_opens_once_everything_is_the_same() {
        let sealing = Sealing::new(&[7; 32]);
        let sealed = sealing.seal([1; 12], b"aad", b"text").unwrap();
        assert_eq!(sealing.open([1; 12], b"aad", sealed.clone()).unwrap(), b"text");
        assert!(sealing.open([2; 12], b"aad", sealed.clone()).is_err());
        assert!(sealing.open([1; 12], b"", sealed.clone()).is_err());
        assert!(Sealing::new(&[8; 32]).open([1; 12], b"aad", sealed.clone()).is_err());
        assert!(sealing.open([1; 12], b"aad", sealed[..3].to_vec()).is_err());
        let mac = sign(b"key", &[b"a", b"b"]);
        assert!(signed(b"key", &[b"ab"], &mac) && !signed(b"key", &[b"a"], &mac));
    }
}
