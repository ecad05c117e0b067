//! One connection to a data centre: MTProto's messages over TCP, one request at a time. Always: while nothing is said it holds
//! no buffers, as thousands of people wait at once; and what the library cannot make sense of ends this connection alone.

use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};

use grammers_crypto::DequeBuffer;
use grammers_mtproto::mtp::{self, Deserialization, Encrypted, Mtp, Plain};
use grammers_mtproto::transport::{Error as Unpacked, Full, Transport};
use grammers_mtproto::{MsgId, authentication as agreement};
use grammers_tl_types::{Deserializable, RemoteCall, enums};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use super::centres::AuthKey;
use super::refusal::Refusal;

/// The longest packet that is taken, in bytes; Telegram's own are no longer than a megabyte.
const LONGEST: i32 = (1 << 20) + (8 << 10);

/// How much room there is for what comes in, in bytes; more where a packet is longer.
const ROOM: usize = 2 << 10;

/// How much room there is before a request for what is put in front of it, in bytes.
const FRONT: usize = mtp::MAX_TRANSPORT_HEADER_LEN
    + mtp::ENCRYPTED_PACKET_HEADER_LEN
    + mtp::PLAIN_PACKET_HEADER_LEN
    + mtp::MESSAGE_CONTAINER_HEADER_LEN;

/// How often one request is said once more because the data centre wanted it said otherwise: with its salt, or its time.
const REPEATS: u32 = 4;

/// What a message is refused with that comes from too far ahead, on Telegram's clock. What comes from too far behind is sent
/// again with the right time by itself; the library's messages never go back, so that this takes another connection.
const TOO_HIGH: i32 = 17;

/// The clock of this machine is ahead of what was thought of it. Nothing came of what was asked.
pub const CLOCK_AHEAD: Refusal = Refusal::Silent("clock_wrong");

/// A connection.
pub struct Wire<M = Encrypted> {
    stream: TcpStream,
    transport: Full,
    protocol: M,
    incoming: Vec<u8>,
    /// Whether a code was scanned since this was last asked.
    scanned: bool,
}

/// How what was sent is called in what comes back.
struct Sent {
    request: MsgId,
    /// What it travelled in; the same where that was nothing else.
    container: MsgId,
}

impl Wire {
    /// Goes on with a key that the data centre knows, whose clock is ahead of ours by so many seconds.
    pub fn known(stream: TcpStream, key: AuthKey, ahead: i32) -> Self {
        Self::over(stream, Encrypted::build().time_offset(ahead).finish(key))
    }

    /// Agrees on a key (https://core.telegram.org/mtproto/auth_key).
    ///
    /// # Errors
    /// When they do not agree.
    pub async fn agree(stream: TcpStream) -> Result<Self, Refusal> {
        let mut plain = Wire::over(stream, Plain::new());
        let (request, kept) = agreement::step1()?;
        let said = plain.call(&request).await?;
        let enums::ResPq::Pq(asked) = &said;
        if !is_factored_soon(&asked.pq) {
            return Err(Refusal::Silent("protocol_error"));
        }
        // Large numbers are factored and raised to large powers, which takes longer than others can wait for.
        let (request, kept) = aside(move || agreement::step2(kept, said)).await?;
        let said = plain.call(&request).await?;
        let (request, kept) = aside(move || agreement::step3(kept, said)).await?;
        let said = plain.call(&request).await?;
        let agreed = aside(move || agreement::create_key(kept, said)).await?;
        let protocol = Encrypted::build().time_offset(agreed.time_offset).first_salt(agreed.first_salt);
        let Wire { stream, transport, incoming, .. } = plain;
        Ok(Self { stream, transport, incoming, protocol: protocol.finish(agreed.auth_key), scanned: false })
    }

    /// The key.
    pub fn key(&self) -> AuthKey {
        self.protocol.auth_key()
    }

    /// Waits until a code was scanned. It may be dropped at any time, and nothing is missed.
    ///
    /// # Errors
    /// When the connection is over.
    pub async fn scanned(&mut self) -> Result<(), Refusal> {
        while !std::mem::take(&mut self.scanned) {
            for said in self.receive().await? {
                self.note(said);
            }
        }
        Ok(())
    }
}

