//! Taking over a ring that exists: a Secret with key files, or with the one file that Azure Blob Storage holds.
//!
//! In: files. Out: one file for each key and each revocation, as they are, and what cannot be taken over, with the reason.
//! Nothing is decrypted and nothing is left out in silence.
//!
//! `PersistKeysToAzureBlobStorage` keeps all keys in one `<repository>` element
//! (<https://learn.microsoft.com/aspnet/core/security/data-protection/implementation/key-storage-providers>).

use roxmltree::Document;
use zeroize::Zeroizing;

use super::{
    key::Descriptor,
    key_file::{self, Element},
    key_writer::File,
    published::{Refusal, Refused},
    revocation::Revoked,
};

/// What stands before each key that was cut out of a repository.
const HEAD: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n";

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Imported {
    /// The files to take over.
    pub files: Vec<File>,
    /// What is not taken over, and why. While there is any, the ring is not complete.
    pub refused: Vec<Refused>,
}

/// Reads files, each with its name.
#[must_use]
pub fn read<'files>(files: impl IntoIterator<Item = (&'files str, &'files [u8])>) -> Imported {
    let mut imported = Imported::default();
    for (name, bytes) in files {
        match repository(bytes) {
            Some(elements) => {
                for (index, element) in elements.iter().enumerate() {
                    imported.add(&format!("{name}, element {}", index + 1), element.as_bytes());
                }
            }
            None => imported.add(name, bytes),
        }
    }
    imported
}

impl Imported {
    fn add(&mut self, place: &str, bytes: &[u8]) {
        let refuse = |why: Refusal| Refused { file: place.to_owned(), why };
        let name = match key_file::read(bytes) {
            Err(error) => return self.refused.push(refuse(error.into())),
            Ok(Element::Key(key)) => {
                if let Descriptor::Foreign(foreign) = key.descriptor {
                    return self.refused.push(refuse(Refusal::Foreign(key.id, foreign)));
                }
                if let Some(there) = self.files.iter().find(|file| file.name == key.file_name()) {
                    if there.content.as_slice() != bytes {
                        self.refused.push(refuse(Refusal::Duplicate(key.id)));
                    }
                    return;
                }
                key.file_name()
            }
            Ok(Element::Revocation(revocation)) => {
                let name = revocation.file_name();
                // The second of two revocations of one key says nothing new; of two dates each says its own.
                let is_there = self.files.iter().any(|file| file.name == name);
                if is_there && matches!(revocation.revoked, Revoked::Key(_)) {
                    return;
                }
                name
            }
        };
        self.files.push(File { name, content: Zeroizing::new(bytes.to_vec()) });
    }
}

/// Each element of a repository as a text of its own; `None` where this is none.
fn repository(bytes: &[u8]) -> Option<Vec<Zeroizing<String>>> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).ok()?;
    let document = Document::parse(text).ok()?;
    let root = document.root_element();
    if root.tag_name().name() != "repository" {
        return None;
    }
    let elements = root.children().filter(roxmltree::Node::is_element);
    Some(elements.map(|node| Zeroizing::new(format!("{HEAD}{}", &text[node.range()]))).collect())
}
