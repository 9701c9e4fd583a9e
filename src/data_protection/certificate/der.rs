//! Writing and reading DER, as much of it as keys and certificates need.
//!
//! In: parts. Out: an element around them, wiped from memory when dropped, since it may hold a private key; and the other way
//! round the parts, which are borrowed.

use zeroize::Zeroizing;

/// The tag of what is empty.
pub const NULL: u8 = 0x05;
/// The tag of bytes.
pub const OCTETS: u8 = 0x04;
/// The tag of an algorithm's name.
pub const OID: u8 = 0x06;
/// The tag of parts in an order.
pub const SEQUENCE: u8 = 0x30;
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
    element(SEQUENCE, &Zeroizing::new(parts.concat()))
}

/// Bytes.
pub fn octets(bytes: &[u8]) -> Zeroizing<Vec<u8>> {
    element(OCTETS, bytes)
}

/// A small number.
pub fn integer(value: u8) -> Zeroizing<Vec<u8>> {
    element(0x02, &[value & 0x7f])
}

/// The name of an algorithm, encoded.
pub fn oid(encoded: &[u8]) -> Zeroizing<Vec<u8>> {
    element(OID, encoded)
}

/// The first element of these bytes, and what follows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tlv<'bytes> {
    /// What it is.
    pub tag: u8,
    /// What is in it.
    pub content: &'bytes [u8],
    /// Its head and its content.
    pub whole: &'bytes [u8],
    /// What follows it.
    pub rest: &'bytes [u8],
}

/// Reads the first element; `None` where it is cut short, or its length is of a form that DER has not.
pub fn read(bytes: &[u8]) -> Option<Tlv<'_>> {
    let (&tag, after) = bytes.split_first()?;
    let (&first, after) = after.split_first()?;
    let (length, after) = match first {
        short if short < 0x80 => (usize::from(short), after),
        // More than four bytes of length are more than any file has.
        long @ 0x81..=0x84 => {
            let (digits, after) = after.split_at_checked(usize::from(long - 0x80))?;
            (digits.iter().fold(0, |length, &digit| length << 8 | usize::from(digit)), after)
        }
        _ => return None,
    };
    let (content, rest) = after.split_at_checked(length)?;
    Some(Tlv { tag, content, whole: &bytes[..bytes.len() - rest.len()], rest })
}

/// Reads an element of this tag.
pub fn expect(tag: u8, bytes: &[u8]) -> Option<Tlv<'_>> {
    read(bytes).filter(|element| element.tag == tag)
}

/// The elements one after the other, up to the end or to what is none.
pub fn elements(mut bytes: &[u8]) -> impl Iterator<Item = Tlv<'_>> {
    std::iter::from_fn(move || {
        let element = read(bytes)?;
        bytes = element.rest;
        Some(element)
    })
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

    #[test]
    fn what_was_written_is_read_back_and_what_is_cut_short_is_not() {
        for length in [0, 1, 0x7f, 0x80, 0xff, 0x100, 0x1_0000] {
            let (content, written) = (vec![7; length], octets(&vec![7; length]));
            let followed = [written.as_slice(), &[1, 2]].concat();
            let read_back = read(&followed).unwrap();
            assert_eq!((read_back.tag, read_back.content, read_back.rest), (OCTETS, content.as_slice(), &[1, 2][..]));
            assert_eq!(read_back.whole, written.as_slice());
            assert_eq!(read(&written[..written.len() - 1]), None, "{length}");
        }
        for nonsense in [&[][..], &[4], &[4, 0x80, 1, 1], &[4, 0x85, 0, 0, 0, 0, 1, 1], &[4, 0xff]] {
            assert_eq!(read(nonsense), None, "{nonsense:?}");
        }
    }
}
