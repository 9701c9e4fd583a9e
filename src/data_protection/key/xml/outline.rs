//! The outline of an XML text, before it is parsed: how much there is of it.
//!
//! In: the text of a file. Out: the name of its root, or why it is not parsed. It is gone through once, from the beginning to
//! the end, and nothing is kept of it: the time that a parser takes grows with the square of the attributes of an element,
//! and nothing interrupts it. Beside the bounds it tells apart what .NET and the parser take for different things. What the
//! parser refuses itself is left to it.

use super::text::{is_character, is_space};
use crate::data_protection::key::read::FileError;

/// The most attributes of an element, with those that declare namespaces; and the most namespaces at a place.
pub const MOST_ATTRIBUTES: usize = 64;
/// The most elements of a file.
pub const MOST_ELEMENTS: usize = 4000;
/// How deep they may stand in each other.
pub const DEEPEST: usize = 64;

/// What there is of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outline<'text> {
    /// The name of its root, with its prefix; `None` where it has none.
    pub root: Option<&'text str>,
}

/// Goes through a text.
///
/// # Errors
/// Where there is too much of something, or something that this operator does not read.
pub fn outline(text: &str) -> Result<Outline<'_>, FileError> {
    let mut scan = Scan { text, rest: text, elements: 0, namespaces: Vec::new(), in_scope: 0, root: None };
    while let Some((text, markup)) = scan.rest.split_once('<') {
        scan.references(text)?;
        scan.rest = markup;
        scan.markup()?;
    }
    Ok(Outline { root: scan.root })
}

struct Scan<'text> {
    text: &'text str,
    rest: &'text str,
    elements: usize,
    /// How many namespaces each open element declares.
    namespaces: Vec<usize>,
    in_scope: usize,
    root: Option<&'text str>,
}

impl<'text> Scan<'text> {
    /// After a `<`.
    fn markup(&mut self) -> Result<(), FileError> {
        if let Some(rest) = self.rest.strip_prefix("!--") {
            self.rest = self.after(rest, "-->")?;
        } else if let Some(rest) = self.rest.strip_prefix("![CDATA[") {
            self.rest = self.after(rest, "]]>")?;
        } else if let Some(rest) = self.rest.strip_prefix('?') {
            self.instruction(rest)?;
        } else if let Some(rest) = self.rest.strip_prefix('/') {
            self.rest = self.after(rest, ">")?;
            self.in_scope -= self.namespaces.pop().ok_or_else(|| self.malformed())?;
        } else if self.rest.starts_with("!DOCTYPE") {
            return Err(FileError::Unsupported("has a DOCTYPE".to_owned()));
        } else {
            self.element()?;
        }
        Ok(())
    }

    fn instruction(&mut self, rest: &'text str) -> Result<(), FileError> {
        let is_first = self.text.len() == rest.len() + 2;
        let name = self.name(rest)?;
        // The declaration comes first, and is read with the encoding.
        if name.contains(':') || (name.eq_ignore_ascii_case("xml") && !(is_first && name == "xml")) {
            return Err(self.malformed());
        }
        let content = rest.get(name.len()..).unwrap_or_default();
        if !content.starts_with(is_space) && !content.starts_with("?>") {
            return Err(self.malformed());
        }
        self.rest = self.after(content, "?>")?;
        Ok(())
    }

