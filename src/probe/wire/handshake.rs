//! The TLS handshake, by address and verified by name, and the certificate that the server shows in it.
//!
//! A certificate is accepted as clients accept it, but for one thing: an expired one proves the same server still, and the
//! operator has to reach that server to have the next one loaded. That it has expired is told.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{
    Limits,
    failure::refusal,
    greeting::{self, Greeting},
    tcp::{connect, why},
};
use crate::redis::{
    look::{
        Server, Trust,
        fault::{Fault, Foreign, Untrusted},
    },
    tls::certificate::{self, Certificate, Distrust, Fingerprint, unix},
};

/// The certificate that a server showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) fingerprint: Fingerprint,
    pub(crate) not_after: Timestamp,
}

/// Opens a connection on which the server has proved who it is.
///
/// # Errors
/// Where it cannot, and what it is instead.
pub(crate) async fn make(
    server: &Server,
    trust: &Trust,
    limits: Limits,
) -> Result<(TlsStream<TcpStream>, Shown), Fault> {
    let seen = Arc::new(Mutex::default());
    let connector = TlsConnector::from(Arc::new(config(trust, &seen)?));
    let name = ServerName::try_from(trust.name.clone())
        .map_err(|_| Fault::Unexpected("the server's name is none that a certificate can have".to_owned()))?;
    let stream = connect(server, limits.connect).await?;
    match timeout(limits.answer, connector.connect(name, stream)).await {
        Ok(Ok(stream)) => {
            let shown = shown(&stream).ok_or_else(|| Fault::Unexpected("it showed no certificate".to_owned()))?;
            Ok((stream, shown))
        }
        Ok(Err(error)) => match distrust(&error) {
            Some(why) => Err(Fault::Certificate(Untrusted { why, shown: foreign(&seen), since: None })),
            None => Err(without_tls(server, limits, &why(&error)).await),
        },
        Err(_) => Err(without_tls(server, limits, "the handshake took too long").await),
    }
}

/// The certificate that a server shows to whom connects now.
///
/// # Errors
/// As of [`make`].
pub(crate) async fn look(server: &Server, trust: &Trust, limits: Limits) -> Result<Shown, Fault> {
    make(server, trust, limits).await.map(|(_, shown)| shown)
}

/// The certificate that a server showed and that was not accepted.
fn foreign(seen: &Seen) -> Option<Foreign> {
    let certificate = seen.lock().unwrap_or_else(PoisonError::into_inner).take()?;
    let issuer = Certificate::read(&certificate).map(|read| read.issuer).unwrap_or_default();
    Some(Foreign { fingerprint: Fingerprint::of(&certificate), issuer })
}

fn config(trust: &Trust, seen: &Arc<Seen>) -> Result<ClientConfig, Fault> {
    let inner = trust
        .authorities
        .verifier()
        .ok_or_else(|| Fault::from(Distrust::Other("none of the authorities can be used".to_owned())))?;
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| Fault::Unexpected(certificate::refusal(&error)))?;
    let mut config = builder
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Verifier { inner, seen: Arc::clone(seen) }))
        .with_no_client_auth();
    // A resumed session would show the certificate of the one before.
    config.resumption = rustls::client::Resumption::disabled();
    Ok(config)
}

fn shown(stream: &TlsStream<TcpStream>) -> Option<Shown> {
    let certificate = stream.get_ref().1.peer_certificates()?.first()?;
    let not_after = Certificate::read(certificate)?.not_after;
    Some(Shown { fingerprint: Fingerprint::of(certificate), not_after })
}

/// What a failed handshake says of the certificate; `None` where it never came to that.
fn distrust(error: &io::Error) -> Option<Distrust> {
    match error.get_ref()?.downcast_ref::<Error>()? {
        Error::InvalidCertificate(error) => Some(Distrust::of(error)),
        _ => None,
    }
}

/// What a server is that makes no handshake: a PING in plain text tells. Nothing else is ever sent so.
async fn without_tls(server: &Server, limits: Limits, why: &str) -> Fault {
    let mut stream = match connect(server, limits.connect).await {
        Ok(stream) => stream,
        Err(fault) => return fault,
    };
    match greeting::exchange(&mut stream, limits.answer).await {
        Greeting::Redis => Fault::PlainText,
        Greeting::TlsAlert => Fault::Unexpected(format!("no TLS handshake: {why}")),
        other => refusal(other),
    }
}

/// The certificate that a server showed last.
type Seen = Mutex<Option<CertificateDer<'static>>>;

/// As clients verify, but for the time.
#[derive(Debug)]
struct Verifier {
    inner: Arc<WebPkiServerVerifier>,
    seen: Arc<Seen>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(end_entity.clone().into_owned());
        let at = |time| self.inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, time);
        match at(now) {
            Err(Error::InvalidCertificate(
                expired @ (CertificateError::Expired | CertificateError::ExpiredContext { .. }),
            )) => match Certificate::read(end_entity) {
                Some(certificate) => at(unix(certificate.not_after)),
                None => Err(Error::InvalidCertificate(expired)),
            },
            verdict => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}
