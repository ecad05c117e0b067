//! TLS towards others: certificates are always verified, and what went wrong is told apart.

use std::path::Path;
use std::sync::Arc;

use rustls::{CertificateError, ClientConfig, Error, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;

use super::ConnectError;

/// A verified TLS connection.
pub type TlsStream = tokio_rustls::client::TlsStream<TcpStream>;

/// Why TLS did not come about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TlsTrouble {
    /// The certificate's time is over.
    #[error("the certificate has expired")]
    Expired,
    /// The certificate is for the future.
    #[error("the certificate is not valid yet")]
    NotYetValid,
    /// The certificate is for another name.
    #[error("the certificate is for another name")]
    WrongName,
    /// Nobody we know vouches for the certificate (self-signed, or a private authority).
    #[error("the certificate's issuer is not known")]
    UnknownIssuer,
    /// The certificate is faulty in another way.
    #[error("the certificate is not acceptable")]
    BadCertificate,
    /// The other side does not speak TLS here.
    #[error("the other side does not speak TLS on this port")]
    NotTls,
    /// No common version or cipher, or the other side hung up.
    #[error("the handshake failed")]
    Handshake,
}

impl TlsTrouble {
    /// A stable code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Expired => "tls_certificate_expired",
            Self::NotYetValid => "tls_certificate_not_yet_valid",
            Self::WrongName => "tls_certificate_wrong_name",
            Self::UnknownIssuer => "tls_certificate_unknown_issuer",
            Self::BadCertificate => "tls_certificate_bad",
            Self::NotTls => "tls_not_spoken",
            Self::Handshake => "tls_handshake_failed",
        }
    }

    fn of(error: &Error) -> Self {
        match error {
            Error::InvalidCertificate(certificate) => match certificate {
                CertificateError::Expired | CertificateError::ExpiredContext { .. } => Self::Expired,
                CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                    Self::NotYetValid
                }
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                    Self::WrongName
                }
                CertificateError::UnknownIssuer => Self::UnknownIssuer,
                // A certificate that names itself an authority and is served as a leaf: self-signed.
                CertificateError::Other(_) => Self::UnknownIssuer,
                _ => Self::BadCertificate,
            },
            Error::InvalidMessage(_) => Self::NotTls,
            _ => Self::Handshake,
        }
    }
}

pub(super) fn config(extra_ca_file: Option<&Path>) -> Result<Arc<ClientConfig>, String> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(path) = extra_ca_file {
        let unreadable =
            |why: &dyn std::fmt::Display| format!("the authorities' file {}: {why}", path.display());
        let pem = std::fs::read(path).map_err(|error| unreadable(&error))?;
        let before = roots.len();
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            let certificate = certificate.map_err(|error| unreadable(&error))?;
            roots.add(certificate).map_err(|error| unreadable(&error))?;
        }
        if roots.len() == before {
            return Err(unreadable(&"holds no certificate"));
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = versions.map_err(|error| format!("TLS: {error}"))?;
    Ok(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
}

pub(super) async fn handshake(
    config: Arc<ClientConfig>,
    stream: TcpStream,
    host: &str,
    deadline: Instant,
) -> Result<TlsStream, ConnectError> {
    let bare = host.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.');
    let name = ServerName::try_from(bare.to_owned()).map_err(|_| ConnectError::HostNotFound)?;
    let shake = TlsConnector::from(config).connect(name, stream);
    match tokio::time::timeout_at(deadline, shake).await {
        Err(_) => Err(ConnectError::Timeout),
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => {
            Err(ConnectError::Tls(match error.get_ref().and_then(|inner| inner.downcast_ref()) {
                Some(error) => TlsTrouble::of(error),
                None => TlsTrouble::Handshake,
            }))
        }
    }
}
