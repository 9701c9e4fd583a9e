//! Random bytes. Nothing else draws any.
//!
//! In: nothing. Out: bytes that are wiped when they are dropped.

use aws_lc_rs::rand;
use zeroize::Zeroizing;

/// Random bytes that one draft may use.
pub const RANDOM_BYTES: usize = 128;

/// There is no randomness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system has no random bytes")]
pub struct NoRandom;

/// Random bytes.
///
/// # Errors
/// Where the system has none.
pub fn random<const BYTES: usize>() -> Result<Zeroizing<[u8; BYTES]>, NoRandom> {
    let mut random = Zeroizing::new([0; BYTES]);
    rand::fill(random.as_mut_slice()).map_err(|_| NoRandom)?;
    Ok(random)
}