/// Whether this is a number that is factored in a moment, as Telegram's are: of two primes of some thirty bits. Whoever is on
/// the way can put another in its place, and with a prime or a small one the library goes on for minutes, or for ever.
fn is_factored_soon(product: &[u8]) -> bool {
    let number = <[u8; 8]>::try_from(product).map(u64::from_be_bytes);
    number.is_ok_and(|number| number > 1 << 56 && number % 2 == 1 && !is_prime(number))
}

/// Miller and Rabin's test; with the first twelve primes it is sure of every number of 64 bits.
fn is_prime(number: u64) -> bool {
    let times = |a: u64, b: u64| {
        u64::try_from(u128::from(a) * u128::from(b) % u128::from(number)).unwrap_or_default()
    };
    let to_the = |base: u64, mut power: u64| {
        let (mut result, mut square) = (1, base % number);
        while power > 0 {
            if power % 2 == 1 {
                result = times(result, square);
            }
            square = times(square, square);
            power /= 2;
        }
        result
    };
    let twos = (number - 1).trailing_zeros();
    [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37].into_iter().all(|base| {
        let first = to_the(base, (number - 1) >> twos);
        let squares = std::iter::successors(Some(first), |power| Some(times(*power, *power)));
        first == 1 || squares.take(twos as usize).any(|power| power == number - 1)
    })
}

/// How many keys are computed for at once.
static COMPUTING: Semaphore = Semaphore::const_new(4);

/// Does what takes long away from those who wait; a panic of the library's ends up here.
async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, agreement::Error> + Send + 'static,
) -> Result<T, Refusal> {
    let permit = COMPUTING.acquire().await.map_err(|_| Refusal::Silent("protocol_error"))?;
    let done = tokio::task::spawn_blocking(move || {
        // Held until it is done, whether or not anybody still waits for it.
        let _permit = permit;
        work()
    });
    let done = done.await;
    Ok(done.map_err(|_| Refusal::Silent("protocol_error"))??)
}

impl<M: Mtp> Wire<M> {
    fn over(stream: TcpStream, protocol: M) -> Self {
        Self { stream, transport: Full::new(), protocol, incoming: Vec::new(), scanned: false }
    }

    /// Asks, and waits for the answer. Dropped before that, nothing can be said over this connection any more.
    ///
    /// # Errors
    /// What came instead of an answer.
    pub async fn call<R: RemoteCall>(&mut self, request: &R) -> Result<R::Return, Refusal> {
        let answer = self.ask(&request.to_bytes()).await?;
        R::Return::from_bytes(&answer).map_err(|_| Refusal::Silent("protocol_error"))
    }

    /// The same in bytes.
    ///
    /// # Errors
    /// The same.
    pub async fn ask(&mut self, request: &[u8]) -> Result<Vec<u8>, Refusal> {
        let mut sent = None;
        let mut repeats = 0;
        loop {
            if sent.is_none() {
                sent = self.send(request).await?;
            }
            let mut answer = None;
            for said in self.receive().await? {
                let is_ours = |id: MsgId| sent.as_ref().is_some_and(|sent: &Sent| sent.request == id);
                match said {
                    Deserialization::RpcResult(result) if is_ours(result.msg_id) => {
                        answer = Some(Ok(result.body));
                    }
                    Deserialization::RpcError(error) if is_ours(error.msg_id) => {
                        answer = Some(Err(error.error.into()));
                    }
                    Deserialization::Failure(failure) if is_ours(failure.msg_id) => {
                        return Err(Refusal::Silent("protocol_error"));
                    }
                    Deserialization::BadMessage(bad)
                        if sent.as_ref().is_some_and(|sent| sent.is_named(bad.msg_id)) =>
                    {
                        repeats += 1;
                        if bad.code == TOO_HIGH {
                            return Err(CLOCK_AHEAD);
                        }
                        if !bad.retryable() || repeats > REPEATS {
                            tracing::warn!(
                                code = bad.code,
                                why = bad.description(),
                                "Telegram did not take a message"
                            );
                            return Err(Refusal::Silent("protocol_error"));
                        }
                        sent = None;
                    }
                    other => self.note(other),
                }
            }
            if let Some(answer) = answer {
                return answer;
            }
        }
    }

