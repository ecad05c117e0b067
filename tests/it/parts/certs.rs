//! A certificate authority for tests, and the four kinds of leaf a mail server may show.

use super::scratch::{Scratch, mode};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Which certificate a server shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaf {
    /// Signed by the authority, for the right names.
    Good,
    /// Signed by the authority, but its time is over.
    Expired,
    /// Signed by the authority for `wrong.example.test`.
    WrongName,
    /// Signed by nobody but itself.
    SelfSigned,
}

/// A leaf's PEM files.
#[derive(Clone, Debug)]
pub struct LeafFiles {
    /// The certificate.
    pub cert: PathBuf,
    /// Its private key, readable by root alone.
    pub key: PathBuf,
}

/// The authority; its folder also holds the leaves it signed.
pub struct Ca {
    folder: Scratch,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Ca {
    /// Makes a new authority.
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "Vestibule test authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key"))
            .expect("an authority's certificate");
        let folder = Scratch::new("ca");
        folder.write("ca.pem", issuer.pem());
        Self { folder, issuer }
    }

    /// The authority's certificate, for VESTIBULE_EXTRA_CA_FILE.
    pub fn file(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// Makes a leaf of the given kind; `names` are host names or addresses.
    pub fn leaf(&self, kind: Leaf, names: &[&str]) -> LeafFiles {
        let names: Vec<String> = match kind {
            Leaf::WrongName => vec!["wrong.example.test".to_owned()],
            Leaf::Good | Leaf::Expired | Leaf::SelfSigned => {
                names.iter().map(|name| (*name).to_owned()).collect()
            }
        };
        let mut params = CertificateParams::new(names).expect("valid names");
        params.distinguished_name.push(DnType::CommonName, format!("Vestibule test leaf ({kind:?})"));
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        if kind == Leaf::Expired {
            params.not_before = date_time_ymd(2020, 1, 1);
            params.not_after = date_time_ymd(2021, 1, 1);
        }
        let key = KeyPair::generate().expect("a key");
        let certificate = match kind {
            Leaf::SelfSigned => params.self_signed(&key),
            Leaf::Good | Leaf::Expired | Leaf::WrongName => params.signed_by(&key, &self.issuer),
        };
        let serial = std::fs::read_dir(self.folder.path()).expect("the authority's folder").count();
        let cert = self.folder.write(&format!("leaf{serial}.pem"), certificate.expect("a leaf").pem());
        let key = self.folder.write(&format!("leaf{serial}.key"), key.serialize_pem());
        mode(&key, 0o600);
        LeafFiles { cert, key }
    }

    /// A client configuration that trusts this authority and no other.
    pub fn client(&self) -> Arc<rustls::ClientConfig> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.issuer.der().clone()).expect("the authority as root");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("protocol versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Arc::new(config)
    }

    /// The folder with every file this authority made.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}
