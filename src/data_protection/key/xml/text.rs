//! The text of an XML file: its bytes, in the encoding that it is in.
//!
//! In: bytes. Out: the text without its mark, or why there is none. As the reader of .NET does it
//! (`XmlTextReaderImpl.DetectEncoding`, `ParseXmlDeclaration` and `CheckEncoding`,
//! <https://github.com/dotnet/runtime/tree/main/src/libraries/System.Private.Xml/src/System/Xml/Core>): the first bytes count,
//! then the declaration, and a declaration that the bytes deny is an error. Of the encodings only those are read that need no
//! table.

use std::borrow::Cow;

use crate::data_protection::key::read::FileError;

/// An encoding, as far as it is known before the declaration is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    /// UTF-8, or whatever else the declaration says.
    Utf8,
    Utf16 {
        is_big_endian: bool,
    },
}

/// The text of a file.
///
/// # Errors
/// Where .NET reads none, or this operator does not.
pub fn text(bytes: &[u8]) -> Result<Cow<'_, str>, FileError> {
    let (encoding, mark) = detected(bytes)?;
    let content = bytes.get(mark..).unwrap_or_default();
    let text = match encoding {
        Encoding::Utf16 { is_big_endian } => {
            let text = utf16(content, is_big_endian)?;
            // An encoding of the same kind changes nothing, whatever its order is.
            match declared(&text)?.map(str::to_ascii_lowercase).as_deref() {
                None | Some("utf-16" | "ucs-2" | "iso-10646-ucs-2" | "ucs-4") => {}
                Some(other) => return Err(switched(other)),
            }
            Cow::Owned(text)
        }
        Encoding::Utf8 => {
            // What stands in a declaration is ASCII in each of them.
            let end = content.windows(2).position(|bytes| bytes == b"?>").map_or(0, |end| end + 2);
            let head: String = content.iter().take(end).map(|byte| char::from(*byte)).collect();
            let name = declared(&head)?.map(str::to_ascii_lowercase);
            match name.as_deref() {
                None | Some("utf-8") => Cow::Borrowed(std::str::from_utf8(content).map_err(|_| {
                    FileError::Malformed("it is not in UTF-8, and declares no other encoding".to_owned())
                })?),
                Some("iso-8859-1" | "latin1") => Cow::Owned(content.iter().map(|byte| char::from(*byte)).collect()),
                Some("us-ascii" | "ascii") => {
                    let ascii = |byte: &u8| if byte.is_ascii() { char::from(*byte) } else { '?' };
                    Cow::Owned(content.iter().map(ascii).collect())
                }
                Some(name @ ("utf-16" | "ucs-2" | "iso-10646-ucs-2")) => {
                    return Err(FileError::Malformed(format!(
                        "it declares the encoding {name:?}, and is not in UTF-16"
                    )));
                }
                Some(other) => return Err(switched(other)),
            }
        }
    };
    match text.chars().find(|character| !is_character(*character)) {
        None => Ok(text),
        Some(other) => Err(FileError::Malformed(format!(
            "it has the character U+{:04X}, which XML does not know",
            u32::from(other)
        ))),
    }
}

/// What the first bytes tell, and how many of them are a mark.
fn detected(bytes: &[u8]) -> Result<(Encoding, usize), FileError> {
    let utf16 = |is_big_endian, mark| Ok((Encoding::Utf16 { is_big_endian }, mark));
    match bytes {
        [0, 0, 0xfe, 0xff, ..]
        | [0, 0, 0xff, 0xfe, ..]
        | [0, 0, 0, b'<', ..]
        | [0, 0, b'<', 0, ..]
        | [0xfe, 0xff, 0, 0, ..]
        | [0xff, 0xfe, 0, 0, ..]
        | [b'<', 0, 0, 0, ..]
        | [0, b'<', 0, 0, ..] => Err(FileError::Unsupported("is in UTF-32".to_owned())),
        [0xfe, 0xff, ..] => utf16(true, 2),
        [0xff, 0xfe, ..] => utf16(false, 2),
        [b'<', 0, ..] => utf16(false, 0),
        [0, b'<', ..] => utf16(true, 0),
        [0xef, 0xbb, 0xbf, ..] => Ok((Encoding::Utf8, 3)),
        _ => Ok((Encoding::Utf8, 0)),
    }
}

fn switched(name: &str) -> FileError {
    let name: String = name.chars().take(40).collect();
    FileError::Unsupported(format!("declares the encoding {name:?}"))
}

fn utf16(bytes: &[u8], is_big_endian: bool) -> Result<String, FileError> {
    let (units, odd) = bytes.as_chunks::<2>();
    let units: Vec<u16> = units
        .iter()
        .map(|unit| if is_big_endian { u16::from_be_bytes(*unit) } else { u16::from_le_bytes(*unit) })
        .collect();
    let text = String::from_utf16(&units).ok().filter(|_| odd.is_empty());
    text.ok_or_else(|| FileError::Unsupported("is damaged UTF-16".to_owned()))
}

/// The encoding that a declaration names; `None` where it names none, or there is no declaration.
fn declared(text: &str) -> Result<Option<&str>, FileError> {
    let is_of_name = |character: char| character.is_alphanumeric() || matches!(character, '-' | '.' | '_' | ':');
    let Some(rest) = text.strip_prefix("<?xml").filter(|rest| !rest.starts_with(is_of_name)) else { return Ok(None) };
    let malformed = || FileError::Malformed("its XML declaration is none".to_owned());
    let (inner, _) = rest.split_once("?>").ok_or_else(malformed)?;
    let (version, mut rest) = attribute(inner, "version").ok_or_else(malformed)?;
    if version != "1.0" {
        return Err(FileError::Unsupported("declares another version of XML than 1.0".to_owned()));
    }
    let mut encoding = None;
    if let Some((name, after)) = attribute(rest, "encoding") {
        (encoding, rest) = (Some(name), after);
    }
    if let Some((standalone, after)) = attribute(rest, "standalone") {
        if !matches!(standalone, "yes" | "no") {
            return Err(malformed());
        }
        rest = after;
    }
    if rest.trim_start_matches(is_space).is_empty() { Ok(encoding) } else { Err(malformed()) }
}

/// The value of the attribute that comes next, and what follows it.
fn attribute<'text>(text: &'text str, name: &str) -> Option<(&'text str, &'text str)> {
    let rest = text.starts_with(is_space).then(|| text.trim_start_matches(is_space))?.strip_prefix(name)?;
    let rest = rest.trim_start_matches(is_space).strip_prefix('=')?.trim_start_matches(is_space);
    let quote = rest.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    rest.get(1..)?.split_once(quote)
}

/// White space of XML.
pub fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\r' | '\n')
}

/// What XML 1.0 knows.
pub fn is_character(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..)
}
