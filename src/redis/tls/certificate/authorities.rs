//! Authorities that clients trust, and which servers a client accepts that trusts them.
//!
//! In: a bundle in PEM, certificates, a name, the time. Out: whether they are accepted; or why not, as [`Distrust`]. It never
//! goes by what was accepted before.

use std::{fmt, sync::Arc};

use jiff::Timestamp;
use rustls::{
    CertificateError, Error, RootCertStore,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier},
    crypto::aws_lc_rs as provider,
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
};

use super::Certificate;
use crate::kubernetes::words::handshake;

/// Authorities that clients trust: a bundle in PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct Authorities {
    pem: String,
    certificates: Vec<Certificate>,
}

impl fmt::Debug for Authorities {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fingerprints = self.certificates.iter().map(|certificate| certificate.fingerprint().short().to_owned());
        formatter.debug_list().entries(fingerprints).finish()
    }
}

impl Authorities {
    /// Reads a bundle; `None` where it holds no certificate, or something that is none.
    #[must_use]
    pub fn parse(pem: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(pem).ok()?;
        let certificates: Option<Vec<_>> =
            CertificateDer::pem_slice_iter(pem).map(|certificate| Certificate::read(&certificate.ok()?)).collect();
        let certificates = certificates.filter(|certificates| !certificates.is_empty())?;
        Some(Self { pem: text.to_owned(), certificates })
    }

    /// These, and those of others that are not among them and have not expired.
    #[must_use]
    pub fn joined_by(self, others: &Self, now: Timestamp) -> Self {
        let more: Vec<_> =
            others.certificates.iter().filter(|other| !self.hold(other) && now < other.not_after).cloned().collect();
        if more.is_empty() {
            return self;
        }
        let texts = more.iter().map(Certificate::pem);
        let pem = std::iter::once(self.pem.trim_end().to_owned() + "\n").chain(texts).collect();
        Self { pem, certificates: self.certificates.into_iter().chain(more).collect() }
    }

    /// The bundle as clients get it.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// The first of them.
    #[must_use]
    pub fn first(&self) -> &Certificate {
        &self.certificates[0]
    }

    /// When the first of them expires.
    #[must_use]
    pub fn ends(&self) -> Timestamp {
        self.certificates.iter().map(|certificate| certificate.not_after).min().unwrap_or(Timestamp::MIN)
    }

    /// Whether this authority is among them.
    #[must_use]
    pub fn hold(&self, authority: &Certificate) -> bool {
        self.certificates.iter().any(|certificate| certificate.der == authority.der)
    }

    /// The one of them that signed a certificate.
    #[must_use]
    pub fn issuer(&self, certificate: &Certificate) -> Option<&Certificate> {
        self.certificates.iter().find(|authority| signed(authority, certificate))
    }

    /// What verifies servers that these vouch for; `None` where none of them can.
    #[must_use]
    pub fn verifier(&self) -> Option<Arc<WebPkiServerVerifier>> {
        verifier(&self.certificates)
    }

    /// Whether a client that trusts these accepts a server with these certificates under this name. Clients look for a
    /// root: an authority below one helps them to get there, and is not enough.
    ///
    /// # Errors
    /// Why not.
    pub fn accept(&self, chain: &[CertificateDer<'_>], name: &str, now: Timestamp) -> Result<(), Distrust> {
        let (roots, below): (Vec<_>, Vec<_>) =
            self.certificates.iter().cloned().partition(|authority| authority.is_root);
        if roots.is_empty() {
            return Err(Distrust::UnknownIssuer);
        }
        let chain: Vec<_> = chain.iter().cloned().chain(below.into_iter().map(|authority| authority.der)).collect();
        accept(&roots, &chain, name, now)
    }
}

/// Whether an authority signed a certificate, whatever the time.
#[must_use]
pub fn signed(authority: &Certificate, certificate: &Certificate) -> bool {
    let name = certificate.names.first().map(String::as_str).unwrap_or_default();
    let chain = [certificate.der.clone()];
    accept(std::slice::from_ref(authority), &chain, name, certificate.not_before).is_ok()
}

/// Why a client does not accept a server's certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Distrust {
    /// None of the authorities signed it.
    UnknownIssuer,
    /// It is for other names.
    WrongName,
    /// Its time is over.
    Expired,
    /// Its time has not come.
    NotYetValid,
    /// Anything else, in words.
    Other(String),
}

impl Distrust {
    /// What an error of a handshake says of the certificate.
    #[must_use]
    pub fn of(error: &CertificateError) -> Self {
        match error {
            CertificateError::UnknownIssuer | CertificateError::BadSignature => Self::UnknownIssuer,
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => Self::WrongName,
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => Self::Expired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => Self::NotYetValid,
            other => Self::Other(handshake::certificate(other)),
        }
    }
}

