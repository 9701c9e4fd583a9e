//! A password as a value that no log, `Debug` output or snapshot can show.
//!
//! In: bytes that were drawn or read from a Secret. Out: the plain text for the few places that need it (a Secret's
//! data, a connection), and the SHA-256 form that Redis stores. It never draws bytes itself.

use std::fmt;

use aws_lc_rs::{
    digest::{SHA256, digest},
    hmac,
};
use zeroize::Zeroizing;

/// Characters of a generated password. Alphanumeric, since StackExchange.Redis splits connection strings at commas and
/// knows no escape for them.
pub const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// Length of a generated password, in characters: 40 of 62 symbols hold 238 bits.
pub const LENGTH: usize = 40;

/// A password of a Redis user. It is wiped from memory when dropped, and prints as `<redacted>`.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(Zeroizing<String>);

/// The longest that Redis reads of somebody who is not logged in yet, in bytes.
const LONGEST: usize = 16 * 1024;

/// Why bytes from a Secret are no password that an application could log in with. StackExchange.Redis splits a connection
/// string at commas, trims what lies between them, and knows no escape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// There is none.
    #[error("it is empty")]
    Empty,
    /// Redis reads no login that long.
    #[error("it is longer than {LONGEST} bytes")]
    Length,
    /// It is no text.
    #[error("it is not UTF-8")]
    Text,
    /// A connection string ends there.
    #[error("it holds a comma, at which StackExchange.Redis splits a connection string")]
    Comma,
    /// White space there is cut off.
    #[error("it begins or ends with white space, which StackExchange.Redis cuts off")]
    Ends,
    /// It breaks files and variables in which it stands.
    #[error("it holds a line break or another control character")]
    Control,
}

impl Password {
    /// Takes the content of a Secret's key, whoever wrote it.
    ///
    /// # Errors
    /// Where the bytes hold something that a connection string cannot carry.
    pub fn parse(bytes: &[u8]) -> Result<Self, PasswordError> {
        let text = std::str::from_utf8(bytes).map_err(|_| PasswordError::Text)?;
        if text.is_empty() {
            return Err(PasswordError::Empty);
        }
        if text.len() > LONGEST {
            return Err(PasswordError::Length);
        }
        if text.contains(',') {
            return Err(PasswordError::Comma);
        }
        if text.trim() != text {
            return Err(PasswordError::Ends);
        }
        if text.chars().any(|character| character.is_control() && character != '\t') {
            return Err(PasswordError::Control);
        }
        Ok(Self(Zeroizing::new(text.to_owned())))
    }

    /// Whether it may be one that the operator made.
    #[must_use]
    pub fn may_be_generated(&self) -> bool {
        self.0.len() == LENGTH && self.0.bytes().all(|byte| byte.is_ascii_alphanumeric())
    }

    /// Turns random bytes into a password. Bytes that would favour some characters are passed over; `None` where too
    /// few are left, so draw at least twice [`LENGTH`].
    #[must_use]
    pub fn from_random(random: &[u8]) -> Option<Self> {
        let unbiased = 256 - 256 % ALPHABET.len();
        let text: String = random
            .iter()
            .map(|&byte| usize::from(byte))
            .filter(|&byte| byte < unbiased)
            .take(LENGTH)
            .map(|byte| char::from(ALPHABET[byte % ALPHABET.len()]))
            .collect();
        (text.len() == LENGTH).then(|| Self(Zeroizing::new(text)))
    }

    /// The plain text. Only for a Secret's data and for a connection to Redis.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Another password that follows from this one and a label: the same every time, and no way back.
    #[must_use]
    pub fn derive(&self, label: &str) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.0.as_bytes());
        let mut random = Zeroizing::new(Vec::new());
        loop {
            let block = format!("{label} {}", random.len());
            random.extend_from_slice(hmac::sign(&key, block.as_bytes()).as_ref());
            if let Some(password) = Self::from_random(&random) {
                return password;
            }
        }
    }

    /// SHA-256 in lower-case hex: the form of `ACL SETUSER … #hash`, of ACL files and of `ACL GETUSER`.
    #[must_use]
    pub fn sha256(&self) -> PasswordHash {
        let hash = digest(&SHA256, self.0.as_bytes());
        PasswordHash(hex::encode(hash))
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("<redacted>")
    }
}

/// SHA-256 of a password, in lower-case hex, as Redis stores it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// Takes 64 hexadecimal digits; anything else is `None`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let hex = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        hex.then(|| Self(text.to_owned()))
    }

    /// The 64 digits.
    #[must_use]
    pub fn as_hex(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("<redacted>")
    }
}

/// Tells one operator password from another without giving it away: 32 bits of the hash of 238 random ones.
#[must_use]
pub fn login_mark(hash: &PasswordHash) -> String {
    hash.as_hex().chars().take(8).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_prints_as_redacted() {
        let password = Password::parse(&[b'a'; LENGTH]).unwrap();
        assert_eq!(format!("{password:?} {:?}", password.sha256()), "<redacted> <redacted>");
    }

    #[test]
    fn random_bytes_become_letters_and_digits_without_favouring_any() {
        let every_byte: Vec<u8> = (0..=255).collect();
        let password = Password::from_random(&every_byte).unwrap();
        assert_eq!(password.reveal(), "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmn");
        assert!(Password::from_random(&[255; 400]).is_none(), "bytes over 247 would favour the first letters");
        assert!(Password::from_random(&[1; LENGTH - 1]).is_none());
    }

    #[test]
    fn what_cannot_stand_in_a_connection_string_is_refused() {
        for (text, why) in [
            ("", PasswordError::Empty),
            ("a,b", PasswordError::Comma),
            (" a", PasswordError::Ends),
            ("a\n", PasswordError::Ends),
            ("a\nb", PasswordError::Control),
            ("a\0b", PasswordError::Control),
            (&"a".repeat(LONGEST + 1), PasswordError::Length),
        ] {
            assert_eq!(Password::parse(text.as_bytes()), Err(why), "{text:?}");
        }
        assert_eq!(Password::parse(&[0xff]), Err(PasswordError::Text));
    }

    #[test]
    fn what_stackexchange_redis_carries_is_taken_and_told_from_what_the_operator_makes() {
        for text in ["short", "a b", "=\"'\\;&%41", "\u{e4}\u{20ac}\u{1f600}", ":/@#!$^*()", "$CONFIG="] {
            let password = Password::parse(text.as_bytes()).unwrap();
            assert!(password.reveal() == text && !password.may_be_generated(), "{text}");
        }
        assert!(Password::parse(&[b'a'; LENGTH]).unwrap().may_be_generated());
    }

    #[test]
    fn a_derived_password_follows_from_its_label_and_is_another_one() {
        let password = Password::parse(&[b'a'; LENGTH]).unwrap();
        assert_eq!(password.derive("probe"), password.derive("probe"));
        assert_ne!(password.derive("probe"), password.derive("other"));
        assert_ne!(password.derive("probe"), password);
        assert!(Password::parse(password.derive("probe").reveal().as_bytes()).is_ok());
    }

    #[test]
    fn the_hash_is_the_one_that_redis_computes() {
        let password = Password::parse(&[b'a'; LENGTH]).unwrap();
        let expected = digest(&SHA256, &[b'a'; LENGTH]);
        assert_eq!(password.sha256().as_hex().len(), 64);
        assert!(password.sha256().as_hex().starts_with(&format!("{:02x}", expected.as_ref()[0])));
    }
}
