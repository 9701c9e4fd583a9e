//! Deriving a payload's own keys from a master key: NIST SP 800-108 in counter mode with HMAC-SHA-512.
//!
//! In: a master key, the payload's additional data and its key modifier. Out: keys for the ciphers, which are not kept.
//!
//! The rules are those of ASP.NET Core's subkey derivation and context headers:
//! <https://learn.microsoft.com/aspnet/core/security/data-protection/implementation/subkeyderivation>,
//! <https://learn.microsoft.com/aspnet/core/security/data-protection/implementation/context-headers>.

use aws_lc_rs::hmac;
use zeroize::Zeroizing;

use crate::data_protection::key::{
    algorithm::{Algorithm, Validation},
    cipher::{self, CipherError},
};

/// Bytes of a block that the cipher works on.
const BLOCK_BYTES: u32 = 16;
/// Bytes of a nonce in Galois/Counter mode.
const NONCE_BYTES: u32 = 12;
/// Bytes of a tag in Galois/Counter mode.
const TAG_BYTES: u32 = 16;

/// Keys of one payload.
pub struct Subkeys {
    /// For the cipher.
    pub encryption: Zeroizing<Vec<u8>>,
    /// For the HMAC; empty where the cipher needs none.
    pub validation: Zeroizing<Vec<u8>>,
}

/// What derives the keys of payloads from a master key: what of it is the same for all of them, worked out once.
#[derive(Clone)]
pub struct Derivation {
    algorithm: Algorithm,
    /// aws-lc wipes it from memory when it is dropped.
    master: hmac::Key,
    context_header: Result<Vec<u8>, CipherError>,
}

impl Derivation {
    /// From this master key, for payloads of this combination of ciphers.
    #[must_use]
    pub fn new(algorithm: Algorithm, master: &[u8]) -> Self {
        let master = hmac::Key::new(hmac::HMAC_SHA512, master);
        Self { algorithm, master, context_header: context_header(algorithm) }
    }

    /// Keys of a payload with this additional data and this key modifier.
    ///
    /// # Errors
    /// Where the cipher refuses to work.
    pub fn subkeys(&self, additional: &[u8], modifier: &[u8]) -> Result<Subkeys, CipherError> {
        let header = self.context_header.as_ref().map_err(|&error| error)?;
        Ok(split(self.algorithm, &self.master, additional, &[header, modifier]))
    }
}

/// What tells one combination of ciphers from every other, so that no two derive the same keys.
pub(crate) fn context_header(algorithm: Algorithm) -> Result<Vec<u8>, CipherError> {
    let keys = split(algorithm, &hmac::Key::new(hmac::HMAC_SHA512, &[]), &[], &[]);
    let mut header = Vec::new();
    let mut number = |value: u32| header.extend_from_slice(&value.to_be_bytes());
    match algorithm {
        Algorithm::Cbc(size, validation) => {
            let tag = u32_of(validation.bytes());
            for value in [u32_of(size.bytes()), BLOCK_BYTES, tag, tag] {
                number(value);
            }
            header.splice(0..0, [0, 0]);
            header.extend(cipher::encrypt_cbc(&keys.encryption, &[0; 16], &[])?);
            header.extend(cipher::tag(validation, &keys.validation, &[&[]]));
        }
        Algorithm::Gcm(size) => {
            for value in [u32_of(size.bytes()), NONCE_BYTES, BLOCK_BYTES, TAG_BYTES] {
                number(value);
            }
            header.splice(0..0, [0, 1]);
            header.extend(cipher::encrypt_gcm(&keys.encryption, &[0; 12], &[])?);
        }
    }
    Ok(header)
}

fn split(algorithm: Algorithm, master: &hmac::Key, label: &[u8], context: &[&[u8]]) -> Subkeys {
    let (size, validation) = match algorithm {
        Algorithm::Cbc(size, validation) => (size, validation.bytes()),
        Algorithm::Gcm(size) => (size, 0),
    };
    let mut derived = derive(master, label, context, size.bytes() + validation);
    let validation = Zeroizing::new(derived.split_off(size.bytes()));
    Subkeys { encryption: derived, validation }
}

/// So many bytes.
fn derive(master: &hmac::Key, label: &[u8], context: &[&[u8]], bytes: usize) -> Zeroizing<Vec<u8>> {
    let bits = u32_of(bytes * 8).to_be_bytes();
    // Reserved at once: a buffer that grows leaves copies behind.
    let mut derived = Zeroizing::new(Vec::with_capacity(bytes + Validation::HmacSha512.bytes()));
    for counter in 1_u32.. {
        if derived.len() >= bytes {
            break;
        }
        let counter = counter.to_be_bytes();
        let mut block = hmac::Context::with_key(master);
        for part in [&counter, label, &[0]].into_iter().chain(context.iter().copied()).chain([&bits[..]]) {
            block.update(part);
        }
        derived.extend_from_slice(block.sign().as_ref());
    }
    derived.truncate(bytes);
    derived
}

fn u32_of(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data_protection::key::algorithm::AesSize;

    #[test]
    fn context_headers_are_those_of_asp_net_core() {
        let of = |algorithm| hex::encode(context_header(algorithm).unwrap());
        assert_eq!(
            of(Algorithm::NEW),
            "00000000002000000010000000200000\
             0020ea10387ac9273b7fd5321177776f1530f946d3c71d60dd7b287366d81cb0\
             3fe5e5a701fa16f1554f1581fddd576ce844"
        );
        assert_eq!(
            of(Algorithm::Gcm(AesSize::Aes256)),
            "0001000000200000000c0000001000000010e7dcce66df855a323a6bb7bd7a59be45"
        );
    }

    #[test]
    fn every_modifier_and_every_purpose_has_keys_of_its_own() {
        let of = |additional: &[u8], modifier: &[u8]| {
            Derivation::new(Algorithm::NEW, &[1; 64]).subkeys(additional, modifier).unwrap().encryption.to_vec()
        };
        let one = of(b"a", &[0; 16]);
        assert_eq!(one.len(), 32);
        assert_ne!(one, of(b"b", &[0; 16]));
        assert_ne!(one, of(b"a", &[1; 16]));
    }
}
