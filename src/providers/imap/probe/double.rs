//! A mail server that follows a script, for answers no real one gives on demand. It keeps what it was told,
//! and in which privacy.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::kernel::egress::{Egress, Setup};
use crate::providers::imap::servers::{Encryption, Server};

/// One line of a script.
#[derive(Clone, Debug)]
pub enum Act {
    /// Say this; `\r\n` is not added. `{tag}` is the tag of the last command heard.
    Say(String),
    /// Wait for a line that contains this.
    Hear(&'static str),
    /// Go over to TLS.
    Tls,
    /// Say this again and again until nobody listens.
    Forever(&'static [u8]),
    /// Say one letter every so often, never a whole line.
    Drip,
    /// Say nothing more, and stay.
    Hang,
}

/// Say a line.
pub fn say(line: &str) -> Act {
    Act::Say(format!("{line}\r\n"))
}

/// Everything a scripted server was told: whether in private, and the line.
pub type Heard = Arc<Mutex<Vec<(bool, String)>>>;

trait Channel: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Channel for T {}

/// A place where scripted servers run, with certificates this egress believes in.
pub struct Stage {
    pub egress: Egress,
    acceptor: TlsAcceptor,
    _folder: tempfile::TempDir,
}

impl Stage {
    pub fn new() -> Self {
        Self::named("127.0.0.1")
    }

    /// The servers' certificate is for this name.
    pub fn named(name: &str) -> Self {
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &ca).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        std::fs::write(&file, ca.pem()).unwrap();
        let setup = Setup {
            allow: vec!["127.0.0.0/8".parse().unwrap()],
            extra_ca_file: Some(&file),
            ..Setup::default()
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![leaf.der().clone()],
                PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
            )
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Self { egress: Egress::new(setup).unwrap(), acceptor, _folder: folder }
    }

    /// Starts a server that plays the script once, and stops in the middle of it after `budget` bytes.
    pub async fn play(&self, encryption: Encryption, script: &[Act], budget: usize) -> (Server, Heard) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = Heard::default();
        let mut script = script.to_vec();
        if encryption == Encryption::Tls {
            script.insert(0, Act::Tls);
        }
        let (acceptor, told) = (self.acceptor.clone(), heard.clone());
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            perform(Box::new(stream), acceptor, script, budget, told).await;
        });
        let (host, login) = ("127.0.0.1".to_owned(), "ada@example.org".to_owned());
        (Server { host, port, encryption, login }, heard)
    }
}

async fn perform(
    stream: Box<dyn Channel>,
    acceptor: TlsAcceptor,
    script: Vec<Act>,
    mut budget: usize,
    heard: Heard,
) -> Option<()> {
    let mut stream = BufReader::new(stream);
    let (mut tag, mut private) = (String::new(), false);
    for act in script {
        match act {
            Act::Tls => {
                private = true;
                let inner = acceptor.accept(stream.into_inner()).await.ok()?;
                stream = BufReader::new(Box::new(inner));
            }
            Act::Say(text) => {
                let text = text.replace("{tag}", &tag);
                let said = text.len().min(budget);
                stream.write_all(&text.as_bytes()[..said]).await.ok()?;
                stream.flush().await.ok()?;
                budget -= said;
                if said < text.len() {
                    return None;
                }
            }
            Act::Hear(wanted) => loop {
                let mut line = String::new();
                if stream.read_line(&mut line).await.ok()? == 0 {
                    return None;
                }
                heard.lock().unwrap().push((private, line.trim_end().to_owned()));
                tag = line.split(' ').next().unwrap_or_default().to_owned();
                if line.contains(wanted) {
                    break;
                }
            },
            Act::Forever(bytes) => loop {
                stream.write_all(bytes).await.ok()?;
                stream.flush().await.ok()?;
            },
            Act::Drip => loop {
                stream.write_all(b"x").await.ok()?;
                stream.flush().await.ok()?;
                tokio::time::sleep(Duration::from_millis(20)).await;
            },
            Act::Hang => tokio::time::sleep(Duration::from_secs(60)).await,
        }
    }
    stream.shutdown().await.ok()
}
