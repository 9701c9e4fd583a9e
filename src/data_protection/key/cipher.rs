//! The ciphers and tags that payloads and key files are made with, on aws-lc.
//!
//! In: keys, vectors and bytes. Out: bytes, or that they cannot be worked on. Never says more than that: what exactly was
//! wrong with a ciphertext helps only those who forge one.

use aws_lc_rs::{
    aead::{AES_128_GCM, AES_192_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    cipher::{
        AES_128, AES_192, AES_256, DecryptionContext, EncryptionContext, PaddedBlockDecryptingKey,
        PaddedBlockEncryptingKey, UnboundCipherKey,
    },
    hmac,
    iv::FixedLength,
};
use zeroize::Zeroizing;

use super::algorithm::Validation;

/// Bytes of an initialization vector in CBC mode.
pub const IV_BYTES: usize = 16;
/// Bytes of a nonce in Galois/Counter mode.
pub const NONCE_BYTES: usize = 12;

/// The bytes are none that this cipher made with this key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the cipher cannot work on these bytes with this key")]
pub struct CipherError;

/// AES in CBC mode, padded as PKCS#7 has it.
///
/// # Errors
/// Where the key has a length that AES does not know.
pub fn encrypt_cbc(key: &[u8], iv: &[u8; IV_BYTES], plaintext: &[u8]) -> Result<Vec<u8>, CipherError> {
    let key = PaddedBlockEncryptingKey::cbc_pkcs7(aes(key)?).map_err(|_| CipherError)?;
    // With room for the padding, so that no copy of the plaintext is left behind.
    let mut bytes = Vec::with_capacity(plaintext.len() + IV_BYTES);
    bytes.extend_from_slice(plaintext);
    let context = EncryptionContext::Iv128(FixedLength::from(iv));
    key.less_safe_encrypt(&mut bytes, context).map_err(|_| CipherError)?;
    Ok(bytes)
}

/// How the last block of a ciphertext is filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Padding {
    /// Each byte of the padding tells its length: what payloads have.
    Pkcs7,
    /// The last byte tells its length, the others are anything: what XML encryption has.
    Iso10126,
}

/// Undoes [`encrypt_cbc`].
///
/// # Errors
/// Where these bytes are no ciphertext with such a padding.
pub fn decrypt_cbc(
    key: &[u8],
    iv: &[u8; IV_BYTES],
    ciphertext: &[u8],
    padding: Padding,
) -> Result<Zeroizing<Vec<u8>>, CipherError> {
    let key = match padding {
        Padding::Pkcs7 => PaddedBlockDecryptingKey::cbc_pkcs7(aes(key)?),
        Padding::Iso10126 => PaddedBlockDecryptingKey::cbc_iso10126(aes(key)?),
    };
    let key = key.map_err(|_| CipherError)?;
    let mut bytes = Zeroizing::new(ciphertext.to_vec());
    let context = DecryptionContext::Iv128(FixedLength::from(iv));
    let length = key.decrypt(&mut bytes, context).map_err(|_| CipherError)?.len();
    bytes.truncate(length);
    Ok(bytes)
}

/// AES in Galois/Counter mode; the tag stands at the end.
///
/// # Errors
/// Where the key has a length that AES does not know.
pub fn encrypt_gcm(key: &[u8], nonce: &[u8; NONCE_BYTES], plaintext: &[u8]) -> Result<Vec<u8>, CipherError> {
    let mut bytes = Vec::with_capacity(plaintext.len() + 16);
    bytes.extend_from_slice(plaintext);
    let nonce = Nonce::assume_unique_for_key(*nonce);
    gcm(key)?.seal_in_place_append_tag(nonce, Aad::empty(), &mut bytes).map_err(|_| CipherError)?;
    Ok(bytes)
}

/// Undoes [`encrypt_gcm`].
///
/// # Errors
/// Where the tag is not that of these bytes.
pub fn decrypt_gcm(
    key: &[u8],
    nonce: &[u8; NONCE_BYTES],
    ciphertext: &[u8],
) -> Result<Zeroizing<Vec<u8>>, CipherError> {
    let mut bytes = Zeroizing::new(ciphertext.to_vec());
    let nonce = Nonce::assume_unique_for_key(*nonce);
    let length = gcm(key)?.open_in_place(nonce, Aad::empty(), &mut bytes).map_err(|_| CipherError)?.len();
    bytes.truncate(length);
    Ok(bytes)
}

/// The tag of these parts, one after the other.
#[must_use]
pub fn tag(validation: Validation, key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut context = hmac::Context::with_key(&hmac::Key::new(algorithm(validation), key));
    for part in parts {
        context.update(part);
    }
    context.sign().as_ref().to_vec()
}

/// Whether this is the tag of these bytes, compared in constant time.
#[must_use]
pub fn is_tag(validation: Validation, key: &[u8], bytes: &[u8], tag: &[u8]) -> bool {
    hmac::verify(&hmac::Key::new(algorithm(validation), key), bytes, tag).is_ok()
}

fn algorithm(validation: Validation) -> hmac::Algorithm {
    match validation {
        Validation::HmacSha256 => hmac::HMAC_SHA256,
        Validation::HmacSha512 => hmac::HMAC_SHA512,
    }
}

fn aes(key: &[u8]) -> Result<UnboundCipherKey, CipherError> {
    let algorithm = match key.len() {
        16 => &AES_128,
        24 => &AES_192,
        32 => &AES_256,
        _ => return Err(CipherError),
    };
    UnboundCipherKey::new(algorithm, key).map_err(|_| CipherError)
}

fn gcm(key: &[u8]) -> Result<LessSafeKey, CipherError> {
    let algorithm = match key.len() {
        16 => &AES_128_GCM,
        24 => &AES_192_GCM,
        32 => &AES_256_GCM,
        _ => return Err(CipherError),
    };
    UnboundKey::new(algorithm, key).map(LessSafeKey::new).map_err(|_| CipherError)
}
