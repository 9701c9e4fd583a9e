//! What is in a key: its ciphers and its master key, as the element of a file tells them.
//!
//! In: the element of a key. Out: the descriptor as ASP.NET Core understands it, or why this operator cannot use the key,
//! whether an application can or not. Nothing is decrypted here.

use base64::{Engine, alphabet, engine};
use roxmltree::Node;
use zeroize::Zeroizing;

use super::{
    Descriptor, Foreign, Master,
    algorithm::Algorithm,
    encrypted_xml::{Content, EncryptedSecret, Wrapping},
    master_key::MasterKey,
    read::{attribute, child, is_named, text},
    write::{DECRYPTOR, DESERIALIZER, NAMESPACE},
};

/// What writes master keys down in plain, within a frame that says that they are not.
pub(crate) const NULL_DECRYPTOR: &str = "Microsoft.AspNetCore.DataProtection.XmlEncryption.NullXmlDecryptor";
/// The assembly that ASP.NET Core's own types are in.
const ASSEMBLY: &str = "Microsoft.AspNetCore.DataProtection";
/// The namespace of what is encrypted, and of the keys in it.
const ENCRYPTION: &str = "http://www.w3.org/2001/04/xmlenc#";
const SIGNATURE: &str = "http://www.w3.org/2000/09/xmldsig#";

/// Reads the descriptor of a key.
///
/// # Errors
/// Where this operator cannot use it.
pub(crate) fn read(key: Node<'_, '_>) -> Result<Descriptor, Foreign> {
    let outer = child(key, "descriptor").ok_or(Foreign::Incomplete("descriptor"))?;
    let deserializer = attribute(outer, "deserializerType").ok_or(Foreign::Incomplete("deserializerType"))?;
    if own_type(deserializer) != Some(DESERIALIZER) {
        return Err(Foreign::Deserializer(shortened(deserializer)));
    }
    let inner = only_element(outer).ok_or(Foreign::Incomplete("single descriptor"))?;
    // What is encrypted in an unusual place may be anything that is wanting.
    let master = master(inner)?;
    let name = |of: &str| child(inner, of).and_then(|node| attribute(node, "algorithm"));
    let encryption = name("encryption").ok_or(Foreign::Incomplete("encryption algorithm"))?;
    let validation = name("validation");
    let algorithm = Algorithm::read(encryption, validation).ok_or_else(|| {
        Foreign::Algorithm(shortened(format!("{encryption} {}", validation.unwrap_or_default()).trim()))
    })?;
    Ok(Descriptor::Known { algorithm, master })
}

/// The master key in its element.
///
/// # Errors
/// Where there is none.
pub(crate) fn master_key(element: Node<'_, '_>) -> Result<MasterKey, Foreign> {
    let bytes = base64(element).ok_or(Foreign::Incomplete("master key in base64"))?;
    MasterKey::new(bytes).ok_or(Foreign::EmptyMasterKey)
}

fn master(descriptor: Node<'_, '_>) -> Result<Master, Foreign> {
    let is_secret = |node: &Node<'_, '_>| node.has_tag_name((NAMESPACE, "encryptedSecret"));
    let is_plain = |node: &Node<'_, '_>| is_named(*node, "masterKey");
    let mut secrets = descriptor.descendants().filter(is_secret);
    let mut plain = descriptor.children().filter(is_plain);
    match (secrets.next(), secrets.next(), plain.next(), plain.next()) {
        (None, None, Some(plain), None) => master_key(plain).map(Master::Plain),
        (Some(secret), None, None, None) if secret.parent() == Some(descriptor) => sealed(secret),
        (Some(_), ..) => Err(Foreign::Encryption),
        _ => Err(Foreign::Incomplete("single master key")),
    }
}

fn sealed(secret: Node<'_, '_>) -> Result<Master, Foreign> {
    let decryptor = attribute(secret, "decryptorType").ok_or(Foreign::Incomplete("decryptorType"))?;
    let content = only_element(secret).ok_or(Foreign::Encryption)?;
    match own_type(decryptor) {
        Some(DECRYPTOR) => encrypted(content).map(Master::Encrypted).ok_or(Foreign::Encryption),
        Some(NULL_DECRYPTOR) => {
            let plain = only_element(content).filter(|node| is_named(*node, "masterKey"));
            master_key(plain.ok_or(Foreign::Incomplete("single master key"))?).map(Master::Plain)
        }
        _ => Err(Foreign::Decryptor(shortened(decryptor))),
    }
}