    /// Sends a request; `None` when the protocol has something of its own to ask first.
    async fn send(&mut self, request: &[u8]) -> Result<Option<Sent>, Refusal> {
        let mut buffer = DequeBuffer::with_capacity(request.len(), FRONT);
        let request = self.protocol.push(&mut buffer, request);
        let Some(container) = self.protocol.finalize(&mut buffer) else { return Ok(None) };
        self.transport.pack(&mut buffer);
        self.stream.write_all(buffer.as_ref()).await.map_err(|_| BROKEN)?;
        Ok(request.map(|request| Sent { request, container }))
    }

    /// Waits for the next packet. It may be dropped at any time, and nothing is missed.
    async fn receive(&mut self) -> Result<Vec<Deserialization>, Refusal> {
        loop {
            if let Some(said) = self.packet()? {
                return Ok(said);
            }
            self.stream.readable().await.map_err(|_| BROKEN)?;
            self.incoming.reserve(ROOM);
            match self.stream.try_read_buf(&mut self.incoming) {
                Ok(0) => return Err(BROKEN),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => return Err(BROKEN),
            }
        }
    }

    /// What a whole packet says; `None` while there is none.
    fn packet(&mut self) -> Result<Option<Vec<Deserialization>>, Refusal> {
        if let Some(length) = self.incoming.first_chunk()
            && !(-LONGEST..=LONGEST).contains(&i32::from_le_bytes(*length))
        {
            return Err(Refusal::Silent("protocol_error"));
        }
        let packet = match self.transport.unpack(&mut self.incoming) {
            Ok(packet) => packet,
            Err(Unpacked::MissingBytes) => {
                if self.incoming.is_empty() {
                    self.incoming = Vec::new();
                }
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        let read = || self.protocol.deserialize(&mut self.incoming[packet.data_range.clone()]);
        // The library panics at what belongs to another session.
        let Ok(Ok(said)) = catch_unwind(AssertUnwindSafe(read)) else {
            return Err(Refusal::Silent("protocol_error"));
        };
        self.incoming.drain(..packet.next_offset);
        Ok(Some(said))
    }

    /// Notes what was not asked for.
    fn note(&mut self, said: Deserialization) {
        let Deserialization::Update(update) = said else { return };
        let is_it = |update: &enums::Update| matches!(update, enums::Update::LoginToken);
        // Whatever else it is, it is nothing that a sign-in needs.
        self.scanned |= match enums::Updates::from_bytes(&update) {
            Ok(enums::Updates::UpdateShort(short)) => is_it(&short.update),
            Ok(enums::Updates::Updates(many)) => many.updates.iter().any(is_it),
            Ok(enums::Updates::Combined(many)) => many.updates.iter().any(is_it),
            _ => false,
        };
    }
}

impl Sent {
    fn is_named(&self, id: MsgId) -> bool {
        self.request == id || self.container == id
    }
}

const BROKEN: Refusal = Refusal::Silent("connection_broken");

#[cfg(test)]
mod tests {
    use super::*;

    use grammers_tl_types::{Serializable, functions, types};
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;

    /// The other side, as far as packets go.
    struct Centre {
        stream: TcpStream,
        transport: Full,
    }

    impl Centre {
        /// The next packet's payload.
        async fn hear(&mut self) -> Vec<u8> {
            let length = self.stream.read_u32_le().await.unwrap();
            let mut packet = length.to_le_bytes().to_vec();
            packet.resize(length as usize, 0);
            self.stream.read_exact(&mut packet[4..]).await.unwrap();
            let payload = self.transport.unpack(&mut packet).unwrap().data_range;
            packet[payload].to_vec()
        }

        async fn say(&mut self, payload: &[u8]) {
            let mut buffer = DequeBuffer::with_capacity(payload.len(), FRONT);
            buffer.extend(payload.iter().copied());
            self.transport.pack(&mut buffer);
            self.stream.write_all(buffer.as_ref()).await.unwrap();
        }

        /// A message without a key: zero, its number, its length and what it says.
        async fn say_plainly(&mut self, body: &[u8]) {
            let length = u32::try_from(body.len()).unwrap();
            self.say(&[&[0; 8], &[1; 8], &length.to_le_bytes()[..], body].concat()).await;
        }
    }

    #[expect(clippy::disallowed_methods, reason = "to a listener of the test's own")]
    async fn pair() -> (TcpStream, Centre) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let centre = Centre { stream: listener.accept().await.unwrap().0, transport: Full::new() };
        (stream, centre)
    }

    async fn refused(wire: &mut Wire) -> Refusal {
        wire.call(&functions::help::GetConfig {}).await.unwrap_err()
    }

    #[tokio::test]
    async fn a_key_is_agreed_on_in_plain_messages_and_what_does_not_fit_ends_it() {
        let (stream, mut centre) = pair().await;
        let agreed = tokio::spawn(Wire::agree(stream));
        // In front of each there are no key, no number and a length: twenty bytes.
        let asked = centre.hear().await;
        assert_eq!((&asked[..8], &asked[16..20]), (&[0; 8][..], &20_u32.to_le_bytes()[..]));
        let nonce = asked[24..40].try_into().unwrap();
        // The product is the one of Telegram's own example.
        let product = 1_724_114_033_281_923_457_u64.to_be_bytes().to_vec();
        let server_nonce = [9; 16];
        let server_public_key_fingerprints = vec![-3_414_540_481_677_951_611];
        let answer = types::ResPq { nonce, server_nonce, pq: product, server_public_key_fingerprints };
        centre.say_plainly(&enums::ResPq::Pq(answer).to_bytes()).await;
        let asked = centre.hear().await;
        assert_eq!((&asked[24..40], &asked[40..56]), (&nonce[..], &server_nonce[..]));
        // Strings: a length, what they say, and zeros until there are four bytes.
        assert_eq!((asked[56], &asked[57..61]), (4, &1_229_739_323_u32.to_be_bytes()[..]));
        assert_eq!((asked[64], &asked[65..69]), (4, &1_402_015_859_u32.to_be_bytes()[..]));
        assert_eq!((&asked[80..84], asked.len()), (&[254, 0, 1, 0][..], 84 + 256));
        let no = types::ServerDhParamsFail { nonce, server_nonce, new_nonce_hash: [0; 16] };
        centre.say_plainly(&enums::ServerDhParams::Fail(no).to_bytes()).await;
        assert_eq!(agreed.await.unwrap().err(), Some(Refusal::Silent("protocol_error")));
    }

    #[test]
    fn only_what_is_factored_in_a_moment_is_factored() {
        assert!(is_factored_soon(&1_724_114_033_281_923_457_u64.to_be_bytes()));
        for other in [0, 1, 11, 1_u64 << 57, (1 << 61) - 1, 18_446_744_073_709_551_557] {
            assert!(!is_factored_soon(&other.to_be_bytes()), "{other}");
        }
        assert!(!is_factored_soon(&[1; 7]) && !is_factored_soon(&[1; 9]));
    }

    #[tokio::test]
    async fn what_is_not_understood_ends_the_connection_and_nothing_else() {
        let lengths = [(-404_i32, Refusal::KeyLost), (-429, Refusal::Silent("rate_limited"))];
        for (length, what) in lengths.into_iter().chain(
            [8, LONGEST + 1, i32::MAX, i32::MIN].map(|length| (length, Refusal::Silent("protocol_error"))),
        ) {
            let (stream, mut centre) = pair().await;
            centre.stream.write_all(&length.to_le_bytes()).await.unwrap();
            assert_eq!(refused(&mut Wire::known(stream, [7; 256], 0)).await, what, "{length}");
        }
        let (stream, mut centre) = pair().await;
        centre.say(&[3; 64]).await;
        assert_eq!(refused(&mut Wire::known(stream, [7; 256], 0)).await, Refusal::Silent("protocol_error"));
        let (stream, centre) = pair().await;
        drop(centre);
        assert!(refused(&mut Wire::known(stream, [7; 256], 0)).await.is_broken());
    }

    #[tokio::test]
    async fn a_packet_may_come_in_pieces_and_waiting_may_be_given_up() {
        let (stream, mut centre) = pair().await;
        let mut wire = Wire::known(stream, [7; 256], 0);
        centre.stream.write_all(&(-404_i32).to_le_bytes()[..3]).await.unwrap();
        let pause = std::time::Duration::from_millis(50);
        assert!(tokio::time::timeout(pause, wire.scanned()).await.is_err());
        centre.stream.write_all(&(-404_i32).to_le_bytes()[3..]).await.unwrap();
        assert_eq!(wire.scanned().await, Err(Refusal::KeyLost));
    }
}
