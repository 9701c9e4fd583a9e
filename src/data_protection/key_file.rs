//! Reading a file of the ring, as ASP.NET Core does it.
//!
//! In: the bytes of a file. Out: a key or a revocation, or why every application would refuse the file or pass over it. What
//! stands in a file that nobody asked for is passed over. Nothing is decrypted here.

use base64::{Engine, alphabet, engine};
use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use roxmltree::{Document, Node};
use zeroize::Zeroizing;

use super::{
    algorithm::Algorithm,
    encrypted_xml::{EncryptedSecret, Wrapping},
    key::{Descriptor, Foreign, Key, Master},
    key_id::KeyId,
    key_writer::{DECRYPTOR, DESERIALIZER, NAMESPACE},
    master_key::MasterKey,
    revocation::{Revocation, Revoked},
};

/// What writes master keys down in plain, within a frame that says that they are not.
const NULL_DECRYPTOR: &str = "Microsoft.AspNetCore.DataProtection.XmlEncryption.NullXmlDecryptor";

/// What a file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Element {
    /// A key.
    Key(Box<Key>),
    /// A revocation.
    Revocation(Revocation),
}

impl Element {
    /// The name of the key that it is; `None` for a revocation.
    #[must_use]
    pub fn key_id(&self) -> Option<KeyId> {
        match self {
            Self::Key(key) => Some(key.id),
            Self::Revocation(_) => None,
        }
    }
}

/// Why a file does not belong into a ring.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// With it, an application cannot read any key at all.
    #[error("it is no well-formed XML ({0}), with which no application could read the ring")]
    Malformed(String),
    /// Applications pass it over.
    #[error("it holds <{0}>, which is neither a key nor a revocation")]
    Unknown(String),
    /// Applications pass it over.
    #[error("it is a key without a usable {0}")]
    Key(&'static str),
    /// With it, an application cannot read any key at all.
    #[error("it is a revocation without a usable {0}, with which no application could read the ring")]
    Revocation(&'static str),
}

/// Reads a file.
///
/// # Errors
/// Where it is neither a key nor a revocation.
pub fn read(bytes: &[u8]) -> Result<Element, FileError> {
    with_root(bytes, element)?
}

/// Does something with the element that a file consists of.
fn with_root<T>(bytes: &[u8], work: impl FnOnce(Node<'_, '_>) -> T) -> Result<T, FileError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|_| FileError::Malformed("it is not UTF-8".to_owned()))?;
    // The parser's own words may quote what stands there.
    let document = Document::parse(text).map_err(|error| FileError::Malformed(format!("at {}", error.pos())))?;
    Ok(work(document.root_element()))
}

fn element(node: Node<'_, '_>) -> Result<Element, FileError> {
    match (node.tag_name().namespace(), node.tag_name().name()) {
        (None, "key") => key(node).map(|key| Element::Key(Box::new(key))),
        (None, "revocation") => revocation(node).map(Element::Revocation),
        (_, other) => Err(FileError::Unknown(other.chars().take(60).collect())),
    }
}

fn key(node: Node<'_, '_>) -> Result<Key, FileError> {
    let id = node.attribute("id").and_then(KeyId::parse).ok_or(FileError::Key("id"))?;
    let date = |name: &'static str| child(node, name).and_then(date).ok_or(FileError::Key(name));
    Ok(Key {
        id,
        created: date("creationDate")?,
        activates: date("activationDate")?,
        expires: date("expirationDate")?,
        descriptor: descriptor(node).unwrap_or_else(Descriptor::Foreign),
    })
}

fn revocation(node: Node<'_, '_>) -> Result<Revocation, FileError> {
    let of = child(node, "key").and_then(|key| key.attribute("id")).ok_or(FileError::Revocation("key"))?;
    let date = child(node, "revocationDate").and_then(date);
    let reason = child(node, "reason").map(text).unwrap_or_default();
    if of == "*" {
        let date = date.ok_or(FileError::Revocation("revocationDate"))?;
        return Ok(Revocation { revoked: Revoked::AllCreatedBefore, date, reason });
    }
    let id = KeyId::parse(of).ok_or(FileError::Revocation("key"))?;
    // Of one key the date is for people only.
    Ok(Revocation { revoked: Revoked::Key(id), date: date.unwrap_or(Timestamp::UNIX_EPOCH), reason })
}

