//! A double of a name server: answers A and AAAA over UDP with what the test says, changes its mind
//! in the middle of a test, and counts who asked. The server under test is pointed at it through
//! VESTIBULE_DNS_SERVER. It is a double because no real name server changes its answer per query,
//! which is what an attack by DNS rebinding does.

use super::Background;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

/// What a name answers.
#[derive(Clone, Debug)]
pub enum Answer {
    /// These addresses; each query gets those of the family it asked for.
    Addresses(Vec<IpAddr>),
    /// No such name.
    Missing,
    /// The server says that it failed.
    Fails,
    /// Nothing comes back at all.
    Silent,
}

impl Answer {
    /// One address.
    pub fn one(address: impl Into<IpAddr>) -> Self {
        Self::Addresses(vec![address.into()])
    }
}

/// A query's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
    /// Anything else; such queries get an empty answer.
    Other,
}

#[derive(Default)]
struct Book {
    scripts: HashMap<String, Vec<Answer>>,
    /// How often each question came since its script was set, and in all.
    turns: HashMap<(String, Kind), usize>,
    counts: HashMap<(String, Kind), usize>,
}

/// A running name server.
pub struct Dns {
    address: SocketAddr,
    book: Arc<Mutex<Book>>,
    _thread: Background,
}

impl Dns {
    /// Starts a server that knows no name yet.
    pub fn start() -> Self {
        let socket = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        socket.set_nonblocking(true).expect("a socket for the runtime");
        let address = socket.local_addr().expect("its address");
        let book = Arc::new(Mutex::new(Book::default()));
        let shared = book.clone();
        let thread = Background::run(async move {
            let socket = tokio::net::UdpSocket::from_std(socket).expect("a socket");
            let mut packet = [0_u8; 1500];
            while let Ok((length, from)) = socket.recv_from(&mut packet).await {
                let reply = reply(&packet[..length], &mut shared.lock().expect("the names"));
                if let Some(reply) = reply {
                    // A client that went away needs no answer.
                    drop(socket.send_to(&reply, from).await);
                }
            }
        });
        Self { address, book, _thread: thread }
    }

    /// For VESTIBULE_DNS_SERVER.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on `name` gives this answer.
    pub fn answer(&self, name: &str, answer: Answer) {
        self.script(name, vec![answer]);
    }

    /// From now on `name` gives these answers in turn, and the last one for good. A and AAAA queries
    /// are counted apart, because clients send both and in no certain order.
    pub fn script(&self, name: &str, answers: Vec<Answer>) {
        assert!(!answers.is_empty(), "a script needs an answer");
        let mut book = self.book.lock().expect("the names");
        let name = name.to_ascii_lowercase();
        book.turns.retain(|(asked, _), _| *asked != name);
        book.scripts.insert(name, answers);
    }

    /// How often `name` was asked for with this type.
    pub fn queries(&self, name: &str, kind: Kind) -> usize {
        let book = self.book.lock().expect("the names");
        book.counts.get(&(name.to_ascii_lowercase(), kind)).copied().unwrap_or(0)
    }
}

/// Builds the reply to a packet (RFC 1035, section 4), or nothing when silence is the answer.
fn reply(query: &[u8], book: &mut Book) -> Option<Vec<u8>> {
    let (name, end) = question(query)?;
    let kind = match query.get(end..end + 2)? {
        [0, 1] => Kind::A,
        [0, 28] => Kind::Aaaa,
        _ => Kind::Other,
    };
    *book.counts.entry((name.clone(), kind)).or_default() += 1;
    let turn = book.turns.entry((name.clone(), kind)).or_default();
    let script = book.scripts.get(&name);
    let answer = script.and_then(|script| script.get(*turn).or(script.last())).cloned();
    *turn += 1;
    let (code, addresses) = match answer.unwrap_or(Answer::Missing) {
        Answer::Addresses(addresses) => (0, addresses),
        Answer::Missing => (3, Vec::new()),
        Answer::Fails => (2, Vec::new()),
        Answer::Silent => return None,
    };
    let records: Vec<Vec<u8>> = addresses
        .into_iter()
        .filter_map(|address| match (address, kind) {
            (IpAddr::V4(address), Kind::A) => Some(record(1, &address.octets())),
            (IpAddr::V6(address), Kind::Aaaa) => Some(record(28, &address.octets())),
            (_, Kind::A | Kind::Aaaa | Kind::Other) => None,
        })
        .collect();
    let mut reply = query.get(..2)?.to_vec();
    // A response, with authority; recursion is wanted if it was and there as far as anyone can tell.
    reply.extend([0x84 | (query[2] & 1), 0x80 | code, 0, 1]);
    reply.extend(u16::try_from(records.len()).ok()?.to_be_bytes());
    reply.extend([0; 4]);
    reply.extend(query.get(12..end + 4)?);
    reply.extend(records.concat());
    Some(reply)
}

/// The name in the question, in lower case, and where its type begins.
fn question(query: &[u8]) -> Option<(String, usize)> {
    let mut labels = Vec::new();
    let mut at = 12;
    loop {
        let length = usize::from(*query.get(at)?);
        if length == 0 {
            return Some((labels.join("."), at + 1));
        }
        let label = query.get(at + 1..at + 1 + length)?;
        labels.push(String::from_utf8_lossy(label).to_ascii_lowercase());
        at += 1 + length;
    }
}

/// A record for the name in the question, not to be kept by anyone (its time to live is zero).
fn record(kind: u8, data: &[u8]) -> Vec<u8> {
    let length = u8::try_from(data.len()).expect("an address");
    [&[0xc0, 12, 0, kind, 0, 1, 0, 0, 0, 0, 0, length], data].concat()
}
