//! Protected payloads: what `IDataProtector.Protect` makes, byte for byte.
//!
//! In: a key, the purposes, and either a plaintext with random bytes or a payload. Out: the other of the two. Nothing is
//! drawn here, and a plaintext is wiped from memory when dropped.
//!
//! ```text
//! 09 F0 C9 F0 │ key id 16 │ key modifier 16 │ IV 16    │ ciphertext │ tag      AES-CBC with HMAC
//!                         │                 │ nonce 12 │ ciphertext │ tag 16   AES-GCM
//! ```
//!
//! The rules are those of
//! <https://learn.microsoft.com/aspnet/core/security/data-protection/implementation/authenticated-encryption-details>.

pub(crate) mod derivation;

use std::fmt;

use zeroize::Zeroizing;

use super::key::{
    algorithm::Algorithm,
    cipher::{self, CipherError, IV_BYTES, NONCE_BYTES, Padding},
    id::{KEY_ID_BYTES, KeyId},
    master_key::MasterKey,
};
use derivation::Derivation;

/// What every payload begins with.
pub const MAGIC: [u8; 4] = [0x09, 0xf0, 0xc9, 0xf0];
/// Random bytes that protecting one plaintext takes.
pub const RANDOM_BYTES: usize = MODIFIER_BYTES + IV_BYTES;
/// What makes the keys of each payload its own.
const MODIFIER_BYTES: usize = 16;

/// What a payload is for: the application's name, then the purposes of its protectors, from the outermost on. As they go into
/// the derivation of a payload's keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purposes(Vec<u8>);

impl Purposes {
    /// Of an application.
    #[must_use]
    pub fn new(application: &str, purposes: &[&str]) -> Self {
        let mut data = u32::try_from(purposes.len() + 1).unwrap_or(u32::MAX).to_be_bytes().to_vec();
        for purpose in std::iter::once(&application).chain(purposes) {
            let mut length = purpose.len();
            while length >= 0x80 {
                data.push(u8::try_from(length & 0x7f).unwrap_or_default() | 0x80);
                length >>= 7;
            }
            data.push(u8::try_from(length).unwrap_or_default());
            data.extend(purpose.as_bytes());
        }
        Self(data)
    }

    /// Of the entries that Microsoft.Identity.Web stores.
    #[must_use]
    pub fn token_cache(application: &str) -> Self {
        Self::new(application, &["msal_cache"])
    }

    /// With the key: what goes into the derivation of a payload's keys.
    fn additional_data(&self, id: KeyId) -> Vec<u8> {
        [&MAGIC[..], &id.to_payload(), &self.0].concat()
    }
}

/// The key that a payload was made with; `None` where these bytes are no payload.
#[must_use]
pub fn key_id(payload: &[u8]) -> Option<KeyId> {
    let id = payload.strip_prefix(&MAGIC)?.first_chunk::<KEY_ID_BYTES>()?;
    Some(KeyId::from_payload(*id))
}

/// What makes and reads payloads: a key that was opened.
#[derive(Clone)]
pub struct Protector {
    /// The key's name.
    pub id: KeyId,
    algorithm: Algorithm,
    master: MasterKey,
    derivation: Derivation,
}

impl PartialEq for Protector {
    fn eq(&self, other: &Self) -> bool {
        // Everything else follows from these.
        (self.id, self.algorithm) == (other.id, other.algorithm) && self.master == other.master
    }
}

impl Eq for Protector {}

impl fmt::Debug for Protector {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, algorithm, .. } = self;
        formatter.debug_struct("Protector").field("id", id).field("algorithm", algorithm).finish_non_exhaustive()
    }
}

impl Protector {
    /// A key's name, its ciphers and its secret.
    #[must_use]
    pub fn new(id: KeyId, algorithm: Algorithm, master: MasterKey) -> Self {
        let derivation = Derivation::new(algorithm, master.reveal());
        Self { id, algorithm, master, derivation }
    }

    /// Protects a plaintext. `random` is never to be used again.
    ///
    /// # Errors
    /// Where the cipher refuses to work.
    pub fn protect(
        &self,
        purposes: &Purposes,
        plaintext: &[u8],
        random: &[u8; RANDOM_BYTES],
    ) -> Result<Vec<u8>, CipherError> {
        let (modifier, vector) = random.split_first_chunk::<MODIFIER_BYTES>().ok_or(CipherError)?;
        let keys = self.derivation.subkeys(&purposes.additional_data(self.id), modifier)?;
        let mut payload = MAGIC.to_vec();
        payload.extend(self.id.to_payload());
        payload.extend(modifier);
        match self.algorithm {
            Algorithm::Cbc(_, validation) => {
                let iv = vector.first_chunk::<IV_BYTES>().ok_or(CipherError)?;
                let ciphertext = cipher::encrypt_cbc(&keys.encryption, iv, plaintext)?;
                let tag = cipher::tag(validation, &keys.validation, &[iv, &ciphertext]);
                payload.extend(iv);
                payload.extend(ciphertext);
                payload.extend(tag);
            }
            Algorithm::Gcm(_) => {
                let nonce = vector.first_chunk::<NONCE_BYTES>().ok_or(CipherError)?;
                payload.extend(nonce);
                payload.extend(cipher::encrypt_gcm(&keys.encryption, nonce, plaintext)?);
            }
        }
        Ok(payload)
    }

