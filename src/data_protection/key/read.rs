//! Reading a file of the ring, as ASP.NET Core does it.
//!
//! In: the bytes of a file. Out: a key or a revocation, or why every application would refuse the file or pass over it, or
//! why this operator does not read it. Nothing is decrypted here, and nothing is parsed that is larger than its bounds:
//! a file of a key has [`LARGEST_FILE`] bytes at most, a repository [`LARGEST_REPOSITORY`], and the rest is in
//! `outline`.
//!
//! What is accepted is accepted in the same sense: as `XElement.Load`, `XmlKeyManager` and
//! `AuthenticatedEncryptorDescriptorDeserializer` do it, which 8.0.0, 8.0.31, 9.0.20 and 10.0.12 were seen to do alike but for an
//! empty master key (<https://github.com/dotnet/aspnetcore/tree/main/src/DataProtection/DataProtection/src/KeyManagement>).

use roxmltree::{Document, Node, ParsingOptions};

use super::{
    Descriptor, Key,
    date::{Date, DateError},
    descriptor,
    id::{IdError, KeyId},
    master_key::MasterKey,
    revocation::{Revocation, Revoked},
    xml::{
        outline::{self, MOST_ELEMENTS},
        text,
    },
};

/// The most that the file of a key or of a revocation may have, in bytes.
pub const LARGEST_FILE: usize = 32 << 10;
/// The most that the one file may have that Azure Blob Storage holds, in bytes.
pub const LARGEST_REPOSITORY: usize = 1 << 20;

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
    #[error("it is no XML that ASP.NET Core reads: {0}")]
    Malformed(String),
    /// Applications may read it, and this operator does not.
    #[error("it {0}, which the operator does not read")]
    Unsupported(String),
    /// Applications pass it over.
    #[error("it holds <{0}>, which is neither a key nor a revocation")]
    Unknown(String),
    /// Applications pass it over.
    #[error("it is a key without a usable {0}")]
    Key(&'static str),
    /// Applications pass it over when they read it first. Beside another file with this key they read none at all later.
    #[error("it is the key {0} without a usable {1}")]
    Dates(KeyId, &'static str),
    /// With it, an application cannot read any key at all.
    #[error("it is a revocation without a usable {0}")]
    Revocation(&'static str),
}

impl FileError {
    /// Whether applications pass the file over, and read the rest of the ring.
    #[must_use]
    pub fn is_passed_over(&self) -> bool {
        matches!(self, Self::Unknown(_) | Self::Key(_) | Self::Dates(..))
    }
}

/// Reads a file.
///
/// # Errors
/// Where it is neither a key nor a revocation.
pub fn read(bytes: &[u8]) -> Result<Element, FileError> {
    if bytes.len() > LARGEST_REPOSITORY {
        return Err(too_large(LARGEST_REPOSITORY));
    }
    let text = text::text(bytes)?;
    let root = outline::outline(&text)?.root;
    if bytes.len() > LARGEST_FILE && matches!(root, Some("key" | "revocation")) {
        return Err(too_large(LARGEST_FILE));
    }
    with_root(&text, element)?
}

/// Reads the elements of a repository, each as a file of its own; `None` where the file is none.
///
/// `PersistKeysToAzureBlobStorage` keeps all keys in one `<repository>` element
/// (<https://learn.microsoft.com/aspnet/core/security/data-protection/implementation/key-storage-providers>).
#[must_use]
pub fn repository(bytes: &[u8]) -> Option<Vec<Result<Element, FileError>>> {
    if bytes.len() > LARGEST_REPOSITORY {
        return None;
    }
    let text = text::text(bytes).ok()?;
    let root = outline::outline(&text).ok()?.root?;
    if root.rsplit(':').next() != Some("repository") {
        return None;
    }
    let read = |node: Node<'_, '_>| {
        let is_large = node.range().len() > LARGEST_FILE;
        if is_large { Err(too_large(LARGEST_FILE)) } else { element(node) }
    };
    with_root(&text, |root| root.children().filter(Node::is_element).map(read).collect()).ok()
}

fn too_large(most: usize) -> FileError {
    FileError::Unsupported(format!("has over {most} bytes"))
}

/// Does something with the element that a text consists of, of which the outline is known.
pub(crate) fn with_root<T>(text: &str, work: impl FnOnce(Node<'_, '_>) -> T) -> Result<T, FileError> {
    // An element has a node for what stands before and after it, and may have one for a comment.
    let most = u32::try_from(MOST_ELEMENTS * 8).unwrap_or(u32::MAX);
    let options = ParsingOptions { nodes_limit: most, ..ParsingOptions::default() };
    // The parser's own words may quote what stands there.
    let document = Document::parse_with_options(text, options).map_err(|error| match error {
        roxmltree::Error::NodesLimitReached => FileError::Unsupported(format!("has over {most} nodes")),
        error => FileError::Malformed(format!("at {}", error.pos())),
    })?;
    Ok(work(document.root_element()))
}

fn element(node: Node<'_, '_>) -> Result<Element, FileError> {
    match (namespace(node), node.tag_name().name()) {
        (None, "key") => key(node).map(|key| Element::Key(Box::new(key))),
        (None, "revocation") => revocation(node).map(Element::Revocation),
        (_, other) => Err(FileError::Unknown(other.chars().take(60).collect())),
    }
}

fn key(node: Node<'_, '_>) -> Result<Key, FileError> {
    let id = attribute(node, "id").ok_or(FileError::Key("id"))?;
    let id = id_of(id, FileError::Key("id"))?;
    let date = |name: &'static str| {
        let text = child(node, name).map(text).ok_or(FileError::Dates(id, name))?;
        Date::parse(&text).map_err(|error| match error {
            DateError::None => FileError::Dates(id, name),
            DateError::OfToday => FileError::Unsupported(format!("has a {name} that is another one on every day")),
        })
    };
    Ok(Key {
        id,
        created: date("creationDate")?,
        activates: date("activationDate")?,
        expires: date("expirationDate")?,
        descriptor: descriptor::read(node).unwrap_or_else(Descriptor::Foreign),
    })
}

fn revocation(node: Node<'_, '_>) -> Result<Revocation, FileError> {
    let of = child(node, "key").and_then(|key| attribute(key, "id")).ok_or(FileError::Revocation("key"))?;
    let date = child(node, "revocationDate").map(|date| Date::parse(&text(date)));
    let reason = child(node, "reason").map(text).unwrap_or_default();
    if of == "*" {
        let date = match date {
            Some(Ok(date)) => date.timestamp(),
            None | Some(Err(DateError::None)) => return Err(FileError::Revocation("revocationDate")),
            Some(Err(DateError::OfToday)) => {
                return Err(FileError::Unsupported("has a date that is another one on every day".to_owned()));
            }
        };
        return Ok(Revocation { revoked: Revoked::AllCreatedBefore, date, reason });
    }
    let id = id_of(of, FileError::Revocation("key"))?;
    // Of one key the date is for people only.
    let date = date.and_then(Result::ok).map(Date::timestamp).unwrap_or_default();
    Ok(Revocation { revoked: Revoked::Key(id), date, reason })
}

fn id_of(text: &str, none: FileError) -> Result<KeyId, FileError> {
    KeyId::read(text).map_err(|error| match error {
        IdError::None => none,
        IdError::Unsure => FileError::Unsupported("has an id in an unusual form".to_owned()),
    })
}

/// The master key in an element that was encrypted.
pub(crate) fn master_key_element(bytes: &[u8]) -> Option<MasterKey> {
    let text = std::str::from_utf8(bytes).ok().filter(|text| text.len() <= LARGEST_FILE)?;
    outline::outline(text).ok()?;
    with_root(text, |root| is_named(root, "masterKey").then(|| descriptor::master_key(root))).ok()??.ok()
}

/// The attribute of this name that is in no namespace.
pub(crate) fn attribute<'tree>(node: Node<'tree, '_>, name: &str) -> Option<&'tree str> {
    let mut attributes = node.attributes();
    attributes.find(|attribute| attribute.namespace().is_none() && attribute.name() == name).map(|found| found.value())
}

/// The first child of this name.
pub(crate) fn child<'tree, 'text>(node: Node<'tree, 'text>, name: &str) -> Option<Node<'tree, 'text>> {
    node.children().find(|child| is_named(*child, name))
}

/// Whether an element is in no namespace, and has this name.
pub(crate) fn is_named(node: Node<'_, '_>, name: &str) -> bool {
    node.is_element() && namespace(node).is_none() && node.tag_name().name() == name
}

/// The namespace of an element: what undoes a default one is none.
pub(crate) fn namespace<'tree>(node: Node<'tree, '_>) -> Option<&'tree str> {
    node.tag_name().namespace().filter(|namespace| !namespace.is_empty())
}

/// All text in an element, whichever elements it stands in. White space alone, as between two comments, is none, unless the
/// file says that it is.
pub(crate) fn text(node: Node<'_, '_>) -> String {
    let source = node.document().input_text();
    let is_kept = |node: &Node<'_, '_>| {
        let is_blank = node.text().is_some_and(|text| text.chars().all(text::is_space));
        let is_quoted = || source.get(node.range()).is_some_and(|source| source.contains("<![CDATA["));
        let space = || node.ancestors().find_map(|node| node.attribute((XML, "space")));
        !is_blank || is_quoted() || space().is_some_and(|space| space.trim() == "preserve")
    };
    node.descendants().filter(Node::is_text).filter(is_kept).filter_map(|node| node.text()).collect()
}

/// The namespace of the prefix `xml`.
const XML: &str = "http://www.w3.org/XML/1998/namespace";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_break_every_application_is_told_from_what_is_passed_over() {
        let error = |text: &str| read(text.as_bytes()).unwrap_err();
        for malformed in ["", "<key", "<key></revocation>", "<a/><b/>", "<key id='&b;'/>"] {
            assert!(matches!(error(malformed), FileError::Malformed(_)), "{malformed}");
        }
        assert!(matches!(error("<?xml version='1.1'?><key/>"), FileError::Unsupported(_)));
        assert_eq!(error("<keys/>"), FileError::Unknown("keys".to_owned()));
        assert_eq!(error("<key xmlns='urn:other'/>"), FileError::Unknown("key".to_owned()));
        assert_eq!(error("<key/>"), FileError::Key("id"));
        let id = KeyId::parse("89c124f1-5cf8-4e31-813c-67ccf7852c9f").unwrap();
        assert_eq!(error("<key id='89c124f1-5cf8-4e31-813c-67ccf7852c9f'/>"), FileError::Dates(id, "creationDate"));
        assert_eq!(error("<revocation/>"), FileError::Revocation("key"));
        assert_eq!(error("<revocation><key id='*'/></revocation>"), FileError::Revocation("revocationDate"));
    }

    #[test]
    fn white_space_between_comments_is_no_text() {
        let text_of = |text: &str| with_root(text, super::text).unwrap();
        assert_eq!(text_of("<a>1<!-- --> <!-- -->2 </a>"), "12 ");
        assert_eq!(text_of("<a xml:space='preserve'>1<!-- --> <!-- -->2</a>"), "1 2");
        assert_eq!(text_of("<a>1<!-- -->&#32;<!-- -->2</a>"), "12");
        assert_eq!(text_of("<a>1<![CDATA[ ]]>2</a>"), "1 2");
    }
}
