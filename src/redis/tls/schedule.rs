//! When a certificate is to be made anew: chains of small checks, each of which knows one reason.
//!
//! In: what there is, and the time. Out: the first reason that applies. Nothing is remembered.
//!
//! ```text
//! a new authority   made ──▶ published beside the old one ── OVERLAP ──▶ signs the servers' certificate
//! the old one       signs until then, and stays in the bundle until it expires
//! ```

use jiff::{SignedDuration, Timestamp};

use super::certificate::{Certificate, Pair, PairError, signed};

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// How long an authority is valid.
pub const AUTHORITY_LIFETIME: SignedDuration = SignedDuration::from_hours(24 * 3650);
/// How long a server's certificate is valid.
pub const CERTIFICATE_LIFETIME: SignedDuration = SignedDuration::from_hours(24 * 90);
/// How long before its end an authority is followed by another one. Longer than a server's certificate is valid, so that
/// the end of an authority never shortens one.
pub const AUTHORITY_AHEAD: SignedDuration = SignedDuration::from_hours(24 * 365);
/// How long clients have to read the bundle with a new authority before a server shows a certificate that it signed.
pub const OVERLAP: SignedDuration = DAY;

/// Why something is to be made anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Violation {
    /// There is none.
    Missing,
    /// It is no certificate with a private key.
    Malformed,
    /// The private key belongs to another certificate.
    KeyMismatch,
    /// It should sign others, and may not.
    NoAuthority,
    /// It lacks a name that it should be valid for.
    NameMissing,
    /// Another authority signed it than should have.
    OtherIssuer,
    /// Its time is over, or soon will be.
    Due,
}

/// What a check sees.
#[derive(Debug, Clone, Copy)]
pub struct Input<'seen> {
    /// What there is; `None` where there is nothing.
    pub pair: Option<&'seen Result<Pair, PairError>>,
    /// The names that it should be valid for.
    pub names: &'seen [String],
    /// The authorities one of which should have signed it.
    pub signers: &'seen [&'seen Certificate],
    /// The time.
    pub now: Timestamp,
}

impl Input<'_> {
    fn leaf(&self) -> Option<&Certificate> {
        self.pair?.as_ref().ok().map(|pair| &pair.leaf)
    }
}

type Check = fn(&Input<'_>) -> Option<Violation>;

/// What a server's certificate must be.
const OF_CERTIFICATE: [Check; 6] = [missing, malformed, key_mismatch, name_missing, other_issuer, two_thirds_over];

/// What an authority must be.
const OF_AUTHORITY: [Check; 5] = [missing, malformed, key_mismatch, no_authority, ends_soon];

/// Why a server's certificate is to be made anew, if it is.
#[must_use]
pub fn of_certificate(input: &Input<'_>) -> Option<Violation> {
    OF_CERTIFICATE.iter().find_map(|check| check(input))
}

/// Why another authority is to be made, if it is.
#[must_use]
pub fn of_authority(input: &Input<'_>) -> Option<Violation> {
    OF_AUTHORITY.iter().find_map(|check| check(input))
}

/// Whether clients have had the time to read the bundle with a new authority.
#[must_use]
pub fn is_known_to_clients(published: Option<Timestamp>, now: Timestamp) -> bool {
    published.is_some_and(|published| now >= published + OVERLAP)
}

fn missing(input: &Input<'_>) -> Option<Violation> {
    input.pair.is_none().then_some(Violation::Missing)
}

fn malformed(input: &Input<'_>) -> Option<Violation> {
    matches!(input.pair?, Err(PairError::NoCertificate | PairError::NoKey)).then_some(Violation::Malformed)
}

fn key_mismatch(input: &Input<'_>) -> Option<Violation> {
    matches!(input.pair?, Err(PairError::Mismatch)).then_some(Violation::KeyMismatch)
}

fn no_authority(input: &Input<'_>) -> Option<Violation> {
    (!input.leaf()?.is_authority).then_some(Violation::NoAuthority)
}

fn name_missing(input: &Input<'_>) -> Option<Violation> {
    let leaf = input.leaf()?;
    input.names.iter().any(|name| !leaf.names.contains(name)).then_some(Violation::NameMissing)
}

fn other_issuer(input: &Input<'_>) -> Option<Violation> {
    let leaf = input.leaf()?;
    (!input.signers.iter().any(|signer| signed(signer, leaf))).then_some(Violation::OtherIssuer)
}

fn two_thirds_over(input: &Input<'_>) -> Option<Violation> {
    let leaf = input.leaf()?;
    let lifetime = leaf.not_after.duration_since(leaf.not_before);
    (input.now >= leaf.not_before + lifetime / 3 * 2).then_some(Violation::Due)
}

fn ends_soon(input: &Input<'_>) -> Option<Violation> {
    (input.now >= input.leaf()?.not_after - AUTHORITY_AHEAD).then_some(Violation::Due)
}
