//! A certificate with its private key in one file, as .NET likes it: PKCS#12, without a password.
//!
//! In: a certificate and its key. Out: the file, the same bytes for the same input. A password that stands in the same Secret
//! protects nothing, and one would take random numbers and make another file each time.
//!
//! The format is that of <https://www.rfc-editor.org/rfc/rfc7292>.

use zeroize::Zeroizing;

use super::{
    certificate::Pair,
    der::{EXPLICIT_0, SET, element, integer, octets, oid, sequence},
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
