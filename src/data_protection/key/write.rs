//! Key and revocation files, byte for byte as ASP.NET Core writes them on Linux.
//!
//! In: a key or a revocation. Out: a file, which prints by its name only. The element and type names are those of
//! `XmlKeyManager`: <https://learn.microsoft.com/aspnet/core/security/data-protection/implementation/key-management>.

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

use super::{
    Descriptor, Key, Master,
    algorithm::Algorithm,
    encrypted_xml::EncryptedSecret,
    master_key::MasterKey,
    revocation::{Revocation, Revoked},
};

/// What ASP.NET Core begins every file with.
const HEAD: &str = "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?>\n";
/// What follows the name of a type. Every runtime drops the version before it looks for the type.
const ASSEMBLY: &str =
    "Microsoft.AspNetCore.DataProtection, Version=10.0.0.0, Culture=neutral, PublicKeyToken=adb9793829ddae60";
/// What reads the descriptor of a key.
pub(crate) const DESERIALIZER: &str = "Microsoft.AspNetCore.DataProtection.AuthenticatedEncryption.ConfigurationModel.AuthenticatedEncryptorDescriptorDeserializer";
/// What reads a master key that is encrypted to a certificate.
pub(crate) const DECRYPTOR: &str = "Microsoft.AspNetCore.DataProtection.XmlEncryption.EncryptedXmlDecryptor";
/// The namespace of what is secret in a key.
pub(crate) const NAMESPACE: &str = "http://schemas.asp.net/2015/03/dataProtection";

/// A file of the ring. It prints by its name only.
#[derive(Clone, PartialEq, Eq)]
pub struct File {
    /// What it is called.
    pub name: String,
    /// What is in it.
    pub content: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for File {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "File({}, {} bytes)", self.name, self.content.len())
    }
}

/// The file of a key; `None` for one of another kind.
pub(crate) fn key(key: &Key) -> Option<File> {
    let Descriptor::Known { algorithm, master } = &key.descriptor else { return None };
    let Key { id, created, activates, expires, .. } = key;
    let (ciphers, secret) = (ciphers(*algorithm), secret(master));
    let content = format!(
        r#"{HEAD}<key id="{id}" version="1">
  <creationDate>{created}</creationDate>
  <activationDate>{activates}</activationDate>
  <expirationDate>{expires}</expirationDate>
  <descriptor deserializerType="{DESERIALIZER}, {ASSEMBLY}">
    <descriptor>
{ciphers}
{secret}
    </descriptor>
  </descriptor>
</key>"#,
        secret = secret.as_str()
    );
    Some(File { name: key.file_name(), content: Zeroizing::new(content.into_bytes()) })
}

/// The file of a revocation.
pub(crate) fn revocation(revocation: &Revocation) -> File {
    let (key, comment) = match revocation.revoked {
        Revoked::Key(id) => (id.to_string(), ""),
        Revoked::AllCreatedBefore => {
            ("*".to_owned(), "  <!-- All keys created before the revocation date are revoked. -->\n")
        }
    };
    let reason = match escaped(&revocation.reason) {
        reason if reason.is_empty() => "<reason />".to_owned(),
        reason => format!("<reason>{reason}</reason>"),
    };
    let content = format!(
        r#"{HEAD}<revocation version="1">
  <revocationDate>{date}</revocationDate>
{comment}  <key id="{key}" />
  {reason}
</revocation>"#,
        date = revocation.date
    );
    File { name: revocation.file_name(), content: Zeroizing::new(content.into_bytes()) }
}

/// What is encrypted where a certificate is used: the element that would stand in the file otherwise.
pub(crate) fn master_key_element(master: &MasterKey) -> Zeroizing<String> {
    Zeroizing::new(format!(
        "<masterKey d1p1:requiresEncryption=\"true\" xmlns:d1p1=\"{NAMESPACE}\"><!-- Warning: the key below is in an \
         unencrypted form. --><value>{}</value></masterKey>",
        encoded(master).as_str()
    ))
}

fn ciphers(algorithm: Algorithm) -> String {
    let validation = match algorithm.validation() {
        Some(validation) => format!(r#"<validation algorithm="{}" />"#, validation.name()),
        None => {
            "<!-- AES-GCM includes a 128-bit authentication tag, no extra validation algorithm required. -->".to_owned()
        }
    };
    format!("      <encryption algorithm=\"{}\" />\n      {validation}", algorithm.encryption())
}

fn secret(master: &Master) -> Zeroizing<String> {
    Zeroizing::new(match master {
        Master::Plain(master) => format!(
            r#"      <masterKey p4:requiresEncryption="true" xmlns:p4="{NAMESPACE}">
        <!-- Warning: the key below is in an unencrypted form. -->
        <value>{}</value>
      </masterKey>"#,
            encoded(master).as_str()
        ),
        Master::Encrypted(secret) => encrypted(secret),
    })
}

fn encrypted(secret: &EncryptedSecret) -> String {
    format!(
        r#"      <encryptedSecret decryptorType="{DECRYPTOR}, {ASSEMBLY}" xmlns="{NAMESPACE}">
        <EncryptedData Type="http://www.w3.org/2001/04/xmlenc#Element" xmlns="http://www.w3.org/2001/04/xmlenc#">
          <EncryptionMethod Algorithm="{cipher}" />
          <KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#">
            <EncryptedKey xmlns="http://www.w3.org/2001/04/xmlenc#">
              <EncryptionMethod Algorithm="{wrapping}" />
              <KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#">
                <X509Data>
                  <X509Certificate>{certificate}</X509Certificate>
                </X509Data>
              </KeyInfo>
              <CipherData>
                <CipherValue>{key}</CipherValue>
              </CipherData>
            </EncryptedKey>
          </KeyInfo>
          <CipherData>
            <CipherValue>{content}</CipherValue>
          </CipherData>
        </EncryptedData>
      </encryptedSecret>"#,
        cipher = secret.cipher.uri(),
        wrapping = secret.wrapping.uri(),
        certificate = STANDARD.encode(&secret.certificate),
        key = STANDARD.encode(&secret.key),
        content = STANDARD.encode(&secret.content),
    )
}

fn encoded(master: &MasterKey) -> Zeroizing<String> {
    Zeroizing::new(STANDARD.encode(master.reveal()))
}

/// Text between two tags. What XML cannot hold is left out, so that no file is ever malformed.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\u{fffe}' | '\u{ffff}' => {}
            '\t' | '\n' => escaped.push(character),
            control if control.is_control() => {}
            other => escaped.push(other),
        }
    }
    escaped.trim().to_owned()
}
