//! What a node may be, checked before it is read: how deep, how many, how long. The reader makes room for as many children
//! and attributes as a frame announces, nested ones too; so what a frame announces must first be seen to be there.

use wacore_binary::token;

/// Levels of children. The service's own nodes have fewer than ten.
const DEPTH: usize = 24;
/// Nodes in all.
const NODES: usize = 20_000;
/// Attributes of one node.
const ATTRIBUTES: usize = 128;

/// Whether the bytes are one node within all bounds, with nothing after it. What a node says is not looked at.
pub fn hold(data: &[u8]) -> bool {
    let mut walk = Walk { rest: data, nodes: 0 };
    walk.node(0).is_some() && walk.rest.is_empty()
}

struct Walk<'a> {
    rest: &'a [u8],
    nodes: usize,
}

impl Walk<'_> {
    fn number(&mut self, bytes: usize) -> Option<usize> {
        let (head, rest) = self.rest.split_at_checked(bytes)?;
        self.rest = rest;
        Some(head.iter().fold(0, |number, byte| number << 8 | usize::from(*byte)))
    }

    fn skip(&mut self, bytes: usize) -> Option<()> {
        self.rest = self.rest.get(bytes..)?;
        Some(())
    }

    fn list(&mut self, tag: usize) -> Option<usize> {
        match u8::try_from(tag).ok()? {
            token::LIST_EMPTY => Some(0),
            token::LIST_8 => self.number(1),
            token::LIST_16 => self.number(2),
            _ => None,
        }
    }

    fn node(&mut self, depth: usize) -> Option<()> {
        self.nodes += 1;
        if depth >= DEPTH || self.nodes > NODES {
            return None;
        }
        let tag = self.number(1)?;
        let size = self.list(tag)?;
        if size == 0 || size > 2 * ATTRIBUTES {
            return None;
        }
        self.string(0)?;
        for _ in 0..(size - 1) / 2 * 2 {
            self.string(0)?;
        }
        if size % 2 == 1 {
            return Some(());
        }
        let tag = self.number(1)?;
        match u8::try_from(tag).ok()? {
            token::LIST_8 | token::LIST_16 => {
                let children = self.list(tag)?;
                // A child takes two bytes at the least: what is announced must be able to be there.
                if children > NODES || children > self.rest.len() / 2 {
                    return None;
                }
                (0..children).try_for_each(|_| self.node(depth + 1))
            }
            tag => self.rest_of_string(tag, 0),
        }
    }

    fn string(&mut self, nested: usize) -> Option<()> {
        let tag = self.number(1)?;
        self.rest_of_string(u8::try_from(tag).ok()?, nested)
    }

    /// A text or bytes, after its tag. Addresses have texts in them, and those have none again.
    fn rest_of_string(&mut self, tag: u8, nested: usize) -> Option<()> {
        let address = matches!(tag, token::JID_PAIR | token::AD_JID | token::FB_JID | token::INTEROP_JID);
        if address && nested > 0 {
            return None;
        }
        match tag {
            token::BINARY_8 => self.number(1).and_then(|length| self.skip(length)),
            token::BINARY_20 => self.number(3).and_then(|length| self.skip(length & 0xf_ffff)),
            token::BINARY_32 => self.number(4).and_then(|length| self.skip(length)),
            token::NIBBLE_8 | token::HEX_8 => self.number(1).and_then(|length| self.skip(length & 0x7f)),
            token::DICTIONARY_0..=token::DICTIONARY_3 => self.skip(1),
            token::JID_PAIR => {
                self.string(1)?;
                self.string(1)
            }
            token::AD_JID => {
                self.skip(2)?;
                self.string(1)
            }
            token::FB_JID => {
                self.string(1)?;
                self.skip(2)?;
                self.string(1)
            }
            token::INTEROP_JID => {
                self.string(1)?;
                self.skip(4)?;
                self.string(1)
            }
            // A list is no text.
            token::LIST_8 | token::LIST_16 => None,
            // A word of the dictionary, or the empty text.
            _ => Some(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wacore_binary::Node;
    use wacore_binary::builder::NodeBuilder;

    fn bytes(node: &Node) -> Vec<u8> {
        wacore_binary::marshal(node).unwrap()[1..].to_vec()
    }

    fn nested(levels: usize) -> Node {
        (1..levels)
            .fold(NodeBuilder::new("iq").build(), |inner, _| NodeBuilder::new("iq").children([inner]).build())
    }

    #[test]
    fn what_the_service_sends_is_within_bounds() {
        for value in
            ["", "1", "12.3-4", "ABCDEF0", "49151@s.whatsapp.net", "49151:7@s.whatsapp.net", "1:2@lid", "ü"]
        {
            let node = NodeBuilder::new("iq").attr("jid", value).attr("x", "result").children([
                NodeBuilder::new("ref").bytes(vec![1; 300]).build(),
                NodeBuilder::new("word").string_content("text of its own").build(),
            ]);
            let bytes = bytes(&node.build());
            assert!(hold(&bytes), "{value}");
            assert!(wacore_binary::marshal::unmarshal_ref(&bytes).is_ok());
            for cut in 0..bytes.len() {
                assert!(!hold(&bytes[..cut]), "{value} cut at {cut}");
            }
            assert!(!hold(&[bytes.as_slice(), &[0]].concat()));
        }
        let many = (0..900).map(|_| NodeBuilder::new("key").bytes(vec![0; 32]).build());
        assert!(hold(&bytes(&NodeBuilder::new("list").children(many).build())));
    }

    #[test]
    fn what_is_too_deep_or_too_many_is_beyond() {
        assert!(hold(&bytes(&nested(DEPTH))));
        assert!(!hold(&bytes(&nested(DEPTH + 1))));
        // Announced: 65,535 children, and one level below it again, and so on; there: a few bytes.
        let greedy: Vec<u8> = (0..20).flat_map(|_| [248, 2, 5, 249, 0xff, 0xff]).collect();
        assert!(!hold(&greedy));
        assert!(!hold(&[249, 0xff, 0xff, 5]));
        assert!(!hold(&[248, 0]));
        // Addresses within addresses.
        let address = [[248, 3, 5, 5].as_slice(), &[250; 100_000]].concat();
        assert!(!hold(&address));
    }
}