    fn element(&mut self) -> Result<(), FileError> {
        let name = self.name(self.rest)?;
        self.root.get_or_insert(name);
        self.rest = self.rest.get(name.len()..).unwrap_or_default();
        self.elements += 1;
        if self.elements > MOST_ELEMENTS {
            return Err(FileError::Unsupported(format!("has over {MOST_ELEMENTS} elements")));
        }
        if name.starts_with("xml:") || name.starts_with("xmlns:") {
            return Err(FileError::Unsupported("has an element in a namespace that XML itself has".to_owned()));
        }
        let (mut attributes, mut namespaces) = (Vec::new(), 0);
        let is_empty = loop {
            let trimmed = self.rest.trim_start_matches(is_space);
            if let Some(rest) = trimmed.strip_prefix('>') {
                self.rest = rest;
                break false;
            }
            if let Some(rest) = trimmed.strip_prefix("/>") {
                self.rest = rest;
                break true;
            }
            if trimmed.len() == self.rest.len() {
                return Err(self.malformed());
            }
            self.rest = trimmed;
            let attribute = self.attribute()?;
            if attributes.contains(&attribute) {
                return Err(self.malformed());
            }
            namespaces += usize::from(attribute == "xmlns" || attribute.starts_with("xmlns:"));
            attributes.push(attribute);
            if attributes.len() > MOST_ATTRIBUTES {
                return Err(FileError::Unsupported(format!("has an element with over {MOST_ATTRIBUTES} attributes")));
            }
        };
        self.in_scope += namespaces;
        self.namespaces.push(namespaces);
        if self.in_scope > MOST_ATTRIBUTES {
            return Err(FileError::Unsupported(format!("has over {MOST_ATTRIBUTES} namespaces at one place")));
        }
        if self.namespaces.len() > DEEPEST {
            return Err(FileError::Unsupported(format!("has elements that stand over {DEEPEST} deep in each other")));
        }
        if is_empty {
            self.in_scope -= self.namespaces.pop().unwrap_or_default();
        }
        Ok(())
    }

    /// Goes over an attribute, and returns its name.
    fn attribute(&mut self) -> Result<&'text str, FileError> {
        let name = self.name(self.rest)?;
        let rest = self.rest.get(name.len()..).unwrap_or_default().trim_start_matches(is_space);
        let rest = rest.strip_prefix('=').ok_or_else(|| self.malformed())?.trim_start_matches(is_space);
        let quote = rest.chars().next().filter(|quote| matches!(quote, '"' | '\'')).ok_or_else(|| self.malformed())?;
        let value = rest.get(1..).and_then(|rest| rest.split_once(quote));
        let (value, rest) = value.ok_or_else(|| self.malformed())?;
        let prefix = name.strip_prefix("xmlns:");
        let is_reserved =
            |uri: &str| uri.starts_with("http://www.w3.org/XML/") || uri.starts_with("http://www.w3.org/2000/xmlns");
        if prefix.is_some() && value.is_empty() {
            return Err(self.malformed());
        }
        let is_namespace = prefix.is_some() || name == "xmlns";
        if matches!(prefix, Some("xml" | "xmlns")) || (is_namespace && is_reserved(value)) {
            return Err(FileError::Unsupported("declares a namespace that XML itself has".to_owned()));
        }
        if name == "xml:space" && !matches!(value.trim_matches(is_space), "preserve" | "default") {
            return Err(self.malformed());
        }
        self.references(value)?;
        self.rest = rest;
        Ok(name)
    }

    /// The name that a text begins with. Of the names that are not ASCII the editions of XML have different ones.
    fn name(&self, text: &'text str) -> Result<&'text str, FileError> {
        let is_in_name = |character: char| {
            character.is_ascii_alphanumeric() || matches!(character, ':' | '_' | '-' | '.') || !character.is_ascii()
        };
        let end = text.find(|character| !is_in_name(character)).unwrap_or(text.len());
        let name = text.get(..end).filter(|name| !name.is_empty()).ok_or_else(|| self.malformed())?;
        if name.starts_with(':') {
            return Err(self.malformed());
        }
        if name.is_ascii() { Ok(name) } else { Err(FileError::Unsupported("has names beyond ASCII".to_owned())) }
    }

    /// Of what a number stands for the parser does not ask whether it is a character.
    fn references(&self, text: &str) -> Result<(), FileError> {
        for reference in text.split("&#").skip(1) {
            let digits = reference.split(';').next().unwrap_or_default();
            let number = match digits.strip_prefix('x') {
                Some(digits) => u32::from_str_radix(digits, 16),
                None => digits.parse(),
            };
            number
                .ok()
                .and_then(char::from_u32)
                .filter(|character| is_character(*character))
                .ok_or_else(|| self.malformed())?;
        }
        Ok(())
    }

    fn after(&self, text: &'text str, end: &str) -> Result<&'text str, FileError> {
        text.split_once(end).map(|(_, rest)| rest).ok_or_else(|| self.malformed())
    }

    /// Where it is, as the parser tells it. What stands there may be a secret.
    fn malformed(&self) -> FileError {
        let before = self.text.get(..self.text.len() - self.rest.len()).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        FileError::Malformed(format!("at {line}:{column}"))
    }
}
