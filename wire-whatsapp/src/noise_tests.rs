//! The greeting against a responder written from the framework's rules.

use super::*;
use crate::certificate::tests::chain;

struct Responder {
    root: KeyPair,
    fixed: KeyPair,
}

impl Responder {
    fn new() -> Self {
        Self { root: KeyPair::generate(), fixed: KeyPair::generate() }
    }

    fn known(&self) -> ServerKey {
        ServerKey { key: *self.fixed.public(), not_after: 0 }
    }

    /// XX or its fallback: the answer, and what reads the finish.
    fn xx(&self, pattern: &[u8], hello: &[u8]) -> (Vec<u8>, State, KeyPair) {
        let hello = Handshake::decode(hello).unwrap().client_hello.unwrap();
        let theirs = public(hello.ephemeral).unwrap();
        let own = KeyPair::generate();
        let mut state = State::new(pattern, &PROLOGUE);
        state.mix_hash(&theirs);
        state.mix_hash(own.public());
        state.mix_key(&own, &theirs).unwrap();
        let fixed = state.seal(self.fixed.public()).unwrap();
        state.mix_key(&self.fixed, &theirs).unwrap();
        let payload = state.seal(&chain(&self.root, self.fixed.public(), |_| {})).unwrap();
        (message(&own, Some(fixed), payload), state, own)
    }

    fn finish(&self, mut state: State, own: &KeyPair, finish: &[u8]) -> (Public, Vec<u8>, State) {
        let finish = Handshake::decode(finish).unwrap().client_finish.unwrap();
        let device = public(Some(state.open(&finish.fixed.unwrap()).unwrap())).unwrap();
        state.mix_key(own, &device).unwrap();
        let payload = state.open(&finish.payload.unwrap()).unwrap();
        (device, payload, state)
    }
}

fn message(ephemeral: &KeyPair, fixed: Option<Vec<u8>>, payload: Vec<u8>) -> Vec<u8> {
    let hello = ServerHello { ephemeral: Some(ephemeral.public().to_vec()), fixed, payload: Some(payload) };
    Handshake { server_hello: Some(hello), ..Default::default() }.encode_to_vec()
}

/// Both ends understand each other.
fn talk(mut ours: Agreed, state: &State) {
    let (read, write) = state.split(&[]).unwrap();
    let (mut read, mut write) = (Cipher::new(&read), Cipher::new(&write));
    for round in 0..3_u8 {
        let sealed = ours.write.seal(&[round]).unwrap();
        assert_eq!(read.open(sealed).unwrap(), [round]);
        let sealed = write.seal(&[round, round]).unwrap();
        assert_eq!(ours.read.open(sealed).unwrap(), [round, round]);
    }
    assert!(ours.read.open(write.seal(b"x").unwrap()[1..].to_vec()).is_err());
}

#[test]
fn a_new_server_is_greeted_and_its_chain_checked() {
    let (server, device) = (Responder::new(), KeyPair::generate());
    let (greeting, hello) = Greeting::new(&device, b"payload".to_vec(), None).unwrap();
    let (answer, state, own) = server.xx(XX, &hello);
    let (agreed, finish) = greeting.answer(&answer, server.root.public()).unwrap();
    assert_eq!(agreed.server.key, *server.fixed.public());
    let (seen, payload, state) = server.finish(state, &own, &finish.unwrap());
    assert_eq!((&seen, payload.as_slice()), (device.public(), b"payload".as_slice()));
    talk(agreed, &state);
}

#[test]
fn a_server_under_another_root_is_refused() {
    let server = Responder::new();
    let (greeting, hello) = Greeting::new(&KeyPair::generate(), Vec::new(), None).unwrap();
    let (answer, ..) = server.xx(XX, &hello);
    let refused = greeting.answer(&answer, &crate::certificate::WHATSAPP_ROOT).err().unwrap();
    assert!(matches!(refused, Error::Untrusted(_)), "{refused}");
}

#[test]
fn a_known_server_is_greeted_in_one_round() {
    let (server, device) = (Responder::new(), KeyPair::generate());
    let (greeting, hello) = Greeting::new(&device, b"login".to_vec(), Some(server.known())).unwrap();
    let hello = Handshake::decode(hello.as_slice()).unwrap().client_hello.unwrap();
    let theirs = public(hello.ephemeral).unwrap();
    let mut state = State::new(IK, &PROLOGUE);
    state.mix_hash(server.fixed.public());
    state.mix_hash(&theirs);
    state.mix_key(&server.fixed, &theirs).unwrap();
    let seen = public(Some(state.open(&hello.fixed.unwrap()).unwrap())).unwrap();
    state.mix_key(&server.fixed, &seen).unwrap();
    assert_eq!(state.open(&hello.payload.unwrap()).unwrap(), b"login");
    let own = KeyPair::generate();
    state.mix_hash(own.public());
    state.mix_key(&own, &theirs).unwrap();
    state.mix_key(&own, &seen).unwrap();
    let answer = message(&own, None, state.seal(b"chain").unwrap());
    let (agreed, more) = greeting.answer(&answer, &[1; 32]).unwrap();
    assert!(more.is_none());
    assert_eq!(agreed.server, server.known());
    talk(agreed, &state);
}

#[test]
fn a_server_with_a_new_key_is_greeted_anew_and_checked() {
    let (server, device) = (Responder::new(), KeyPair::generate());
    let stale = ServerKey { key: *KeyPair::generate().public(), not_after: 0 };
    let (greeting, hello) = Greeting::new(&device, b"login".to_vec(), Some(stale)).unwrap();
    let (answer, state, own) = server.xx(XX_FALLBACK, &hello);
    let (agreed, finish) = greeting.answer(&answer, server.root.public()).unwrap();
    assert_eq!(agreed.server.key, *server.fixed.public());
    let (_, payload, state) = server.finish(state, &own, &finish.unwrap());
    assert_eq!(payload, b"login");
    talk(agreed, &state);
}

#[test]
fn an_impostor_without_the_known_key_is_refused() {
    let (server, impostor) = (Responder::new(), KeyPair::generate());
    let (greeting, _) = Greeting::new(&KeyPair::generate(), Vec::new(), Some(server.known())).unwrap();
    let answer = message(&impostor, None, vec![0; 40]);
    assert!(greeting.answer(&answer, server.root.public()).is_err());
    for garbage in [&b""[..], b"\x1a\x00", b"\xff\xff\xff", &[0x1a, 3, 0x0a, 1, 9]] {
        let (greeting, _) = Greeting::new(&KeyPair::generate(), Vec::new(), None).unwrap();
        assert!(greeting.answer(garbage, server.root.public()).is_err());
    }
}
