//! A front that every connection passes: a load balancer that is aimed at another node when one dies, or a
//! wire in front of a server that holds its connections back for as long as a test likes.

use super::Background;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

#[derive(Clone, Copy)]
struct Aim {
    to: SocketAddr,
    held: bool,
}

/// A running front.
pub struct Front {
    address: SocketAddr,
    aim: watch::Sender<Aim>,
    taken: Arc<AtomicUsize>,
    _thread: Background,
}

impl Front {
    /// Starts a front on loopback that passes connections on to `to`.
    pub fn start(to: SocketAddr) -> Self {
        Self::at((Ipv4Addr::LOCALHOST, 0).into(), to)
    }

    /// The same at an address of the test's choice: a low port needs root, as other parts do.
    pub fn at(address: SocketAddr, to: SocketAddr) -> Self {
        let listener = std::net::TcpListener::bind(address).expect("the address is free");
        listener.set_nonblocking(true).expect("a socket for the runtime");
        let address = listener.local_addr().expect("its address");
        let (aim, aimed) = watch::channel(Aim { to, held: false });
        let taken = Arc::new(AtomicUsize::new(0));
        let count = taken.clone();
        let thread = Background::run(async move {
            let listener = TcpListener::from_std(listener).expect("a socket");
            while let Ok((client, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::Relaxed);
                let aimed = aimed.clone();
                tokio::spawn(async move {
                    // A broken connection is the peers' business; they see it.
                    drop(pass(client, aimed).await);
                });
            }
        });
        Self { address, aim, taken, _thread: thread }
    }

    /// Its address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on new connections go there.
    pub fn aim(&self, to: SocketAddr) {
        self.aim.send_modify(|aim| aim.to = to);
    }

    /// Accepts connections and passes nothing on, until they are let go.
    pub fn hold(&self) {
        self.aim.send_modify(|aim| aim.held = true);
    }

    /// Lets held connections go on.
    pub fn release(&self) {
        self.aim.send_modify(|aim| aim.held = false);
    }

    /// How many connections it has accepted.
    pub fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }
}

#[expect(clippy::disallowed_methods, reason = "the front is part of the test, not of the server")]
async fn pass(mut client: TcpStream, mut aimed: watch::Receiver<Aim>) -> std::io::Result<()> {
    let aim = *aimed.wait_for(|aim| !aim.held).await.map_err(std::io::Error::other)?;
    let mut server = TcpStream::connect(aim.to).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    tokio::io::copy_bidirectional(&mut client, &mut server).await.map(|_| ())
}
