//! Bytes as standard base64 with padding, in JSON and in codes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serializer};
use zeroize::Zeroizing;

/// Writes the text.
pub fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// For serde's `with`.
pub fn serialize<S: Serializer, T: AsRef<[u8]>>(bytes: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&Zeroizing::new(encode(bytes.as_ref())))
}

/// For serde's `with`; bytes of a fixed length must be so many.
pub fn deserialize<'de, D: Deserializer<'de>, T: TryFrom<Vec<u8>>>(deserializer: D) -> Result<T, D::Error> {
    let text = Zeroizing::new(String::deserialize(deserializer)?);
    let bytes = STANDARD.decode(text.as_bytes()).map_err(|_| D::Error::custom("not base64"))?;
    T::try_from(bytes).map_err(|_| D::Error::custom("bytes of another length"))
}

/// A key of 32 bytes, with no copy of it left behind.
pub fn key<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 32], D::Error> {
    let text = Zeroizing::new(String::deserialize(deserializer)?);
    // As many as the decoder wants to have room for.
    let mut bytes = Zeroizing::new([0; 36]);
    match STANDARD.decode_slice(text.as_bytes(), &mut *bytes) {
        Ok(32) => bytes.first_chunk().copied().ok_or_else(|| D::Error::custom("bytes of another length")),
        Ok(_) => Err(D::Error::custom("bytes of another length")),
        Err(_) => Err(D::Error::custom("no key in base64")),
    }
}

/// The same where there may be none.
pub mod maybe {
    use super::{Deserialize, Deserializer, Serializer};

    #[derive(Deserialize)]
    #[serde(transparent)]
    struct Bytes(#[serde(with = "super")] Vec<u8>);

    /// For serde's `with`.
    pub fn serialize<S: Serializer>(bytes: &Option<Vec<u8>>, serializer: S) -> Result<S::Ok, S::Error> {
        match bytes {
            Some(bytes) => super::serialize(bytes, serializer),
            None => serializer.serialize_none(),
        }
    }

    /// For serde's `with`.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<u8>>, D::Error> {
        Ok(Option::<Bytes>::deserialize(deserializer)?.map(|bytes| bytes.0))
    }
}