/// What is wrong with a handshake, in words.
#[must_use]
pub fn refusal(error: &Error) -> String {
    handshake::words(error)
}

fn verifier(authorities: &[Certificate]) -> Option<Arc<WebPkiServerVerifier>> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(authorities.iter().map(|authority| authority.der.clone()));
    let provider = Arc::new(provider::default_provider());
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().ok()
}

fn accept(
    authorities: &[Certificate],
    chain: &[CertificateDer<'_>],
    name: &str,
    now: Timestamp,
) -> Result<(), Distrust> {
    let other = |what: &str| Distrust::Other(what.to_owned());
    let verifier = verifier(authorities).ok_or_else(|| other("the authorities cannot be used"))?;
    let (leaf, between) = chain.split_first().ok_or_else(|| other("there is no certificate"))?;
    let name = ServerName::try_from(name).map_err(|_| other("there is no name"))?;
    match verifier.verify_server_cert(leaf, between, &name, &[], unix(now)) {
        Ok(_) => Ok(()),
        Err(Error::InvalidCertificate(error)) => Err(Distrust::of(&error)),
        Err(error) => Err(Distrust::Other(handshake::words(&error))),
    }
}

/// A time as the verifier has it.
#[must_use]
pub fn unix(time: Timestamp) -> UnixTime {
    UnixTime::since_unix_epoch(std::time::Duration::from_secs(u64::try_from(time.as_second()).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

    use super::*;

    const HOST: &str = "shop-redis.web.svc";

    fn params(name: &str, is_authority: bool) -> CertificateParams {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        if is_authority {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        }
        params
    }

    /// A root, an authority below it, and a server's certificate that this signed: in PEM.
    fn three() -> [String; 3] {
        let keys: [KeyPair; 3] = std::array::from_fn(|_| KeyPair::generate().unwrap());
        let [of_root, of_below, of_leaf] = keys;
        let root = params("root", true).self_signed(&of_root).unwrap();
        let root_issuer = Issuer::from_ca_cert_pem(&root.pem(), of_root).unwrap();
        let below = params("below", true).signed_by(&of_below, &root_issuer).unwrap();
        let below_issuer = Issuer::from_ca_cert_pem(&below.pem(), of_below).unwrap();
        let leaf = params(HOST, false).signed_by(&of_leaf, &below_issuer).unwrap();
        [root.pem(), below.pem(), leaf.pem()]
    }

    /// Whether a client that trusts this bundle accepts a server that shows this.
    fn verdict(bundle: &str, chain: &str) -> Result<(), Distrust> {
        let chain: Vec<_> = CertificateDer::pem_slice_iter(chain.as_bytes()).map(Result::unwrap).collect();
        Authorities::parse(bundle.as_bytes()).unwrap().accept(&chain, HOST, Timestamp::now())
    }

    #[test]
    fn an_authority_below_a_root_may_stand_in_either_place_and_is_not_enough() {
        let [root, below, leaf] = three();
        assert_eq!(verdict(&root, &(leaf.clone() + &below)), Ok(()));
        assert_eq!(verdict(&(below.clone() + &root), &leaf), Ok(()));
        assert_eq!(verdict(&root, &leaf), Err(Distrust::UnknownIssuer));
        assert_eq!(verdict(&below, &leaf), Err(Distrust::UnknownIssuer));
        assert!(
            Authorities::parse(below.as_bytes())
                .unwrap()
                .issuer(&Authorities::parse(leaf.as_bytes()).unwrap().certificates[0])
                .is_some()
        );
    }

    #[test]
    fn a_certificate_that_signed_itself_is_trusted_where_it_is_in_the_bundle() {
        let key = KeyPair::generate().unwrap();
        let leaf = params(HOST, false).self_signed(&key).unwrap().pem();
        assert_eq!(verdict(&leaf, &leaf), Ok(()));
        let [root, _, _] = three();
        assert_eq!(verdict(&root, &leaf), Err(Distrust::UnknownIssuer));
    }

    #[test]
    fn a_bundle_is_joined_by_what_it_lacks_and_has_not_expired() {
        let [root, below, _] = three();
        let parse = |pem: &str| Authorities::parse(pem.as_bytes()).unwrap();
        let now = Timestamp::now();
        let joined = parse(&root).joined_by(&parse(&below), now);
        assert_eq!(joined, parse(joined.pem()));
        assert_eq!(joined.pem(), root.clone() + &below);
        assert_eq!(parse(&root).joined_by(&joined, now), joined, "again, and it is the same");
        assert_eq!(joined.clone().joined_by(&parse(&root), now), joined);
        let later = parse(&below).certificates[0].not_after;
        assert_eq!(parse(&root).joined_by(&parse(&below), later), parse(&root));
    }
}
