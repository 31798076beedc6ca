//! The certificate authority of one cluster.

use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKeyData, SignatureAlgorithm,
    date_time_ymd,
};

use super::{CLIENT, Fingerprint, NODE, digest};
use crate::error::{Error, ErrorKind, Result};
use crate::sys::folder;

/// How long certificates are valid, in years; a cluster that cannot start because of a date helps nobody, and a node that
/// is evicted is not in the database any more.
const YEARS: i32 = 20;
/// Of a name in a certificate.
const NAME_BYTES_MAX: usize = 40;

/// Whose certificate it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IssuedFor<'a> {
    /// A node of the cluster, by its name.
    Node(&'a str),
    /// Who gives commands, by a name.
    Client(&'a str),
}

/// The public key of a certificate that is asked for: a point of P-256, as bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyForm(pub Vec<u8>);

impl PublicKeyData for KeyForm {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ECDSA_P256_SHA256
    }
}

/// See the module.
#[derive(Debug)]
pub struct Authority {
    certificate_pem: String,
    key: KeyPair,
    cluster: String,
    year: i32,
}

impl Authority {
    /// A new one for the cluster `name`; `year` is the present one.
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub fn new(name: &str, year: i32) -> Result<Self> {
        let key = KeyPair::generate().map_err(|e| failed("make a key", &e))?;
        let certificate = parameters(name, year)
            .self_signed(&key)
            .map_err(|e| failed("make the cluster's authority", &e))?;
        Ok(Self {
            certificate_pem: certificate.pem(),
            key,
            cluster: name.to_owned(),
            year,
        })
    }

    /// The one whose texts these are.
    ///
    /// # Errors
    /// `StoreDamaged` when they are none.
    pub fn read(name: &str, year: i32, certificate_pem: String, key_pem: &str) -> Result<Self> {
        let key = KeyPair::from_pem(key_pem).map_err(|e| {
            Error::new(
                ErrorKind::StoreDamaged,
                format!("ca.key is no private key: {e}"),
            )
            .hint("copy tls/ca.pem and tls/ca.key from another node of the cluster")
        })?;
        Ok(Self {
            certificate_pem,
            key,
            cluster: name.to_owned(),
            year,
        })
    }

    /// That of the cluster `name` in the `tls` folder of a node.
    ///
    /// # Errors
    /// `AccessDenied` when this node cannot sign; `StoreDamaged`.
    pub fn load(folder: &Path, name: &str, year: i32) -> Result<Self> {
        let text = |file: &str| -> Result<String> {
            let found = folder::read_if_there(&folder.join(file))?;
            let bytes = found.ok_or_else(|| {
                let text = format!("this node cannot sign certificates: it has no {}", folder.join(file).display());
                Error::new(ErrorKind::AccessDenied, text)
                    .hint("a cluster on loopback addresses has no authority; ask a node that has the file")
            })?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        };
        Self::read(name, year, text("ca.pem")?, &text("ca.key")?)
    }

    /// Its own certificate.
    #[must_use]
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// Its private key.
    #[must_use]
    pub fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }

    /// By which others know it.
    ///
    /// # Errors
    /// `StoreDamaged` when its certificate is none.
    pub fn fingerprint(&self) -> Result<Fingerprint> {
        use rustls::pki_types::{CertificateDer, pem::PemObject};
        let der = CertificateDer::from_pem_slice(self.certificate_pem.as_bytes());
        let der = der.map_err(|e| {
            Error::new(
                ErrorKind::StoreDamaged,
                format!("ca.pem is no certificate: {e}"),
            )
        })?;
        Ok(digest(&der))
    }

    /// A certificate for this key, as PEM.
    ///
    /// # Errors
    /// `InvalidParameter` for a name that cannot be in one.
    pub fn issue(&self, whom: IssuedFor<'_>, key: &KeyForm) -> Result<String> {
        let (kind, name) = match whom {
            IssuedFor::Node(name) => (NODE, name),
            IssuedFor::Client(name) => (CLIENT, name),
        };
        check_name(name)?;
        let names = vec![kind.to_owned(), format!("{}.{kind}", name.to_lowercase())];
        let mut wanted =
            CertificateParams::new(names).map_err(|e| failed("name a certificate", &e))?;
        wanted.distinguished_name = distinguished(&format!("{name} of {}", self.cluster));
        wanted.not_before = date_time_ymd(self.year - 1, 1, 1);
        wanted.not_after = date_time_ymd(self.year + YEARS, 1, 1);
        wanted.use_authority_key_identifier_extension = true;
        wanted.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        wanted.extended_key_usages = match whom {
            IssuedFor::Node(_) => vec![
                ExtendedKeyUsagePurpose::ServerAuth,
                ExtendedKeyUsagePurpose::ClientAuth,
            ],
            IssuedFor::Client(_) => vec![ExtendedKeyUsagePurpose::ClientAuth],
        };
        let own = parameters(&self.cluster, self.year);
        let issuer = Issuer::from_params(&own, &self.key);
        let certificate = wanted.signed_by(key, &issuer);
        Ok(certificate
            .map_err(|e| failed("sign a certificate", &e))?
            .pem())
    }
}

fn parameters(cluster: &str, year: i32) -> CertificateParams {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = distinguished(&format!("HAMQ cluster {cluster}"));
    parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    parameters.not_before = date_time_ymd(year - 1, 1, 1);
    parameters.not_after = date_time_ymd(year + YEARS, 1, 1);
    parameters
}

fn distinguished(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

/// A name in a certificate is one label of a DNS name.
fn check_name(name: &str) -> Result<()> {
    let fits = (1..=NAME_BYTES_MAX).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && !name.starts_with('-')
        && !name.ends_with('-');
    if fits {
        return Ok(());
    }
    let text = format!("{name:?} cannot be the name in a certificate");
    Err(Error::new(ErrorKind::InvalidParameter, text).hint(format!(
        "use 1 to {NAME_BYTES_MAX} letters, digits and inner hyphens"
    )))
}

pub(super) fn failed(what: &str, error: &rcgen::Error) -> Error {
    Error::new(ErrorKind::Internal, format!("cannot {what}: {error}"))
}
