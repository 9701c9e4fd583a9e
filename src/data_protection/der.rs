//! Writing DER, as much of it as keys and certificates need.
//!
//! In: parts. Out: an element around them, wiped from memory when dropped, since it may hold a private key.

use zeroize::Zeroizing;

/// The tag of what is empty.
pub const NULL: u8 = 0x05;
/// The tag of a set.
pub const SET: u8 = 0x31;
/// The tag of what a number in brackets stands before.
pub const EXPLICIT_0: u8 = 0xa0;

/// An element with this tag.
pub fn element(tag: u8, content: &[u8]) -> Zeroizing<Vec<u8>> {
    let length = content.len().to_be_bytes();
    let length: Vec<u8> = length.into_iter().skip_while(|&byte| byte == 0).collect();
    // Reserved at once: a buffer that grows leaves copies behind.
    let mut element = Zeroizing::new(Vec::with_capacity(content.len() + length.len() + 2));
    element.push(tag);
    match length.as_slice() {
        [] => element.push(0),
        [short] if *short < 0x80 => element.push(*short),
        long => {
            element.push(0x80 | u8::try_from(long.len()).unwrap_or(u8::MAX));
            element.extend_from_slice(long);
        }
    }
    element.extend_from_slice(content);
    element
}

/// One element after the other, in one.
pub fn sequence(parts: &[&[u8]]) -> Zeroizing<Vec<u8>> {
    element(0x30, &Zeroizing::new(parts.concat()))
}

/// Bytes.
pub fn octets(bytes: &[u8]) -> Zeroizing<Vec<u8>> {
    element(0x04, bytes)
}

/// A small number.
pub fn integer(value: u8) -> Zeroizing<Vec<u8>> {
    element(0x02, &[value & 0x7f])
}

/// The name of an algorithm, encoded.
pub fn oid(encoded: &[u8]) -> Zeroizing<Vec<u8>> {
    element(0x06, encoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_written_in_as_few_bytes_as_they_need() {
        let head = |length: usize| element(0x04, &vec![0; length])[..6].to_vec();
        assert_eq!(element(NULL, &[]).as_slice(), [5, 0]);
        assert_eq!(head(0x7f)[..2], [4, 0x7f]);
        assert_eq!(head(0x80)[..3], [4, 0x81, 0x80]);
        assert_eq!(head(0x1234)[..4], [4, 0x82, 0x12, 0x34]);
        assert_eq!(head(0x1_0000)[..5], [4, 0x83, 1, 0, 0]);
    }
}
