//! TLS to the members: their certificates must come from the authority that the location names, and ours is
//! shown if we have one.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

use super::super::location::EtcdLocation;
use crate::error::{Error, ErrorKind, Result};

/// Reads the files of the location; `None` without TLS.
pub(super) fn connector(location: &EtcdLocation) -> Result<Option<TlsConnector>> {
    let Some(ca) = &location.ca else {
        return Ok(None);
    };
    let mut roots = RootCertStore::empty();
    for certificate in certificates(ca)? {
        roots.add(certificate).map_err(|e| unfit(ca, &e))?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| unfit(ca, &e))?
        .with_root_certificates(roots);
    let mut config = match &location.identity {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let chain = certificates(certificate)?;
            let private = PrivateKeyDer::from_pem_file(key).map_err(|e| unfit(key, &e))?;
            let config = builder.with_client_auth_cert(chain, private);
            config.map_err(|e| unfit(certificate, &e))?
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(Some(TlsConnector::from(Arc::new(config))))
}

/// The name or address that a member's certificate must have.
pub(super) fn server_name(host: &str) -> Result<ServerName<'static>, String> {
    ServerName::try_from(host.to_owned()).map_err(|e| format!("{host}: {e}"))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let found =
        CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let found: Vec<_> = found.map_err(|e| unfit(path, &e))?;
    if found.is_empty() {
        return Err(unfit(path, &"there is no certificate in it"));
    }
    Ok(found)
}

fn unfit(path: &Path, why: &dyn std::fmt::Display) -> Error {
    let text = format!("{} cannot be used for TLS with etcd: {why}", path.display());
    Error::new(ErrorKind::InvalidParameter, text)
        .hint("give PEM files: ca= the authority of etcd's members, cert= and key= our own")
}
