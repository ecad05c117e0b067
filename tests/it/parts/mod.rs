//! The real parts that tests start beside the server: mail servers, a database, a browser, and the
//! tools that break things on purpose.
//!
//! Every part listens on loopback at a port the kernel chose, keeps its files in a folder of its
//! own, and is gone when its value is dropped or when the test process dies, however it dies.

pub mod binary;
pub mod browser;
pub mod certs;
pub mod courier;
pub mod cyrus;
pub mod dns;
pub mod dnsmasq;
pub mod dovecot;
pub mod eavesdropper;
pub mod front;
pub mod https;
pub mod identity;
pub mod kill;
pub mod pgproxy;
pub mod postgres;
pub mod process;
pub mod scratch;
pub mod sink;
pub mod submission;
pub mod telegram;
pub mod unpacked;
pub mod visitor;
pub mod whatsapp;
pub mod wire;

#[cfg(test)]
mod proofs;

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// How long a part may take to become ready; generous, because a busy machine is no reason to fail.
pub const READY: Duration = Duration::from_secs(30);

/// A free TCP port on loopback, never handed out twice by this process. It lies outside of those that the system gives to
/// connections by itself: a server that is killed and started again finds its port still free.
pub fn free_port() -> u16 {
    static LEFT: Mutex<Option<Vec<u16>>> = Mutex::new(None);
    let mut left = LEFT.lock().expect("the list of ports");
    let left = left.get_or_insert_with(|| {
        let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
        let ends: Vec<u16> = range.split_whitespace().filter_map(|end| end.parse().ok()).collect();
        let (low, high) = (*ends.first().unwrap_or(&32_768), *ends.get(1).unwrap_or(&60_999));
        let mut ports: Vec<u16> = (10_000..low).chain(high.saturating_add(1)..u16::MAX).collect();
        // Where the system takes all of them, so do we.
        if ports.is_empty() {
            ports = (10_000..u16::MAX).collect();
        }
        // Two processes that test at once begin at different places.
        let first = std::process::id() as usize * 997 % ports.len();
        ports.rotate_left(first);
        ports
    });
    loop {
        let port = left.pop().expect("a free port");
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}

/// Loopback addresses of one test's own, so that it can have the well-known ports to itself.
pub fn own_addresses<const N: usize>() -> [Ipv4Addr; N] {
    static GIVEN: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let process = (std::process::id() % 100) as u8 + 100;
    std::array::from_fn(|_| {
        let number = GIVEN.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Ipv4Addr::new(127, process, (number / 250) as u8, (number % 250) as u8 + 1)
    })
}

/// The loopback address of a port.
pub fn local(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

/// Connects to a peer that the test itself started.
#[expect(clippy::disallowed_methods, reason = "the test is the client here, not the server under test")]
pub fn dial(to: SocketAddr) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(to)?;
    stream.set_read_timeout(Some(READY))?;
    Ok(stream)
}

/// Asks `probe` until it answers, and fails the test when `within` has passed.
pub fn eventually<T>(what: &str, within: Duration, mut probe: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = probe() {
            return answer;
        }
        assert!(start.elapsed() < within, "{what} did not happen within {within:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The same for a probe that waits itself.
pub async fn eventually_async<T>(
    what: &str,
    within: Duration,
    mut probe: impl AsyncFnMut() -> Option<T>,
) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = probe().await {
            return answer;
        }
        assert!(start.elapsed() < within, "{what} did not happen within {within:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Finds a program in the usual places, or says how to get it.
pub fn tool(name: &str) -> PathBuf {
    ["/usr/bin", "/usr/sbin", "/bin", "/sbin", "/usr/local/bin", "/usr/lib/postfix/sbin"]
        .iter()
        .map(|folder| PathBuf::from(folder).join(name))
        .find(|path| path.is_file())
        .unwrap_or_else(|| panic!("{name} is missing; run `cargo xtask setup`"))
}

/// A thread with a runtime of its own, so that a double answers while its test blocks.
pub struct Background {
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Background {
    /// Runs `work` until it ends or this value is dropped.
    pub fn run(work: impl Future<Output = ()> + Send + 'static) -> Self {
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                tokio::select! { () = work => {}, _ = stopped => {} }
            });
        });
        Self { stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A double that panicked has already printed why.
            drop(thread.join());
        }
    }
}
