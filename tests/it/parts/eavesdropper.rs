//! Somebody on the wire in front of a mail server: hears what clients say in clear, and may take words out of what the
//! server says.

use super::Background;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Everything clients said, connection after connection.
type Heard = Arc<Mutex<Vec<u8>>>;

/// A running one.
pub struct Eavesdropper {
    address: SocketAddr,
    heard: Heard,
    _thread: Background,
}

impl Eavesdropper {
    /// Sits in front of `to` and spoils each `word` that comes from there.
    pub fn start(to: SocketAddr, word: Option<&'static str>) -> Self {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        listener.set_nonblocking(true).expect("a socket for the runtime");
        let address = listener.local_addr().expect("its address");
        let heard = Heard::default();
        let notes = heard.clone();
        let thread = Background::run(async move {
            let listener = TcpListener::from_std(listener).expect("a socket");
            while let Ok((client, _)) = listener.accept().await {
                // A broken connection is the peers' business; they see it.
                drop(pass(client, to, word, &notes).await);
            }
        });
        Self { address, heard, _thread: thread }
    }

    /// Its address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What was said before the first byte of TLS, line by line.
    pub fn clear(&self) -> Vec<String> {
        let heard = self.heard.lock().expect("the notes");
        // A handshake's record begins with its type and the protocol's major version.
        let end = heard.windows(2).position(|pair| pair == [0x16, 0x03]).unwrap_or(heard.len());
        String::from_utf8_lossy(&heard[..end]).lines().map(str::to_owned).collect()
    }
}

#[expect(clippy::disallowed_methods, reason = "the test is the client here, not the server under test")]
async fn pass(client: TcpStream, to: SocketAddr, word: Option<&str>, heard: &Heard) -> std::io::Result<()> {
    let server = TcpStream::connect(to).await?;
    let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
        (client.into_split(), server.into_split());
    let up = async {
        let mut chunk = [0; 4096];
        loop {
            let read = from_client.read(&mut chunk).await?;
            if read == 0 {
                return to_server.shutdown().await;
            }
            heard.lock().expect("the notes").extend_from_slice(&chunk[..read]);
            to_server.write_all(&chunk[..read]).await?;
        }
    };
    let down = async {
        let mut chunk = [0; 4096];
        loop {
            let read = from_server.read(&mut chunk).await?;
            if read == 0 {
                return to_client.shutdown().await;
            }
            let mut said = chunk[..read].to_vec();
            if let Some(word) = word.map(str::as_bytes) {
                while let Some(at) = said.windows(word.len()).position(|part| part == word) {
                    said[at] = b'X';
                }
            }
            to_client.write_all(&said).await?;
        }
    };
    tokio::try_join!(up, down).map(|_| ())
}
