//! When a certificate is to be made anew: chains of small checks, each of which knows one reason.
//!
//! In: what there is, and the time. Out: the first reason that applies. Nothing is remembered.
//!
//! ```text
//! a new authority   made ──▶ published beside the old one ── OVERLAP ──▶ signs the servers' certificate
//! the old one       signs until then, and stays in the bundle until it expires
//! ```

use jiff::{SignedDuration, Timestamp};

use super::{
    certificate::{Certificate, Pair, PairError},
    verified::Verified,
};

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
    /// What was verified before.
    pub verified: &'seen Verified,
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
    (!input.signers.iter().any(|signer| input.verified.signed(signer, leaf))).then_some(Violation::OtherIssuer)
}

fn two_thirds_over(input: &Input<'_>) -> Option<Violation> {
    let leaf = input.leaf()?;
    let lifetime = leaf.not_after.duration_since(leaf.not_before);
    (input.now >= leaf.not_before + lifetime / 3 * 2).then_some(Violation::Due)
}

fn ends_soon(input: &Input<'_>) -> Option<Violation> {
    (input.now >= input.leaf()?.not_after - AUTHORITY_AHEAD).then_some(Violation::Due)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redis::tls::issue::{self, Issued};

    const NOW: Timestamp = Timestamp::constant(1_767_225_600, 0);

    fn authority(dice: u8, made: Timestamp) -> Issued {
        issue::authority("shop-redis", &[dice; 128], made).unwrap()
    }

    fn pair(issued: &Issued) -> Result<Pair, PairError> {
        Pair::parse(issued.certificate.as_bytes(), issued.key.reveal().as_bytes())
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    /// What is said of a certificate for `shop-redis`, made by the authority `dice`, where authority 1 should have made it.
    fn of(dice: u8, made: Timestamp, wanted: &[&str], now: Timestamp) -> Option<Violation> {
        let (expected, signer) = (authority(1, NOW), authority(dice, NOW));
        let ends = NOW + AUTHORITY_LIFETIME;
        let issued = issue::certificate(&names(&["shop-redis"]), &signer, ends, &[5; 128], made).unwrap();
        let (pair, expected) = (pair(&issued), pair(&expected).unwrap().leaf);
        of_certificate(&Input {
            pair: Some(&pair),
            names: &names(wanted),
            signers: &[&expected],
            verified: &Verified::default(),
            now,
        })
    }

    #[test]
    fn a_certificate_is_kept_for_two_thirds_of_its_time() {
        let kept = |days: i64| of(1, NOW, &["shop-redis"], NOW + DAY * i32::try_from(days).unwrap());
        assert_eq!(kept(0), None);
        assert_eq!(kept(59), None);
        assert_eq!(kept(60), Some(Violation::Due));
        assert_eq!(kept(91), Some(Violation::Due));
    }

    #[test]
    fn a_certificate_that_lacks_a_name_or_has_another_issuer_is_made_anew() {
        assert_eq!(of(1, NOW, &["shop-redis", "shop-redis.web"], NOW), Some(Violation::NameMissing));
        assert_eq!(of(2, NOW, &["shop-redis"], NOW), Some(Violation::OtherIssuer));
    }

    #[test]
    fn what_is_no_pair_is_made_anew() {
        let (one, other) = (authority(1, NOW), authority(2, NOW));
        let check = |pair: Option<&Result<Pair, PairError>>| {
            of_authority(&Input { pair, names: &[], signers: &[], verified: &Verified::default(), now: NOW })
        };
        assert_eq!(check(None), Some(Violation::Missing));
        let mixed = Pair::parse(one.certificate.as_bytes(), other.key.reveal().as_bytes());
        assert_eq!(check(Some(&mixed)), Some(Violation::KeyMismatch));
        for (certificate, key) in [("", ""), ("nonsense", one.key.reveal()), (one.certificate.as_str(), "nonsense")] {
            let malformed = Pair::parse(certificate.as_bytes(), key.as_bytes());
            assert_eq!(check(Some(&malformed)), Some(Violation::Malformed));
        }
    }

    #[test]
    fn an_authority_is_followed_a_year_before_its_end_and_must_be_one() {
        let one = pair(&authority(1, NOW));
        let at = |now| {
            of_authority(&Input { pair: Some(&one), names: &[], signers: &[], verified: &Verified::default(), now })
        };
        assert_eq!(at(NOW), None);
        assert_eq!(at(NOW + AUTHORITY_LIFETIME - AUTHORITY_AHEAD - DAY), None);
        assert_eq!(at(NOW + AUTHORITY_LIFETIME - AUTHORITY_AHEAD), Some(Violation::Due));
        let ends = NOW + AUTHORITY_LIFETIME;
        let leaf = issue::certificate(&names(&["a"]), &authority(1, NOW), ends, &[5; 128], NOW).unwrap();
        let leaf = pair(&leaf);
        let check = of_authority(&Input {
            pair: Some(&leaf),
            names: &[],
            signers: &[],
            verified: &Verified::default(),
            now: NOW,
        });
        assert_eq!(check, Some(Violation::NoAuthority));
    }

    #[test]
    fn clients_know_an_authority_a_day_after_it_was_in_every_bundle() {
        assert!(!is_known_to_clients(None, NOW));
        assert!(!is_known_to_clients(Some(NOW), NOW + OVERLAP - SignedDuration::from_secs(1)));
        assert!(is_known_to_clients(Some(NOW), NOW + OVERLAP));
    }
}
