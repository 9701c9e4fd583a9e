//! The name of a key: a GUID.
//!
//! In: random bytes, text of a key file, or bytes of a payload. Out: the GUID in each of these forms. Nothing is drawn here.

use std::fmt;

use uuid::{Builder, Uuid};

/// Bytes of a key's id.
pub const KEY_ID_BYTES: usize = 16;

/// Why a text is no name of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdError {
    /// .NET reads none in it either.
    None,
    /// .NET may read one.
    Unsure,
}

/// The name of a key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(Uuid);

impl KeyId {
    /// From random bytes, as `Guid.NewGuid` makes one (version 4).
    #[must_use]
    pub fn from_random(random: [u8; KEY_ID_BYTES]) -> Self {
        Self(Builder::from_random_bytes(random).into_uuid())
    }

    /// From the text of a key file, as `new Guid(string)` reads it: with or without dashes, in braces or parentheses, or as a
    /// structure of hexadecimal numbers.
    ///
    /// # Errors
    /// Where it is none, or in a form that is left to .NET.
    pub fn read(text: &str) -> Result<Self, IdError> {
        let text = text.trim();
        let inner = |open, close| text.strip_prefix(open)?.strip_suffix(close);
        let dashed = |text: &str| {
            let is_dash = |place: usize| matches!(place, 8 | 13 | 18 | 23);
            let is_right =
                |(place, byte): (usize, u8)| if is_dash(place) { byte == b'-' } else { byte.is_ascii_hexdigit() };
            text.len() == 36 && text.bytes().enumerate().all(is_right)
        };
        let is_plain = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let in_frame = inner('{', '}').or_else(|| inner('(', ')'));
        if let Some(text) = Some(text).filter(|text| is_plain || dashed(text)).or(in_frame.filter(|text| dashed(text)))
        {
            return Uuid::try_parse(text).map(Self).map_err(|_| IdError::None);
        }
        if let Some(id) = structure(text) {
            return Ok(Self(id));
        }
        // In the place of a digit .NET takes a sign or a prefix for one here and there.
        let is_odd = text.contains(['+', 'x', 'X']) && text.contains(|digit: char| digit.is_ascii_hexdigit());
        Err(if is_odd { IdError::Unsure } else { IdError::None })
    }

    /// From text, in either case; `None` where it is no GUID.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Uuid::try_parse(text.trim()).ok().map(Self)
    }

    /// From a payload: `Guid.ToByteArray` has the first three fields in little-endian order.
    #[must_use]
    pub fn from_payload(bytes: [u8; KEY_ID_BYTES]) -> Self {
        Self(Uuid::from_bytes_le(bytes))
    }

    /// As it stands in a payload.
    #[must_use]
    pub fn to_payload(self) -> [u8; KEY_ID_BYTES] {
        self.0.to_bytes_le()
    }

    /// As many digits as a person needs to tell the keys of one ring apart.
    #[must_use]
    pub fn short(self) -> String {
        self.to_string().chars().take(8).collect()
    }

    /// What the file of its key is called.
    #[must_use]
    pub fn file_name(self) -> String {
        format!("key-{self}.xml")
    }
}

/// `{0x11111111,0x1111,0x4111,{0x81,0x11,0x11,0x11,0x11,0x11,0x11,0x11}}`.
fn structure(text: &str) -> Option<Uuid> {
    let dense: String = text.chars().filter(|character| !character.is_whitespace()).collect();
    let (first, last) = dense.strip_prefix('{')?.strip_suffix("}}")?.split_once(",{")?;
    let numbers = |text: &str, digits: &[usize]| {
        let words: Vec<&str> = text.split(',').collect();
        let number = |(word, digits): (&&str, &usize)| {
            let word = word.strip_prefix("0x").or_else(|| word.strip_prefix("0X"))?;
            let is_number = (1..=*digits).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_hexdigit());
            is_number.then(|| format!("{word:0>digits$}"))
        };
        (words.len() == digits.len()).then(|| words.iter().zip(digits).map(number).collect::<Option<String>>())?
    };
    Uuid::try_parse(&(numbers(first, &[8, 4, 4])? + &numbers(last, &[2; 8])?)).ok()
}

impl fmt::Display for KeyId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(formatter)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_holds_the_first_three_fields_in_little_endian_order() {
        let id = KeyId::parse("80732141-ec8f-4b80-af9c-c4d2d1ff8901").unwrap();
        assert_eq!(hex::encode(id.to_payload()), "412173808fec804baf9cc4d2d1ff8901");
        assert_eq!(KeyId::from_payload(id.to_payload()), id);
    }

    #[test]
    fn an_id_is_read_in_either_case_and_written_in_lower_case() {
        let id = KeyId::parse("80732141-EC8F-4B80-AF9C-C4D2D1FF8901").unwrap();
        assert_eq!(id.to_string(), "80732141-ec8f-4b80-af9c-c4d2d1ff8901");
        assert_eq!(id.short(), "80732141");
        assert_eq!(KeyId::parse("*"), None);
    }

    #[test]
    fn in_a_file_an_id_has_the_forms_that_dotnet_reads_and_no_other() {
        let id = Ok(KeyId::parse("80732141-ec8f-4b80-af9c-c4d2d1ff8901").unwrap());
        for text in [
            "80732141-EC8F-4b80-af9c-c4d2d1ff8901",
            " {80732141-ec8f-4b80-af9c-c4d2d1ff8901}\n",
            "(80732141-ec8f-4b80-af9c-c4d2d1ff8901)",
            "80732141ec8f4b80af9cc4d2d1ff8901",
            "{0x80732141, 0xec8f, 0x4b80, {0xaf, 0x9c, 0xc4, 0xd2, 0xd1, 0xff, 0x89, 0x1}}",
        ] {
            assert_eq!(KeyId::read(text), id, "{text}");
        }
        for text in [
            "",
            "*",
            "urn:uuid:80732141-ec8f-4b80-af9c-c4d2d1ff8901",
            "{80732141ec8f4b80af9cc4d2d1ff8901}",
            "{80732141-ec8f-4b80-af9c-c4d2d1ff8901)",
            "80732141-ec8f-4b80-af9c-c4d2d1ff890",
            "80732141-ec8f4-b80-af9c-c4d2d1ff8901",
        ] {
            assert_eq!(KeyId::read(text), Err(IdError::None), "{text}");
        }
        assert_eq!(KeyId::read("0x732141-ec8f-4b80-af9c-c4d2d1ff8901"), Err(IdError::Unsure));
    }

    #[test]
    fn random_bytes_make_a_version_4_id() {
        assert_eq!(KeyId::from_random([0xff; 16]).to_string(), "ffffffff-ffff-4fff-bfff-ffffffffffff");
    }
}
