//! The greeting, by the Noise framework: XX with a server that is new, IK with one whose key is known, and the way from the
//! second to the first when the server has changed its key. No input or output: bytes in, bytes out.

use crate::certificate::{self, ServerKey};
use crate::crypto::{Key, Sealing, derive, sha256};
use crate::curve::{KeyPair, Public};
use crate::error::Error;
use crate::proto::{ClientFinish, ClientHello, Handshake, ServerHello};
use prost::Message;
use zeroize::Zeroizing;

const XX: &[u8] = b"Noise_XX_25519_AESGCM_SHA256\0\0\0\0";
const IK: &[u8] = b"Noise_IK_25519_AESGCM_SHA256\0\0\0\0";
const XX_FALLBACK: &[u8] = b"Noise_XXfallback_25519_AESGCM_SHA256";

/// What every connection begins with: the protocol, its version, the dictionary's version.
pub const PROLOGUE: [u8; 4] = *b"WA\x06\x03";

/// One direction of a connection. Messages must be opened in the order they were sealed in.
pub struct Cipher {
    sealing: Sealing,
    counter: u32,
}

impl Cipher {
    fn new(key: &[u8; 32]) -> Self {
        Self { sealing: Sealing::new(key), counter: 0 }
    }

    fn nonce(&mut self) -> Result<[u8; 12], Error> {
        let mut nonce = [0; 12];
        nonce[8..].copy_from_slice(&self.counter.to_be_bytes());
        self.counter =
            self.counter.checked_add(1).ok_or(Error::Protocol("too many messages on one connection"))?;
        Ok(nonce)
    }

    /// Seals the next message.
    pub fn seal(&mut self, text: &[u8]) -> Result<Vec<u8>, Error> {
        let nonce = self.nonce()?;
        self.sealing.seal(nonce, &[], text)
    }

    /// Opens the next message.
    pub fn open(&mut self, sealed: Vec<u8>) -> Result<Vec<u8>, Error> {
        let nonce = self.nonce()?;
        self.sealing.open(nonce, &[], sealed)
    }
}

/// The framework's symmetric state.
struct State {
    hash: [u8; 32],
    salt: Key,
    cipher: Sealing,
    counter: u32,
}

impl State {
    fn new(pattern: &[u8], prologue: &[u8]) -> Self {
        let hash = <[u8; 32]>::try_from(pattern).unwrap_or_else(|_| sha256(&[pattern]));
        let mut state = Self { hash, salt: Zeroizing::new(hash), cipher: Sealing::new(&hash), counter: 0 };
        state.mix_hash(prologue);
        state
    }

    fn mix_hash(&mut self, data: &[u8]) {
        self.hash = sha256(&[&self.hash, data]);
    }

    fn split(&self, secret: &[u8]) -> Result<(Key, Key), Error> {
        let both = derive::<64>(&*self.salt, secret, &[])?;
        let (mut first, mut second) = (Zeroizing::new([0; 32]), Zeroizing::new([0; 32]));
        first.copy_from_slice(&both[..32]);
        second.copy_from_slice(&both[32..]);
        Ok((first, second))
    }

    fn mix_key(&mut self, own: &KeyPair, other: &Public) -> Result<(), Error> {
        let shared = own.agree(other)?;
        let (salt, key) = self.split(&*shared)?;
        (self.salt, self.cipher, self.counter) = (salt, Sealing::new(&key), 0);
        Ok(())
    }

    fn nonce(&mut self) -> [u8; 12] {
        let mut nonce = [0; 12];
        nonce[8..].copy_from_slice(&self.counter.to_be_bytes());
        self.counter += 1;
        nonce
    }

    fn seal(&mut self, text: &[u8]) -> Result<Vec<u8>, Error> {
        let nonce = self.nonce();
        let sealed = self.cipher.seal(nonce, &self.hash, text)?;
        self.mix_hash(&sealed);
        Ok(sealed)
    }

    fn open(&mut self, sealed: &[u8]) -> Result<Vec<u8>, Error> {
        let nonce = self.nonce();
        let text = self.cipher.open(nonce, &self.hash, sealed.to_vec())?;
        self.mix_hash(sealed);
        Ok(text)
    }
}

/// A connection that was agreed on.
pub struct Agreed {
    /// For what is sent.
    pub write: Cipher,
    /// For what is received.
    pub read: Cipher,
    /// Whom it was agreed with.
    pub server: ServerKey,
}

/// A greeting under way: made with [`Greeting::new`], whose message goes out; then [`Greeting::answer`].
pub struct Greeting {
    state: State,
    own: KeyPair,
    ephemeral: KeyPair,
    payload: Vec<u8>,
    known: Option<ServerKey>,
}