    /// Reads a payload.
    ///
    /// # Errors
    /// Where it was made with another key or for another purpose, by an application of another name, or was changed. Which
    /// of these it was cannot be told.
    pub fn unprotect(&self, purposes: &Purposes, payload: &[u8]) -> Result<Zeroizing<Vec<u8>>, CipherError> {
        if key_id(payload) != Some(self.id) {
            return Err(CipherError);
        }
        let body = payload.get(MAGIC.len() + KEY_ID_BYTES..).ok_or(CipherError)?;
        let (modifier, body) = body.split_first_chunk::<MODIFIER_BYTES>().ok_or(CipherError)?;
        let keys = self.derivation.subkeys(&purposes.additional_data(self.id), modifier)?;
        match self.algorithm {
            Algorithm::Cbc(_, validation) => {
                let tagged = body.len().checked_sub(validation.bytes()).ok_or(CipherError)?;
                let (tagged, tag) = body.split_at(tagged);
                if !cipher::is_tag(validation, &keys.validation, tagged, tag) {
                    return Err(CipherError);
                }
                let (iv, ciphertext) = tagged.split_first_chunk::<IV_BYTES>().ok_or(CipherError)?;
                cipher::decrypt_cbc(&keys.encryption, iv, ciphertext, Padding::Pkcs7)
            }
            Algorithm::Gcm(_) => {
                let (nonce, ciphertext) = body.split_first_chunk::<NONCE_BYTES>().ok_or(CipherError)?;
                cipher::decrypt_gcm(&keys.encryption, nonce, ciphertext)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data_protection::key::algorithm::{AesSize, Validation};

    fn protector(algorithm: Algorithm) -> Protector {
        let id = KeyId::parse("80732141-ec8f-4b80-af9c-c4d2d1ff8901").unwrap();
        Protector::new(id, algorithm, MasterKey::from_random(&[9; 64]))
    }

    #[test]
    fn what_is_protected_is_read_again_by_every_algorithm_at_every_length() {
        let purposes = Purposes::token_cache("/app");
        for size in [AesSize::Aes128, AesSize::Aes192, AesSize::Aes256] {
            let cbc =
                [Validation::HmacSha256, Validation::HmacSha512].map(|validation| Algorithm::Cbc(size, validation));
            for algorithm in cbc.into_iter().chain([Algorithm::Gcm(size)]) {
                let protector = protector(algorithm);
                for length in 0..40 {
                    let plaintext = vec![7; length];
                    let payload = protector.protect(&purposes, &plaintext, &[1; RANDOM_BYTES]).unwrap();
                    assert_eq!(protector.unprotect(&purposes, &payload).unwrap().as_slice(), plaintext);
                }
            }
        }
    }

    #[test]
    fn a_payload_that_was_changed_anywhere_is_refused() {
        for algorithm in [Algorithm::NEW, Algorithm::Gcm(AesSize::Aes256)] {
            let (protector, purposes) = (protector(algorithm), Purposes::token_cache("/app"));
            let payload = protector.protect(&purposes, b"{}", &[1; RANDOM_BYTES]).unwrap();
            for index in 0..payload.len() {
                let mut changed = payload.clone();
                changed[index] ^= 1;
                assert!(protector.unprotect(&purposes, &changed).is_err(), "byte {index}");
                assert!(protector.unprotect(&purposes, &payload[..index]).is_err(), "cut at {index}");
            }
        }
    }

    #[test]
    fn another_application_and_another_purpose_read_nothing() {
        let protector = protector(Algorithm::NEW);
        let payload = protector.protect(&Purposes::token_cache("/app"), b"{}", &[1; RANDOM_BYTES]).unwrap();
        for other in [Purposes::token_cache("/app/"), Purposes::new("/app", &["other"]), Purposes::new("/app", &[])] {
            assert_eq!(protector.unprotect(&other, &payload), Err(CipherError));
        }
    }

    #[test]
    fn a_long_purpose_has_its_length_in_groups_of_seven_bits() {
        let long = "p".repeat(300);
        let data = Purposes::new("", &[&long]).additional_data(KeyId::from_random([0; 16]));
        assert_eq!(data[20..27], [0, 0, 0, 2, 0, 0xac, 0x02]);
    }
}
