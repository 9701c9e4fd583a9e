//! A certificate with its private key in one file, as .NET likes it: PKCS#12, without a password.
//!
//! In: a certificate and its key. Out: the file, the same bytes for the same input. A password that stands in the same Secret
//! protects nothing, and one would take random numbers and make another file each time. And the other way round: in such a file,
//! out the certificates and keys that it holds. What is encrypted in it is passed over, and a MAC is not looked at: whether a key
//! belongs to a certificate shows by itself.
//!
//! The format is that of <https://www.rfc-editor.org/rfc/rfc7292>.

use zeroize::Zeroizing;

use super::{
    Pair,
    der::{self, EXPLICIT_0, OCTETS, OID, SEQUENCE, SET, element, integer, octets, oid, sequence},
};

/// `pkcs7-data`.
const DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 1];
/// `keyBag`.
const KEY_BAG: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 12, 10, 1, 1];
/// `certBag`.
const CERTIFICATE_BAG: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 12, 10, 1, 3];
/// `x509Certificate`.
const X509: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 22, 1];
/// `localKeyId`.
const LOCAL_KEY_ID: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 21];

/// The file; `None` where the library cannot write the key.
#[must_use]
pub fn write(pair: &Pair) -> Option<Zeroizing<Vec<u8>>> {
    // The same in both bags: so a reader knows that they belong together.
    let id = sequence(&[&oid(LOCAL_KEY_ID), &element(SET, &octets(&[1]))]);
    let attributes = element(SET, &id);
    let certificate = sequence(&[&oid(X509), &element(EXPLICIT_0, &octets(pair.certificate().der()))]);
    let certificate = sequence(&[&oid(CERTIFICATE_BAG), &element(EXPLICIT_0, &certificate), &attributes]);
    let key = sequence(&[&oid(KEY_BAG), &element(EXPLICIT_0, &pair.pkcs8()?), &attributes]);
    let contents = sequence(&[&data(&sequence(&[&certificate, &key]))]);
    Some(sequence(&[&integer(3), &data(&contents)]))
}

fn data(content: &[u8]) -> Zeroizing<Vec<u8>> {
    sequence(&[&oid(DATA), &element(EXPLICIT_0, &octets(content))])
}

/// What a file holds, in DER.
#[derive(Default)]
pub struct Contents<'file> {
    /// Certificates.
    pub certificates: Vec<&'file [u8]>,
    /// Private keys, as PKCS#8 has them.
    pub keys: Vec<&'file [u8]>,
}

/// Reads a file; nothing of what is none.
#[must_use]
pub fn read(file: &[u8]) -> Contents<'_> {
    let mut contents = Contents::default();
    let safes = der::expect(SEQUENCE, file).and_then(|pfx| {
        let version = der::read(pfx.content)?;
        der::expect(SEQUENCE, plain(der::expect(SEQUENCE, version.rest)?.content)?)
    });
    let bags = safes.into_iter().flat_map(|safes| der::elements(safes.content));
    let bags = bags.filter_map(|safe| der::expect(SEQUENCE, plain(safe.content)?));
    for bag in bags.flat_map(|bags| der::elements(bags.content)) {
        let Some((kind, value)) = tagged(bag.content) else { continue };
        match kind {
            KEY_BAG => contents.keys.extend(der::expect(SEQUENCE, value).map(|key| key.whole)),
            CERTIFICATE_BAG => contents.certificates.extend(certificate(value)),
            _ => {}
        }
    }
    contents
}

/// What stands in a `ContentInfo` that is not encrypted.
fn plain(content_info: &[u8]) -> Option<&[u8]> {
    let (_, value) = tagged(content_info).filter(|(kind, _)| *kind == DATA)?;
    Some(der::expect(OCTETS, value)?.content)
}

fn certificate(bag: &[u8]) -> Option<&[u8]> {
    let (_, value) = tagged(der::expect(SEQUENCE, bag)?.content).filter(|(kind, _)| *kind == X509)?;
    Some(der::expect(OCTETS, value)?.content)
}

/// A name, and what stands in brackets after it.
fn tagged(content: &[u8]) -> Option<(&[u8], &[u8])> {
    let kind = der::expect(OID, content)?;
    Some((kind.content, der::expect(EXPLICIT_0, kind.rest)?.content))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> Pair {
        let read = |suffix: &str| {
            let path = format!("{}/tests/vectors/data-protection/current.{suffix}.pem", env!("CARGO_MANIFEST_DIR"));
            std::fs::read(path).unwrap()
        };
        Pair::parse(&read("crt"), &read("key")).unwrap()
    }

    #[test]
    fn what_was_written_is_read_back() {
        let pair = pair();
        let file = write(&pair).unwrap();
        let contents = read(&file);
        assert_eq!(contents.certificates, [pair.certificate().der()]);
        assert_eq!(contents.keys, [pair.pkcs8().unwrap().as_slice()]);
    }

    #[test]
    fn a_file_that_is_cut_short_or_garbled_yields_nothing_and_ends_nothing() {
        let file = write(&pair()).unwrap();
        for length in 0..file.len() {
            let contents = read(&file[..length]);
            assert!(contents.certificates.is_empty() && contents.keys.is_empty(), "{length}");
        }
        for place in 0..file.len() {
            let mut garbled = file.to_vec();
            garbled[place] ^= 0xff;
            let _ = read(&garbled);
        }
        assert!(read(b"nonsense").keys.is_empty());
    }
}
