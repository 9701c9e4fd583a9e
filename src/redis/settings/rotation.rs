//! What a cache wants of changes of the applications' password.
//!
//! In: what users wrote. Out: a [`RotationRequest`]. It decides nothing.

use jiff::SignedDuration;
use jiff::Timestamp;

use crate::{
    api::v1alpha1::PasswordWait,
    capability::{operation::Request, time::duration},
};

/// What a cache wants of rotations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RotationRequest {
    /// How long the earlier password stays valid.
    pub overlap: SignedDuration,
    /// Whom its end waits for.
    pub wait: PasswordWait,
    /// What its annotation asks for.
    pub request: Option<Request>,
    /// When the `TokenCache` was made.
    pub created: Option<Timestamp>,
    /// Whether nothing is to be changed: the cache is paused.
    pub held: bool,
}

/// Reads an overlap as users write it: a whole number with one of the suffixes s, m, h, d, from 1s to 30d.
#[must_use]
pub fn overlap(written: &str) -> Option<SignedDuration> {
    duration(written).filter(|overlap| (SignedDuration::from_secs(1)..=LONGEST_OVERLAP).contains(overlap))
}

pub(crate) const LONGEST_OVERLAP: SignedDuration = SignedDuration::from_hours(24 * 30);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_overlap_is_from_one_second_to_thirty_days() {
        let hours = SignedDuration::from_hours;
        for (written, wanted) in [
            ("1s", SignedDuration::from_secs(1)),
            ("90m", SignedDuration::from_mins(90)),
            ("24h", hours(24)),
            ("30d", hours(720)),
        ] {
            assert_eq!(overlap(written), Some(wanted), "{written}");
        }
        for written in ["", "s", "0s", "31d", "721h", "24", "-1h", "+1h", "1.5h", "1w", "ä", "99999999999999999999s"] {
            assert_eq!(overlap(written), None, "{written}");
        }
    }
}
