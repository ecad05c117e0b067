//! Keys on Curve25519: agreement (X25519) and signatures with the same keys (XEdDSA). Private keys are wiped when dropped
//! and shown by nothing.

use crate::crypto::{random, sha512};
use crate::error::Error;
use curve25519_dalek::constants::ED25519_BASEPOINT_TABLE;
use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::montgomery::MontgomeryPoint;
use curve25519_dalek::scalar::{Scalar, clamp_integer};
use zeroize::{Zeroize, Zeroizing};

/// A public key or a signature's owner: 32 bytes, without the type byte that Signal puts before it.
pub type Public = [u8; 32];

/// A private key with its public one.
#[derive(Clone)]
pub struct KeyPair {
    private: Zeroizing<[u8; 32]>,
    public: Public,
}

impl KeyPair {
    /// A new key from the system's randomness.
    pub fn generate() -> Self {
        let private = Zeroizing::new(random());
        Self::from_private(&private)
    }

    /// The key whose private half is this; it is clamped as X25519 demands.
    pub fn from_private(private: &[u8; 32]) -> Self {
        let private = Zeroizing::new(clamp_integer(*private));
        let public = MontgomeryPoint::mul_base_clamped(*private).to_bytes();
        Self { private, public }
    }

    /// The public half.
    pub fn public(&self) -> &Public {
        &self.public
    }

    /// The private half, clamped.
    pub fn private(&self) -> &[u8; 32] {
        &self.private
    }

    /// What this key and the other's owner both know.
    ///
    /// # Errors
    /// The other key is one of the few with which everybody agrees on the same.
    pub fn agree(&self, other: &Public) -> Result<Zeroizing<[u8; 32]>, Error> {
        let shared = Zeroizing::new(MontgomeryPoint(*other).mul_clamped(*self.private).to_bytes());
        if shared.iter().fold(0, |all, byte| all | byte) == 0 {
            return Err(Error::Protocol("a public key of small order"));
        }
        Ok(shared)
    }

    /// Signs as XEdDSA says, with fresh randomness.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.sign_with(message, &random())
    }

    fn sign_with(&self, message: &[u8], random: &[u8; 64]) -> [u8; 64] {
        let key = Scalar::from_bytes_mod_order(*self.private);
        let point = (ED25519_BASEPOINT_TABLE * &key).compress().to_bytes();
        // Of a key and its negative, the one whose point has an even x signs: verifiers know the u coordinate only.
        let mut key = if point[31] >> 7 == 1 { -key } else { key };
        let mut public = point;
        public[31] &= 0x7f;
        let mut prefix = [0xff; 32];
        prefix[0] = 0xfe;
        let mut nonce = wide(&[&prefix, key.as_bytes(), message, random]);
        let commitment = (ED25519_BASEPOINT_TABLE * &nonce).compress().to_bytes();
        let challenge = wide(&[&commitment, &public, message]);
        let answer = nonce + challenge * key;
        key.zeroize();
        nonce.zeroize();
        let mut signature = [0; 64];
        signature[..32].copy_from_slice(&commitment);
        signature[32..].copy_from_slice(answer.as_bytes());
        signature
    }
}

impl std::fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeyPair(..)")
    }
}

/// Whether the owner of the key signed the message. Signatures whose last byte carries the sign of the signer's point, as
/// older implementations write them, are read as well.
pub fn verify(public: &Public, message: &[u8], signature: &[u8]) -> bool {
    let Ok(signature) = <&[u8; 64]>::try_from(signature) else { return false };
    let (commitment, answer) = signature.split_at(32);
    let (Ok(commitment), Ok(mut answer)) = (<[u8; 32]>::try_from(commitment), <[u8; 32]>::try_from(answer))
    else {
        return false;
    };
    let sign = answer[31] >> 7;
    answer[31] &= 0x7f;
    let Some(answer) = Option::<Scalar>::from(Scalar::from_canonical_bytes(answer)) else { return false };
    let Some(point) = MontgomeryPoint(*public).to_edwards(sign) else { return false };
    if point.is_small_order() {
        return false;
    }
    let challenge = wide(&[&commitment, point.compress().as_bytes(), message]);
    let expected = EdwardsPoint::vartime_double_scalar_mul_basepoint(&challenge, &-point, &answer);
    expected.compress() == CompressedEdwardsY(commitment)
}

fn wide(parts: &[&[u8]]) -> Scalar {
    let mut digest = sha512(parts);
    let scalar = Scalar::from_bytes_mod_order_wide(&digest);
    digest.zeroize();
    scalar
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes<const N: usize>(hex: &str) -> [u8; N] {
        let bytes: Vec<u8> =
            (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect();
        bytes.try_into().unwrap()
    }

    #[test]
    fn agreement_is_as_rfc_7748_says() {
        let alice =
            KeyPair::from_private(&bytes("77076d0a7318a57d3c16c17251b26645c6c1b0f6f3a0e2f5a5f6b1e4d7a5f3e2"));
        let own =
            KeyPair::from_private(&bytes("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb"));
        assert_eq!(own.public(), &bytes("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"),);
        let theirs = bytes("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
        let shared = own.agree(&theirs).unwrap();
        assert_eq!(*shared, bytes("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"),);
        assert_eq!(*own.agree(alice.public()).unwrap(), *alice.agree(own.public()).unwrap());
        assert!(own.agree(&[0; 32]).is_err());
    }

    // From libsignal's own test of its signatures: an identity key over another, with the sign in the last byte.
    #[test]
    fn a_signature_of_libsignal_is_read() {
        let public = bytes("ab7e717d4a163b7d9a1d8071dfe9dcf8cdcd1cea3339b6356be84d887e322c64");
        let message: [u8; 33] = bytes("05edce9d9c415ca78cb7252e72c2c4a554d3eb29485a0e1d503118d1a82d99fb4a");
        let mut signature: [u8; 64] = bytes(concat!(
            "5de88ca9a89b4a115da79109c67c9c7464a3e4180274f1cb8c63c2984e286dfb",
            "ede82deb9dcd9fae0bfbb821569b3d9001bd8130cd11d486cef047bd60b86e88"
        ));
        assert!(verify(&public, &message, &signature));
        for at in 0..64 {
            signature[at] ^= 1;
            assert!(!verify(&public, &message, &signature), "{at}");
            signature[at] ^= 1;
        }
    }

    #[test]
    fn what_is_signed_verifies_and_nothing_else_does() {
        for round in 0..32 {
            let keys = KeyPair::generate();
            let message = vec![round; usize::from(round)];
            let signature = keys.sign(&message);
            assert_eq!(signature[63] >> 7, 0);
            assert!(verify(keys.public(), &message, &signature));
            assert!(!verify(KeyPair::generate().public(), &message, &signature));
            assert!(!verify(keys.public(), b"another", &signature));
            assert!(!verify(keys.public(), &message, &signature[..63]));
        }
        assert!(!verify(&[0; 32], b"", &[0; 64]));
        assert!(!format!("{:?}", KeyPair::generate()).contains(char::is_numeric));
    }
}
