//! A master key encrypted to an RSA certificate, as `ProtectKeysWithCertificate` does it with XML encryption.
//!
//! In: the parts of an `EncryptedData` element, or a master key with random bytes. Out: the other of the two. The content
//! is AES-256-CBC; its key is wrapped with RSA-OAEP (SHA-1, as the name `rsa-oaep-mgf1p` says), which every .NET reads,
//! while .NET itself writes PKCS#1 v1.5, which is read here too. The library draws the padding of the wrapped key.
//!
//! Sources: <https://www.w3.org/TR/xmlenc-core/>, and `CertificateXmlEncryptor` and `EncryptedXmlDecryptor` in
//! <https://github.com/dotnet/aspnetcore/tree/main/src/DataProtection/DataProtection/src/XmlEncryption>.

use std::fmt;

use aws_lc_rs::rsa::{
    OAEP_SHA1_MGF1SHA1, OaepPrivateDecryptingKey, OaepPublicEncryptingKey, Pkcs1PrivateDecryptingKey,
};
use zeroize::Zeroizing;

use super::cipher::{self, IV_BYTES, Padding};
use crate::data_protection::certificate::{Certificate, Pair, Thumbprint};

/// Random bytes that encrypting a master key takes.
pub const RANDOM_BYTES: usize = SESSION_KEY_BYTES + IV_BYTES;
/// Bytes of the key that encrypts the content.
const SESSION_KEY_BYTES: usize = 32;

/// How the content's key is wrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrapping {
    /// RSA with the padding of PKCS#1 v1.5.
    Pkcs1,
    /// RSA-OAEP with SHA-1.
    OaepMgf1p,
}

impl Wrapping {
    /// From the algorithm's URI. .NET takes everything but OAEP for PKCS#1 v1.5.
    #[must_use]
    pub fn parse(uri: &str) -> Self {
        if uri == Self::OaepMgf1p.uri() { Self::OaepMgf1p } else { Self::Pkcs1 }
    }

    /// The algorithm's URI.
    #[must_use]
    pub fn uri(self) -> &'static str {
        match self {
            Self::Pkcs1 => "http://www.w3.org/2001/04/xmlenc#rsa-1_5",
            Self::OaepMgf1p => "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p",
        }
    }
}

/// What the content is encrypted with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// AES with 128 bits in CBC mode.
    Aes128,
    /// AES with 192 bits in CBC mode.
    Aes192,
    /// AES with 256 bits in CBC mode, as .NET writes it.
    Aes256,
}

impl Content {
    /// From the algorithm's URI; `None` for any other.
    #[must_use]
    pub fn parse(uri: &str) -> Option<Self> {
        [Self::Aes128, Self::Aes192, Self::Aes256].into_iter().find(|content| content.uri() == uri)
    }

    /// The algorithm's URI.
    #[must_use]
    pub fn uri(self) -> &'static str {
        match self {
            Self::Aes128 => "http://www.w3.org/2001/04/xmlenc#aes128-cbc",
            Self::Aes192 => "http://www.w3.org/2001/04/xmlenc#aes192-cbc",
            Self::Aes256 => "http://www.w3.org/2001/04/xmlenc#aes256-cbc",
        }
    }
}

/// A master key that only the holder of a certificate's private key can read.
#[derive(Clone, PartialEq, Eq)]
pub struct EncryptedSecret {
    /// The certificate, in DER.
    pub certificate: Vec<u8>,
    /// How the content's key is wrapped.
    pub wrapping: Wrapping,
    /// The content's key.
    pub key: Vec<u8>,
    /// What the content is encrypted with.
    pub cipher: Content,
    /// An initialization vector, and the content.
    pub content: Vec<u8>,
}

impl fmt::Debug for EncryptedSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "EncryptedSecret(to {})", self.thumbprint())
    }
}

/// Why an encrypted master key cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Its certificate is not at hand.
    #[error("it is encrypted to the certificate {0}, whose private key is not at hand")]
    CertificateMissing(Thumbprint),
    /// The certificate's private key does not decrypt it.
    #[error("the private key of the certificate {0} does not decrypt it")]
    Damaged(Thumbprint),
}

/// Why a master key cannot be encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the master key could not be encrypted to the certificate {0}")]
pub struct SealError(Thumbprint);

