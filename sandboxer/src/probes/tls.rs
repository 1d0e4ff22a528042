//! TLS of containers, with a certificate that the process makes for itself: a kubelet does not
//! verify the certificate of a probe (`InsecureSkipVerify` in its `pkg/probe/http/http.go`).

use std::sync::{Arc, OnceLock};

use rcgen::CertifiedKey;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;
use tokio_rustls::rustls::{self, ServerConfig};
use tracing::warn;

/// First byte of a connection over TLS: the type of a record with a handshake (RFC 8446,
/// section 5.1). No request of HTTP begins with it.
pub(super) const FIRST_BYTE: u8 = 22;

/// Name in the certificate.
const NAME: &str = "resource-slot.invalid";

/// Protocols over TLS, the preferred one first (RFC 7301).
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// Key and certificate, made when the first client needs them.
#[derive(Default)]
pub(super) struct Tls(OnceLock<Result<TlsAcceptor, Unavailable>>);

/// The certificate could not be made.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("no certificate for TLS")]
pub(super) struct Unavailable;

/// Reason why the certificate could not be made.
#[derive(Debug, thiserror::Error)]
enum TlsError {
    #[error("make a certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    #[error("use a certificate: {0}")]
    Use(#[from] rustls::Error),
}

impl Tls {
    /// Returns what takes TLS off connections.
    ///
    /// # Errors
    /// [`Unavailable`], the same each time; the reason is logged once.
    pub(super) fn acceptor(&self) -> Result<TlsAcceptor, Unavailable> {
        let made = self.0.get_or_init(|| {
            make().map_err(|e| {
                warn!("probes over TLS are refused: {e}");
                Unavailable
            })
        });
        made.clone()
    }
}

fn make() -> Result<TlsAcceptor, TlsError> {
    let CertifiedKey { cert, signing_key } = rcgen::generate_simple_self_signed([NAME.to_owned()])?;
    let key = PrivatePkcs8KeyDer::from(signing_key.serialize_der());
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key.into())?;
    config.alpn_protocols = PROTOCOLS.iter().map(|name| name.to_vec()).collect();
    Ok(TlsAcceptor::from(Arc::new(config)))
}
