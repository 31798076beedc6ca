//! What one process proves itself by: its certificate, its private key, and the authority it believes.

use std::path::Path;
use std::sync::Arc;

use rcgen::KeyPair;
use rustls::client::WebPkiServerVerifier;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::version::TLS13;
use rustls::{ClientConfig, RootCertStore, ServerConfig};

use super::authority::{Authority, IssuedFor, KeyForm, failed};
use super::pin::Pin;
use super::{Fingerprint, digest};
use crate::error::{Error, ErrorKind, Result};
use crate::sys::folder;

/// Certificates in one text.
const CERTIFICATES_MAX: usize = 8;

/// See the module.
#[derive(Debug)]
pub struct Identity {
    authority: Fingerprint,
    own: Fingerprint,
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
}

/// The identity of somebody who has none yet, and knows an authority by its fingerprint.
#[derive(Debug)]
pub struct Pinned {
    pub(super) client: Arc<ClientConfig>,
}

impl Pinned {
    /// Believes whoever has a certificate of this authority.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(fingerprint: Fingerprint) -> Result<Self> {
        let builder = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13])
            .map_err(|e| unusable(&e))?;
        let pin = Arc::new(Pin::new(fingerprint, provider()));
        let client = builder
            .dangerous()
            .with_custom_certificate_verifier(pin)
            .with_no_client_auth();
        Ok(Self {
            client: Arc::new(client),
        })
    }
}

impl Identity {
    /// A new key with a certificate of this authority: the texts of the certificate and the key.
    ///
    /// # Errors
    /// Those of the authority.
    pub fn issue(authority: &Authority, whom: IssuedFor<'_>) -> Result<(String, String)> {
        let (key_pem, key) = Self::new_key()?;
        Ok((authority.issue(whom, &key)?, key_pem))
    }

    /// A new private key, as PEM, and its public half.
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub fn new_key() -> Result<(String, KeyForm)> {
        let key = KeyPair::generate().map_err(|e| failed("make a key", &e))?;
        let public = KeyForm(key.public_key_raw().to_vec());
        Ok((key.serialize_pem(), public))
    }

    /// From the texts of the certificate, its key, and the authority's certificate.
    ///
    /// # Errors
    /// `StoreDamaged` when one of them is none.
    pub fn new(certificate_pem: &str, key_pem: &str, authority_pem: &str) -> Result<Self> {
        let authority = certificate(authority_pem)?;
        let own = certificate(certificate_pem)?;
        let key = || {
            PrivateKeyDer::from_pem_slice(key_pem.as_bytes())
                .map_err(|e| damaged("private key", &e))
        };
        let mut roots = RootCertStore::empty();
        let added = roots.add(authority.clone());
        added.map_err(|e| damaged("certificate of an authority", &e))?;
        let roots = Arc::new(roots);
        let fingerprint = digest(&own);
        // Behind its own, so that who knows the authority by its fingerprint finds it.
        let chain = vec![own, authority.clone()];
        Ok(Self {
            authority: digest(&authority),
            own: fingerprint,
            client: Arc::new(client(&roots, chain.clone(), key()?)?),
            server: Arc::new(server(&roots, chain, key()?)?),
        })
    }

    /// That of the node whose `tls` folder this is; none where there is no such folder.
    ///
    /// # Errors
    /// `StoreDamaged` when a file is missing or wrong.
    pub fn load(folder: &Path) -> Result<Option<Self>> {
        let text = |file: &str| -> Result<Option<String>> {
            let found = folder::read_if_there(&folder.join(file))?;
            Ok(found.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
        };
        let Some(certificate) = text("node.pem")? else {
            return Ok(None);
        };
        let needed = |file: &str| {
            text(file)?.ok_or_else(|| {
                let text = format!("{} is missing", folder.join(file).display());
                Error::new(ErrorKind::StoreDamaged, text)
                    .hint("join the cluster again with a new token: hamq node join TOKEN")
            })
        };
        Self::new(&certificate, &needed("node.key")?, &needed("ca.pem")?).map(Some)
    }

    /// From one text that holds the certificate, the key and the authority's certificate, in this order.
    ///
    /// # Errors
    /// `StoreDamaged`.
    pub fn from_bundle(text: &str) -> Result<Self> {
        let all: Vec<_> = CertificateDer::pem_slice_iter(text.as_bytes())
            .take(CERTIFICATES_MAX)
            .collect();
        if all.len() != 2 {
            let text = format!(
                "a client's file holds two certificates and a key, not {}",
                all.len()
            );
            return Err(Error::new(ErrorKind::StoreDamaged, text)
                .hint("New-ClusterClientCertificate makes a new one"));
        }
        let second = text
            .rfind("-----BEGIN CERTIFICATE-----")
            .unwrap_or_default();
        Self::new(&text[..second], text, &text[second..])
    }

    /// Of the authority it believes.
    #[must_use]
    pub const fn authority(&self) -> Fingerprint {
        self.authority
    }

    /// Of its own certificate.
    #[must_use]
    pub const fn fingerprint(&self) -> Fingerprint {
        self.own
    }

    pub(super) fn client(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.client)
    }

    pub(super) fn server(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.server)
    }
}

fn client(
    roots: &Arc<RootCertStore>,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<ClientConfig> {
    let verifier =
        WebPkiServerVerifier::builder_with_provider(Arc::clone(roots), provider()).build();
    let verifier = verifier.map_err(|e| damaged("certificate of an authority", &e))?;
    ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .map_err(|e| unusable(&e))?
        .with_webpki_verifier(verifier)
        .with_client_auth_cert(chain, key)
        .map_err(|e| damaged("certificate with its key", &e))
}

/// A new node has no certificate yet; what it may do is decided by who it is: see [`super::Caller`].
fn server(
    roots: &Arc<RootCertStore>,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<ServerConfig> {
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::clone(roots), provider())
        .allow_unauthenticated()
        .build();
    let verifier = verifier.map_err(|e| damaged("certificate of an authority", &e))?;
    ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .map_err(|e| unusable(&e))?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)
        .map_err(|e| damaged("certificate with its key", &e))
}

pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn certificate(pem: &str) -> Result<CertificateDer<'static>> {
    CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|e| damaged("certificate", &e))
}

fn damaged(what: &str, error: &impl std::fmt::Display) -> Error {
    Error::new(
        ErrorKind::StoreDamaged,
        format!("this is no {what}: {error}"),
    )
    .hint("join the cluster again with a new token, or make a new client certificate")
}

fn unusable(error: &rustls::Error) -> Error {
    Error::new(
        ErrorKind::Internal,
        format!("TLS cannot be set up: {error}"),
    )
}