impl EncryptedSecret {
    /// Encrypts to a certificate.
    ///
    /// # Errors
    /// Where the certificate's key cannot be used.
    pub fn seal(certificate: &Certificate, content: &[u8], random: &[u8; RANDOM_BYTES]) -> Result<Self, SealError> {
        let failed = || SealError(certificate.thumbprint());
        let (session_key, iv) = random.split_first_chunk::<SESSION_KEY_BYTES>().ok_or_else(failed)?;
        let iv = iv.first_chunk::<IV_BYTES>().ok_or_else(failed)?;
        let public_key = certificate.public_key().map_err(|_| failed())?;
        let public_key = OaepPublicEncryptingKey::new(public_key).map_err(|_| failed())?;
        let mut key = vec![0; public_key.ciphertext_size()];
        public_key.encrypt(&OAEP_SHA1_MGF1SHA1, session_key, &mut key, None).map_err(|_| failed())?;
        let mut encrypted = iv.to_vec();
        encrypted.extend(cipher::encrypt_cbc(session_key, iv, content).map_err(|_| failed())?);
        Ok(Self {
            certificate: certificate.der().to_vec(),
            wrapping: Wrapping::OaepMgf1p,
            key,
            cipher: Content::Aes256,
            content: encrypted,
        })
    }

    /// The certificate that it is encrypted to.
    #[must_use]
    pub fn thumbprint(&self) -> Thumbprint {
        Thumbprint::of(&self.certificate)
    }

    /// Decrypts with whichever of these certificates it is for.
    ///
    /// # Errors
    /// Where none is, or where it was changed.
    pub fn open(&self, pairs: &[Pair]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let thumbprint = self.thumbprint();
        let pair = pairs.iter().find(|pair| pair.thumbprint() == thumbprint);
        let pair = pair.ok_or(OpenError::CertificateMissing(thumbprint))?;
        self.decrypt(pair).ok_or(OpenError::Damaged(thumbprint))
    }

    fn decrypt(&self, pair: &Pair) -> Option<Zeroizing<Vec<u8>>> {
        let mut buffer = Zeroizing::new(vec![0; pair.key().key_size_bytes()]);
        let key = pair.key().clone();
        let session_key: &[u8] = match self.wrapping {
            Wrapping::Pkcs1 => Pkcs1PrivateDecryptingKey::new(key).ok()?.decrypt(&self.key, &mut buffer).ok()?,
            Wrapping::OaepMgf1p => OaepPrivateDecryptingKey::new(key)
                .ok()?
                .decrypt(&OAEP_SHA1_MGF1SHA1, &self.key, &mut buffer, None)
                .ok()?,
        };
        let (iv, content) = self.content.split_first_chunk::<IV_BYTES>()?;
        cipher::decrypt_cbc(session_key, iv, content, Padding::Iso10126).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(name: &str) -> Pair {
        let read = |suffix: &str| {
            let path = format!("{}/tests/vectors/data-protection/{name}.{suffix}.pem", env!("CARGO_MANIFEST_DIR"));
            std::fs::read(path).unwrap()
        };
        Pair::parse(&read("crt"), &read("key")).unwrap()
    }

    #[test]
    fn what_is_encrypted_to_a_certificate_is_read_with_its_private_key() {
        for name in ["current", "previous", "rsa4096"] {
            let pair = pair(name);
            let sealed = EncryptedSecret::seal(pair.certificate(), b"<masterKey/>", &[3; RANDOM_BYTES]).unwrap();
            assert_eq!(sealed.open(&[pair]).unwrap().as_slice(), b"<masterKey/>");
        }
    }

    #[test]
    fn another_certificate_does_not_help() {
        let (current, previous) = (pair("current"), pair("previous"));
        let sealed = EncryptedSecret::seal(current.certificate(), b"<masterKey/>", &[3; RANDOM_BYTES]).unwrap();
        assert_eq!(sealed.open(&[previous]), Err(OpenError::CertificateMissing(current.thumbprint())));
    }

    #[test]
    fn a_wrapped_key_that_was_changed_is_damaged() {
        let pair = pair("current");
        let mut sealed = EncryptedSecret::seal(pair.certificate(), b"<masterKey/>", &[3; RANDOM_BYTES]).unwrap();
        sealed.key[17] ^= 1;
        assert_eq!(sealed.open(std::slice::from_ref(&pair)), Err(OpenError::Damaged(pair.thumbprint())));
    }

    #[test]
    fn it_prints_whom_it_is_for_and_nothing_else() {
        let pair = pair("current");
        let sealed = EncryptedSecret::seal(pair.certificate(), b"<masterKey/>", &[3; RANDOM_BYTES]).unwrap();
        assert_eq!(format!("{sealed:?}"), format!("EncryptedSecret(to {})", pair.thumbprint()));
    }
}