fn descriptor(key: Node<'_, '_>) -> Result<Descriptor, Foreign> {
    let outer = child(key, "descriptor").ok_or(Foreign::Incomplete("descriptor"))?;
    let deserializer = outer.attribute("deserializerType").ok_or(Foreign::Incomplete("deserializerType"))?;
    if type_name(deserializer) != DESERIALIZER {
        return Err(Foreign::Deserializer(type_name(deserializer).to_owned()));
    }
    let inner = only_element(outer).ok_or(Foreign::Incomplete("descriptor"))?;
    let name = |of: &str| child(inner, of).and_then(|node| node.attribute("algorithm"));
    let encryption = name("encryption").ok_or(Foreign::Incomplete("encryption algorithm"))?;
    let validation = name("validation");
    let algorithm = Algorithm::parse(encryption, validation).ok_or_else(|| {
        Foreign::Algorithm(format!("{encryption} {}", validation.unwrap_or_default()).trim().to_owned())
    })?;
    Ok(Descriptor::Known { algorithm, master: master(inner)? })
}

fn master(descriptor: Node<'_, '_>) -> Result<Master, Foreign> {
    if let Some(plain) = child(descriptor, "masterKey") {
        return master_key(plain).map(Master::Plain).ok_or(Foreign::Incomplete("master key"));
    }
    let secret = descriptor.children().find(|node| node.has_tag_name((NAMESPACE, "encryptedSecret")));
    let secret = secret.ok_or(Foreign::Incomplete("master key"))?;
    let decryptor = secret.attribute("decryptorType").map(type_name).ok_or(Foreign::Incomplete("decryptorType"))?;
    match decryptor {
        DECRYPTOR => encrypted(secret).map(Master::Encrypted).ok_or(Foreign::Incomplete("certificate")),
        NULL_DECRYPTOR => {
            let plain = secret.descendants().find(|node| node.tag_name().name() == "masterKey");
            plain.and_then(master_key).map(Master::Plain).ok_or(Foreign::Incomplete("master key"))
        }
        other => Err(Foreign::Decryptor(other.to_owned())),
    }
}

fn encrypted(secret: Node<'_, '_>) -> Option<EncryptedSecret> {
    let data = by_name(secret, "EncryptedData")?;
    let key = by_name(by_name(data, "KeyInfo")?, "EncryptedKey")?;
    let method = by_name(key, "EncryptionMethod").and_then(|method| method.attribute("Algorithm"));
    let value = |of: Node<'_, '_>| by_name(by_name(of, "CipherData")?, "CipherValue").and_then(base64);
    let certificate = key.descendants().find(|node| node.tag_name().name() == "X509Certificate")?;
    Some(EncryptedSecret {
        certificate: base64(certificate)?,
        wrapping: Wrapping::parse(method.unwrap_or_default()),
        key: value(key)?,
        content: value(data)?,
    })
}

/// The master key in an element that was encrypted.
pub(super) fn master_key_element(bytes: &[u8]) -> Option<MasterKey> {
    with_root(bytes, |root| (root.tag_name().name() == "masterKey").then(|| master_key(root))).ok()??
}

fn master_key(node: Node<'_, '_>) -> Option<MasterKey> {
    MasterKey::new(Zeroizing::new(base64(node)?))
}

fn child<'tree, 'text>(node: Node<'tree, 'text>, name: &str) -> Option<Node<'tree, 'text>> {
    node.children().find(|child| child.has_tag_name(name) && child.tag_name().namespace().is_none())
}

fn by_name<'tree, 'text>(node: Node<'tree, 'text>, name: &str) -> Option<Node<'tree, 'text>> {
    node.children().find(|child| child.is_element() && child.tag_name().name() == name)
}