impl Greeting {
    /// Begins, with the device's key and what it says of itself; the bytes are the first message.
    ///
    /// # Errors
    /// The known server's key is one that nothing can be agreed with.
    pub fn new(own: &KeyPair, payload: Vec<u8>, known: Option<ServerKey>) -> Result<(Self, Vec<u8>), Error> {
        Self::with(own, payload, known, KeyPair::generate())
    }

    fn with(
        own: &KeyPair,
        payload: Vec<u8>,
        known: Option<ServerKey>,
        ephemeral: KeyPair,
    ) -> Result<(Self, Vec<u8>), Error> {
        let mut state = State::new(if known.is_some() { IK } else { XX }, &PROLOGUE);
        let mut hello = ClientHello { ephemeral: Some(ephemeral.public().to_vec()), ..Default::default() };
        if let Some(server) = &known {
            state.mix_hash(&server.key);
            state.mix_hash(ephemeral.public());
            state.mix_key(&ephemeral, &server.key)?;
            hello.fixed = Some(state.seal(own.public())?);
            state.mix_key(own, &server.key)?;
            hello.payload = Some(state.seal(&payload)?);
        } else {
            state.mix_hash(ephemeral.public());
        }
        let message = Handshake { client_hello: Some(hello), ..Default::default() }.encode_to_vec();
        Ok((Self { state, own: own.clone(), ephemeral, payload, known }, message))
    }

    /// Reads the server's answer. Bytes that come back are to be sent before anything else.
    ///
    /// # Errors
    /// [`Error::Untrusted`] for a server that the root key does not vouch for, [`Error::Protocol`] for one that has not the
    /// key it claims, or makes no sense.
    pub fn answer(mut self, message: &[u8], root: &Public) -> Result<(Agreed, Option<Vec<u8>>), Error> {
        let hello = Handshake::decode(message)
            .ok()
            .and_then(|handshake| handshake.server_hello)
            .ok_or(Error::Protocol("no greeting"))?;
        match self.known.take() {
            Some(server) if hello.fixed.is_none() => {
                let (ephemeral, payload) = (public(hello.ephemeral)?, whole(hello.payload)?);
                self.state.mix_hash(&ephemeral);
                self.state.mix_key(&self.ephemeral, &ephemeral)?;
                self.state.mix_key(&self.own, &ephemeral)?;
                // Only who has the known key can seal this; what it says, a chain of certificates, was checked before.
                self.state.open(&payload)?;
                Ok((self.agreed(server)?, None))
            }
            Some(_) => {
                self.state = State::new(XX_FALLBACK, &PROLOGUE);
                self.state.mix_hash(self.ephemeral.public());
                self.finish(hello, root)
            }
            None => self.finish(hello, root),
        }
    }

    fn finish(mut self, hello: ServerHello, root: &Public) -> Result<(Agreed, Option<Vec<u8>>), Error> {
        let ephemeral = public(hello.ephemeral)?;
        let (fixed, payload) = (whole(hello.fixed)?, whole(hello.payload)?);
        self.state.mix_hash(&ephemeral);
        self.state.mix_key(&self.ephemeral, &ephemeral)?;
        let shown = public(Some(self.state.open(&fixed)?))?;
        self.state.mix_key(&self.ephemeral, &shown)?;
        let chain = self.state.open(&payload)?;
        let server = certificate::check(&chain, root, &shown)?;
        let fixed = self.state.seal(self.own.public())?;
        self.state.mix_key(&self.own, &ephemeral)?;
        let payload = self.state.seal(&self.payload)?;
        let finish = ClientFinish { fixed: Some(fixed), payload: Some(payload) };
        let message = Handshake { client_finish: Some(finish), ..Default::default() }.encode_to_vec();
        Ok((self.agreed(server)?, Some(message)))
    }

    fn agreed(&self, server: ServerKey) -> Result<Agreed, Error> {
        let (write, read) = self.state.split(&[])?;
        Ok(Agreed { write: Cipher::new(&write), read: Cipher::new(&read), server })
    }
}

fn public(bytes: Option<Vec<u8>>) -> Result<Public, Error> {
    whole(bytes)?.try_into().map_err(|_| Error::Protocol("a greeting with a key of another length"))
}

fn whole(bytes: Option<Vec<u8>>) -> Result<Vec<u8>, Error> {
    bytes.ok_or(Error::Protocol("a greeting with a part missing"))
}

#[cfg(test)]
#[path = "noise_tests.rs"]
mod tests;