/// The parts of an `EncryptedData` element as ASP.NET Core writes it: for one certificate, which is in it, and nothing else.
fn encrypted(data: Node<'_, '_>) -> Option<EncryptedSecret> {
    let data = Some(data).filter(|data| data.has_tag_name((ENCRYPTION, "EncryptedData")))?;
    attribute(data, "Type").filter(|kind| kind.strip_prefix(ENCRYPTION) == Some("Element"))?;
    let [method, info, cipher] =
        parts(data, [(ENCRYPTION, "EncryptionMethod"), (SIGNATURE, "KeyInfo"), (ENCRYPTION, "CipherData")])?;
    let [key] = parts(info, [(ENCRYPTION, "EncryptedKey")])?;
    let [wrapping, certificate, wrapped] =
        parts(key, [(ENCRYPTION, "EncryptionMethod"), (SIGNATURE, "KeyInfo"), (ENCRYPTION, "CipherData")])?;
    let [certificate] = parts(certificate, [(SIGNATURE, "X509Data")])?;
    let [certificate] = parts(certificate, [(SIGNATURE, "X509Certificate")])?;
    let algorithm = |method: Node<'_, '_>| {
        let [] = parts(method, [])?;
        attribute(method, "Algorithm").map(str::to_owned)
    };
    let value = |cipher: Node<'_, '_>| {
        let [value] = parts(cipher, [(ENCRYPTION, "CipherValue")])?;
        base64(value).map(|bytes| bytes.to_vec())
    };
    Some(EncryptedSecret {
        certificate: base64(certificate)?.to_vec(),
        wrapping: Wrapping::parse(&algorithm(wrapping)?),
        key: value(wrapped)?,
        cipher: Content::parse(&algorithm(method)?)?,
        content: value(cipher)?,
    })
}

/// The elements that a node has, where it has each of these once, in this order, and no other.
fn parts<'tree, 'text, const COUNT: usize>(
    node: Node<'tree, 'text>,
    names: [(&str, &str); COUNT],
) -> Option<[Node<'tree, 'text>; COUNT]> {
    let elements: Vec<Node<'tree, 'text>> = node.children().filter(Node::is_element).collect();
    let elements: [Node<'tree, 'text>; COUNT] = elements.try_into().ok()?;
    elements.iter().zip(names).all(|(element, name)| element.has_tag_name(name)).then_some(elements)
}

fn only_element<'tree, 'text>(node: Node<'tree, 'text>) -> Option<Node<'tree, 'text>> {
    let mut elements = node.children().filter(Node::is_element);
    elements.next().filter(|_| elements.next().is_none())
}

/// As `Convert.FromBase64String`: white space may stand anywhere, and what is padded must be padded; of the last character
/// some bits count for nothing.
fn base64(node: Node<'_, '_>) -> Option<Zeroizing<Vec<u8>>> {
    let settings = engine::general_purpose::PAD.with_decode_allow_trailing_bits(true);
    let coder = engine::GeneralPurpose::new(&alphabet::STANDARD, settings);
    let text = Zeroizing::new(text(node));
    let dense: Zeroizing<Vec<u8>> =
        Zeroizing::new(text.bytes().filter(|byte| !matches!(byte, b' ' | b'\t' | b'\r' | b'\n')).collect());
    coder.decode(dense.as_slice()).ok().map(Zeroizing::new)
}

/// The name of a type that is ASP.NET Core's own: without its assembly, which may be left out, and without the version of
/// that, which every runtime passes over. `None` where it is in another assembly, or written in another way.
fn own_type(qualified: &str) -> Option<&str> {
    let (name, rest) = qualified.split_once(',').unwrap_or((qualified, ""));
    let mut properties = rest.split(',').map(|part| part.trim_matches(' '));
    let assembly = properties.next().unwrap_or_default();
    let is_known = |property: &str| {
        let (name, value) = property.split_once('=').unwrap_or_default();
        match name {
            "Version" => !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'),
            "Culture" => value == "neutral",
            "PublicKeyToken" => {
                value == "null" || (value.len() == 16 && value.bytes().all(|byte| byte.is_ascii_hexdigit()))
            }
            _ => false,
        }
    };
    let is_own = (rest.is_empty() && !qualified.ends_with(',')) || (assembly == ASSEMBLY && properties.all(is_known));
    is_own.then_some(name)
}

/// What is told of a name: not as long as somebody may have made it. Of a known one it is the rest that is odd.
fn shortened(qualified: &str) -> String {
    let (name, rest) = qualified.split_once(',').unwrap_or((qualified, ""));
    let name = name.trim();
    let known = [DESERIALIZER, DECRYPTOR, NULL_DECRYPTOR].contains(&name);
    let told = if known { format!("{name}, written as {:?}", format!(",{rest}")) } else { name.to_owned() };
    told.chars().take(240).collect()
}
