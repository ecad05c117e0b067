//! What the fuzz targets call: the parsers of what a stranger may send, and what must hold of them.

use crate::certificate::check;
use crate::curve::{KeyPair, Public};
use crate::frame::{Frames, frame};
use crate::proto::{Certificate, CertificateChain, CertificateDetails};
use crate::{WHATSAPP_ROOT, node};
use prost::Message;

/// Frames in pieces whose lengths the first byte says: none is longer than allowed, and all that comes out went in.
pub fn frames(data: &[u8]) {
    const LIMIT: usize = 1000;
    let Some((size, data)) = data.split_first() else { return };
    let (mut frames, mut found) = (Frames::new(LIMIT), Vec::new());
    for piece in data.chunks(usize::from(*size) + 1) {
        if frames.push(piece).is_err() {
            break;
        }
        loop {
            match frames.next() {
                Ok(Some(one)) => {
                    assert!((1..=LIMIT).contains(&one.len()));
                    found.extend(frame(&[], &one).unwrap_or_default());
                }
                Ok(None) => break,
                Err(_) => {
                    assert!(data.starts_with(&found));
                    return;
                }
            }
        }
    }
    assert!(data.starts_with(&found));
}

/// A node: what was read and written once reads and writes the same from then on. Not before: an empty list of children
/// is written as no children, and a text that is a word of the dictionary as that word.
pub fn nodes(data: &[u8]) {
    let Ok(found) = node::read(data, 1 << 20) else { return };
    let Ok(written) = node::write(&found) else { return };
    let Ok(settled) = node::read(&written, 4 << 20).and_then(|node| node::write(&node)) else { return };
    if let Ok(again) = node::read(&settled, 4 << 20) {
        assert_eq!(node::write(&again).ok(), Some(settled));
    }
}

/// A chain. As it came, it is nobody's and never believed, for whatever key. Signed by us, so that what lies behind the
/// signatures is read too, it is believed under our root alone, for the key in its leaf alone, and only where the key in
/// its intermediate signed the leaf. The first byte says which of these is to be so, the second where the leaf begins.
pub fn certificates(data: &[u8]) {
    let (root, middle) = (KeyPair::from_private(&[9; 32]), KeyPair::from_private(&[8; 32]));
    let raw = data.first_chunk::<32>().copied().unwrap_or_default();
    assert!(check(data, &WHATSAPP_ROOT, &raw).is_err());
    assert!(check(data, root.public(), &raw).is_err());

    let Some(([wanted, cut], rest)) = data.split_first_chunk() else { return };
    let (upper, lower) = rest.split_at(usize::from(*cut).min(rest.len()));
    // A key that comes last is the one that counts.
    let with_key = |details: &[u8], key: &Public, wanted: bool| {
        let key = CertificateDetails { key: Some(key.to_vec()), ..Default::default() }.encode_to_vec();
        [details, if wanted { &key } else { &[] }].concat()
    };
    let shown = *root.public();
    let upper = with_key(upper, middle.public(), wanted & 1 != 0);
    let lower = with_key(lower, &shown, wanted & 2 != 0);
    let signs_leaf = if wanted & 4 == 0 { &middle } else { &root };
    let holds = |details: &[u8], key: &Public| {
        CertificateDetails::decode(details).is_ok_and(|found| found.key.as_deref() == Some(key))
    };
    let is_whole = holds(&upper, signs_leaf.public()) && holds(&lower, &shown);
    let sign = |by: &KeyPair, details: Vec<u8>| {
        Some(Certificate { signature: Some(by.sign(&details).to_vec()), details: Some(details) })
    };
    let chain = CertificateChain { leaf: sign(signs_leaf, lower), intermediate: sign(&root, upper) };
    let chain = chain.encode_to_vec();
    assert!(check(&chain, &WHATSAPP_ROOT, &shown).is_err());
    assert!(check(&chain, middle.public(), &shown).is_err());
    if let Ok(found) = check(&chain, root.public(), &shown) {
        assert!(is_whole && found.key == shown);
    }
}
