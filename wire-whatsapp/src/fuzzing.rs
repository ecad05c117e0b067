//! What the fuzz targets call: the parsers of what a stranger may send, and what must hold of them.

use crate::certificate::check;
use crate::curve::KeyPair;
use crate::frame::{Frames, frame};
use crate::{WHATSAPP_ROOT, node};

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

/// A chain: nobody's is believed, for whatever key.
pub fn certificates(data: &[u8]) {
    let shown = data.first_chunk::<32>().copied().unwrap_or_default();
    assert!(check(data, &WHATSAPP_ROOT, &shown).is_err());
    assert!(check(data, KeyPair::from_private(&[9; 32]).public(), &shown).is_err());
}
