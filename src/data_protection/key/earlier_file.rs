//! Reading a file of a key as earlier versions of this operator did, which took over more than ASP.NET Core reads.
//!
//! In: the bytes of a file that an earlier version has put into a key's own Secret, or published. Out: the key or the
//! revocation, where it is clear which one it is: that is published anew, in the operator's own words. Only what is in a Secret
//! of the operator's own is read like this, never what somebody hands to it. What each file is allowed to have is the same.

use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use roxmltree::Node;
use zeroize::Zeroizing;

use super::{
    Descriptor, Key, Master,
    algorithm::Algorithm,
    date::Date,
    descriptor::NULL_DECRYPTOR,
    encrypted_xml::{Content, EncryptedSecret, Wrapping},
    id::KeyId,
    master_key::MasterKey,
    read::{Element, LARGEST_FILE, child, namespace, text, with_root},
    revocation::{Revocation, Revoked},
    write::{DECRYPTOR, DESERIALIZER, NAMESPACE},
    xml::outline,
};

/// Reads a file; `None` where it is not clear what it is.
#[must_use]
pub fn read(bytes: &[u8]) -> Option<Element> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).ok().filter(|text| text.len() <= LARGEST_FILE)?;
    // Whatever encoding and version it declared were passed over.
    let text = match text.strip_prefix("<?xml") {
        Some(rest) => rest.split_once("?>")?.1,
        None => text,
    };
    outline::outline(text).ok()?;
    with_root(text, element).ok()?
}

fn element(node: Node<'_, '_>) -> Option<Element> {
    match (namespace(node), node.tag_name().name()) {
        (None, "key") => key(node).map(|key| Element::Key(Box::new(key))),
        (None, "revocation") => revocation(node).map(Element::Revocation),
        _ => None,
    }
}

fn key(node: Node<'_, '_>) -> Option<Key> {
    let date = |name| child(node, name).and_then(date);
    let outer = child(node, "descriptor")?;
    if type_name(outer.attribute("deserializerType")?) != DESERIALIZER {
        return None;
    }
    let inner = outer.children().find(Node::is_element)?;
    let name = |of: &str| child(inner, of).and_then(|node| node.attribute("algorithm"));
    let algorithm = Algorithm::parse(name("encryption")?, name("validation"))?;
    Some(Key {
        id: KeyId::parse(node.attribute("id")?)?,
        created: date("creationDate")?,
        activates: date("activationDate")?,
        expires: date("expirationDate")?,
        descriptor: Descriptor::Known { algorithm, master: master(inner)? },
    })
}

fn revocation(node: Node<'_, '_>) -> Option<Revocation> {
    let of = child(node, "key")?.attribute("id")?;
    let date = child(node, "revocationDate").and_then(date).map(Date::timestamp);
    let reason = child(node, "reason").map(text).unwrap_or_default();
    if of == "*" {
        return Some(Revocation { revoked: Revoked::AllCreatedBefore, date: date?, reason });
    }
    Some(Revocation { revoked: Revoked::Key(KeyId::parse(of)?), date: date.unwrap_or_default(), reason })
}

fn master(descriptor: Node<'_, '_>) -> Option<Master> {
    if let Some(plain) = child(descriptor, "masterKey") {
        return MasterKey::new(Zeroizing::new(base64(plain)?)).map(Master::Plain);
    }
    let secret = descriptor.children().find(|node| node.has_tag_name((NAMESPACE, "encryptedSecret")))?;
    match type_name(secret.attribute("decryptorType")?) {
        DECRYPTOR => encrypted(secret).map(Master::Encrypted),
        NULL_DECRYPTOR => {
            let plain = secret.descendants().find(|node| node.tag_name().name() == "masterKey")?;
            MasterKey::new(Zeroizing::new(base64(plain)?)).map(Master::Plain)
        }
        _ => None,
    }
}

fn encrypted(secret: Node<'_, '_>) -> Option<EncryptedSecret> {
    let data = by_name(secret, "EncryptedData")?;
    let key = by_name(by_name(data, "KeyInfo")?, "EncryptedKey")?;
    let method = |of| by_name(of, "EncryptionMethod").and_then(|method| method.attribute("Algorithm"));
    let value = |of| by_name(by_name(of, "CipherData")?, "CipherValue").and_then(base64);
    Some(EncryptedSecret {
        certificate: base64(key.descendants().find(|node| node.tag_name().name() == "X509Certificate")?)?,
        wrapping: Wrapping::parse(method(key).unwrap_or_default()),
        key: value(key)?,
        cipher: Content::parse(method(data)?)?,
        content: value(data)?,
    })
}

fn by_name<'tree, 'text>(node: Node<'tree, 'text>, name: &str) -> Option<Node<'tree, 'text>> {
    node.children().find(|child| child.is_element() && child.tag_name().name() == name)
}

fn base64(node: Node<'_, '_>) -> Option<Vec<u8>> {
    let text = Zeroizing::new(text(node));
    let dense: Zeroizing<Vec<u8>> = Zeroizing::new(text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect());
    STANDARD.decode(dense.as_slice()).ok().filter(|bytes| !bytes.is_empty())
}

fn type_name(qualified: &str) -> &str {
    qualified.split(',').next().unwrap_or_default().trim()
}

fn date(node: Node<'_, '_>) -> Option<Date> {
    let text = text(node);
    let text = text.trim();
    if let Ok(date) = Date::parse(text) {
        return Some(date);
    }
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some(time.into());
    }
    let local: DateTime = text.parse().ok()?;
    Some(local.to_zoned(TimeZone::UTC).map_or(Timestamp::MAX, |zoned| zoned.timestamp()).into())
}
