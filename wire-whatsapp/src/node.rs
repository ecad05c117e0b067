//! Binary nodes, the protocol's stanzas: a tag, attributes, and children, text or bytes. Reading and writing is
//! `wacore-binary`'s; here is what a stranger may send at all ([`bounds`]), and what our stanzas are built and read with.

pub mod bounds;

use crate::error::Error;
pub use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, NodeContent, NodeValue, Server};

/// Reads a node as it stands in an opened frame: a byte that says whether it is compressed, then the node. At most `limit`
/// bytes after decompression.
///
/// # Errors
/// [`Error::Protocol`], whatever is wrong.
pub fn read(frame: &[u8], limit: usize) -> Result<Node, Error> {
    const WRONG: Error = Error::Protocol("a node that cannot be read");
    let (kind, rest) = frame.split_first().ok_or(WRONG)?;
    let inflated;
    let data = if kind & 2 == 0 {
        rest
    } else {
        inflated = wacore_binary::zlib_pool::decompress_zlib_pooled(rest, limit as u64).map_err(|_| WRONG)?;
        &inflated
    };
    if data.len() > limit || !bounds::hold(data) {
        return Err(Error::Protocol("a node beyond all bounds"));
    }
    wacore_binary::marshal::unmarshal_ref(data).map(|node| node.to_owned()).map_err(|_| WRONG)
}

/// Writes a node, uncompressed.
pub fn write(node: &Node) -> Result<Vec<u8>, Error> {
    wacore_binary::marshal(node).map_err(|_| Error::Protocol("a node that cannot be written"))
}

/// The address of the service itself.
pub fn server() -> NodeValue {
    NodeValue::Jid(Jid::new("", Server::Pn))
}

/// A request, under an id of its own.
pub fn request(id: &str, kind: &str, namespace: &str, children: Vec<Node>) -> Node {
    NodeBuilder::new("iq")
        .attr("to", server())
        .attr("type", kind)
        .attr("id", id)
        .attr("xmlns", namespace)
        .children(children)
        .build()
}

/// That a request of the server's was done.
pub fn done(request: &Node, children: Vec<Node>) -> Node {
    let reply =
        NodeBuilder::new("iq").attr("to", server()).attr("type", "result").attr("id", text(request, "id"));
    if children.is_empty() { reply.build() } else { reply.children(children).build() }
}

/// That a notice arrived; the server repeats it until then.
pub fn received(notice: &Node) -> Node {
    let mut reply = NodeBuilder::new("ack").attr("class", "notification").attr("id", text(notice, "id"));
    if let Some(from) = notice.attrs.get("from") {
        reply = reply.attr("to", from.clone());
    }
    if notice.attrs.contains_key("type") {
        reply = reply.attr("type", text(notice, "type"));
    }
    reply.build()
}

/// A child that has bytes and nothing else.
pub fn leaf(tag: &'static str, bytes: impl Into<Vec<u8>>) -> Node {
    NodeBuilder::new(tag).bytes(bytes).build()
}

/// A child that has nothing.
pub fn empty(tag: &'static str) -> Node {
    NodeBuilder::new(tag).build()
}

/// An attribute, or the empty text.
pub fn text(node: &Node, name: &str) -> String {
    node.attrs.get(name).map(|value| value.as_str().into_owned()).unwrap_or_default()
}

/// An attribute that is a number.
pub fn number<T: std::str::FromStr>(node: &Node, name: &str) -> Option<T> {
    text(node, name).parse().ok()
}

/// Whether it comes from the service itself: that is who may rule over a linking.
pub fn from_server(node: &Node) -> bool {
    let from = text(node, "from");
    from.trim_start_matches('@') == "s.whatsapp.net"
}

/// The child with the tag.
pub fn child<'a>(node: &'a Node, tag: &str) -> Option<&'a Node> {
    node.get_optional_child(tag)
}

/// What a node holds, text or bytes.
pub fn content(node: &Node) -> Option<Vec<u8>> {
    match node.content.as_ref()? {
        NodeContent::Bytes(bytes) => Some(bytes.clone()),
        NodeContent::String(text) => Some(text.as_bytes().to_vec()),
        NodeContent::Nodes(_) => None,
    }
}

/// What the child with the tag holds.
pub fn part(node: &Node, tag: &str) -> Option<Vec<u8>> {
    content(child(node, tag)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_read_as_it_was_written() {
        let node = request("17.3-1", "set", "md", vec![leaf("ref", *b"abc"), empty("ping")]);
        let bytes = write(&node).unwrap();
        let read = read(&bytes, 1000).unwrap();
        assert_eq!(read, node);
        assert_eq!((text(&read, "id").as_str(), text(&read, "none").as_str()), ("17.3-1", ""));
        assert_eq!(part(&read, "ref").unwrap(), b"abc");
        assert_eq!(read.children().unwrap()[1].tag, "ping");
    }

    // `<iq type="result" id="1"/>`: list of five, then tokens, and "1" packed as nibbles.
    #[test]
    fn a_node_written_by_hand_is_read() {
        let token = |word| match wacore_binary::token::index_of_token(word).unwrap() {
            wacore_binary::token::TokenKind::Single(byte) => byte,
            wacore_binary::token::TokenKind::Double(..) => panic!("a rare word"),
        };
        let bytes = [0, 248, 5, token("iq"), token("type"), token("result"), token("id"), 255, 0x81, 0x1f];
        let node = read(&bytes, 100).unwrap();
        assert_eq!(
            (&*node.tag, text(&node, "type").as_str(), text(&node, "id").as_str()),
            ("iq", "result", "1")
        );
        assert!(node.content.is_none());
    }

    // Found by fuzzing: such a list is written as no children at all, so both must mean the same to whoever reads.
    #[test]
    fn an_empty_list_of_children_is_no_children() {
        let (listed, none) =
            (read(&[0, 248, 2, 5, 248, 0], 100).unwrap(), read(&[0, 248, 2, 5, 0], 100).unwrap());
        for node in [&listed, &none] {
            assert!(child(node, "ref").is_none() && content(node).is_none() && part(node, "ref").is_none());
        }
        assert_eq!(read(&write(&listed).unwrap(), 100).unwrap(), none);
    }

    #[test]
    fn who_rules_is_told_from_who_writes() {
        let from =
            |value: NodeValue| from_server(&NodeBuilder::new("notification").attr("from", value).build());
        assert!(from(server()) && from("s.whatsapp.net".into()) && from("@s.whatsapp.net".into()));
        assert!(!from("49151@s.whatsapp.net".into()) && !from_server(&empty("notification")));
    }
}