fn only_element<'tree, 'text>(node: Node<'tree, 'text>) -> Option<Node<'tree, 'text>> {
    let mut elements = node.children().filter(Node::is_element);
    elements.next().filter(|_| elements.next().is_none())
}

/// All text in an element, whichever elements it stands in.
fn text(node: Node<'_, '_>) -> String {
    node.descendants().filter(Node::is_text).filter_map(|node| node.text()).collect()
}

/// White space may stand anywhere, as `Convert.FromBase64String` allows.
fn base64(node: Node<'_, '_>) -> Option<Vec<u8>> {
    let coder = engine::GeneralPurpose::new(&alphabet::STANDARD, engine::general_purpose::PAD);
    let text = Zeroizing::new(text(node));
    let dense: Zeroizing<Vec<u8>> = Zeroizing::new(text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect());
    coder.decode(dense.as_slice()).ok().filter(|bytes| !bytes.is_empty())
}

/// A type's name without the assembly that it is in, the version of which every runtime passes over.
fn type_name(qualified: &str) -> &str {
    qualified.split(',').next().unwrap_or_default().trim()
}

/// An `xsd:dateTime`. Without an offset it would be local time, which in a container is UTC. What lies beyond the last day
/// that can be told is that day: keys that never expire say 9999.
fn date(node: Node<'_, '_>) -> Option<Timestamp> {
    let text = text(node);
    let text = text.trim();
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some(time);
    }
    let civil = |text: &str| text.parse::<DateTime>().ok();
    if let Some(local) = civil(text) {
        return Some(local.to_zoned(TimeZone::UTC).map_or(Timestamp::MAX, |zoned| zoned.timestamp()));
    }
    let is_last = civil(text.get(..19)?)?.date() >= Timestamp::MAX.to_zoned(TimeZone::UTC).date();
    is_last.then_some(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date_of(text: &str) -> Option<String> {
        with_root(format!("<date>{text}</date>").as_bytes(), date).unwrap().map(|date| date.to_string())
    }

    #[test]
    fn dates_are_read_with_any_fraction_and_offset() {
        for (text, read) in [
            ("2026-11-22T02:27:08.2025735Z", "2026-11-22T02:27:08.2025735Z"),
            ("2026-11-22T02:27:08Z", "2026-11-22T02:27:08Z"),
            ("2026-11-22T04:27:08+02:00", "2026-11-22T02:27:08Z"),
            (" 2026-11-22T02:27:08 ", "2026-11-22T02:27:08Z"),
        ] {
            assert_eq!(date_of(text).as_deref(), Some(read), "{text}");
        }
        assert_eq!(date_of("9999-12-31T23:59:59.9999999Z"), Some(Timestamp::MAX.to_string()));
        assert_eq!(date_of("soon"), None);
        assert_eq!(date_of(""), None);
    }

    #[test]
    fn what_would_break_every_application_is_told_from_what_is_passed_over() {
        let error = |text: &str| read(text.as_bytes()).unwrap_err();
        for malformed in ["", "<key", "<key></revocation>", "<a/><b/>", "<!DOCTYPE a [<!ENTITY b 'c'>]><key id='&b;'/>"]
        {
            assert!(matches!(error(malformed), FileError::Malformed(_)), "{malformed}");
        }
        assert!(matches!(read(b"\xff\xfe<\0"), Err(FileError::Malformed(_))));
        assert_eq!(error("<keys/>"), FileError::Unknown("keys".to_owned()));
        assert_eq!(error("<key xmlns='urn:other'/>"), FileError::Unknown("key".to_owned()));
        assert_eq!(error("<key/>"), FileError::Key("id"));
        assert_eq!(error("<key id='89c124f1-5cf8-4e31-813c-67ccf7852c9f'/>"), FileError::Key("creationDate"));
        assert_eq!(error("<revocation/>"), FileError::Revocation("key"));
        assert_eq!(error("<revocation><key id='*'/></revocation>"), FileError::Revocation("revocationDate"));
    }
}
