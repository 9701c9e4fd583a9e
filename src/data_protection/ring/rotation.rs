//! How often keys change, checked.
//!
//! In: two durations as users wrote them. Out: a value under which no application ever lacks a key, or the sentence that says
//! why not.

use jiff::SignedDuration;

const HOUR: SignedDuration = SignedDuration::from_hours(1);
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// The shortest time between two keys: what ASP.NET Core itself allows (`NewKeyLifetime`).
pub const SHORTEST: SignedDuration = SignedDuration::from_hours(24 * 7);
/// The shortest time between two keys that are encrypted to a certificate: their files are four times as big, and none is
/// ever removed.
pub const SHORTEST_WITH_CERTIFICATE: SignedDuration = SignedDuration::from_hours(24 * 30);
/// The longest time between two keys.
pub const LONGEST: SignedDuration = SignedDuration::from_hours(24 * 3650);
/// The shortest time between publishing a key and its first use. Applications read the ring once a day, and one read may
/// fail.
pub const SHORTEST_AHEAD: SignedDuration = SignedDuration::from_hours(48);

/// How often keys change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RotationPolicy {
    every: SignedDuration,
    publish_ahead: SignedDuration,
}

/// Why keys cannot change like this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RotationError {
    /// Too often.
    #[error("spec.dataProtection.rotation.every is {} days, and must be 7d or more", .0.as_hours() / 24)]
    EveryTooShort(SignedDuration),
    /// Too often for a certificate.
    #[error(
        "spec.dataProtection.rotation.every is {} days, and must be 30d or more with a certificate", .0.as_hours() / 24
    )]
    EveryTooShortForCertificate(SignedDuration),
    /// Hardly ever.
    #[error("spec.dataProtection.rotation.every is {} days, and must be 3650d or less", .0.as_hours() / 24)]
    EveryTooLong(SignedDuration),
    /// Before every application knows the key.
    #[error("spec.dataProtection.rotation.publishAhead is {} hours, and must be 48h or more", .0.as_hours())]
    AheadTooShort(SignedDuration),
    /// More than one key would be under way.
    #[error("spec.dataProtection.rotation.publishAhead must not be longer than rotation.every")]
    AheadTooLong,
}

impl RotationPolicy {
    /// Checks both.
    ///
    /// # Errors
    /// Where an application could be without a key, or the ring would soon be full.
    pub fn new(
        every: SignedDuration,
        publish_ahead: SignedDuration,
        has_certificate: bool,
    ) -> Result<Self, RotationError> {
        if every < SHORTEST {
            Err(RotationError::EveryTooShort(every))
        } else if has_certificate && every < SHORTEST_WITH_CERTIFICATE {
            Err(RotationError::EveryTooShortForCertificate(every))
        } else if every > LONGEST {
            Err(RotationError::EveryTooLong(every))
        } else if publish_ahead < SHORTEST_AHEAD {
            Err(RotationError::AheadTooShort(publish_ahead))
        } else if publish_ahead > every {
            Err(RotationError::AheadTooLong)
        } else {
            Ok(Self { every, publish_ahead })
        }
    }

    /// The time between two keys.
    #[must_use]
    pub fn every(self) -> SignedDuration {
        self.every
    }

    /// The time between publishing a key and its first use.
    #[must_use]
    pub fn publish_ahead(self) -> SignedDuration {
        self.publish_ahead
    }
}

impl Default for RotationPolicy {
    fn default() -> Self {
        Self { every: DAY * 90, publish_ahead: HOUR * 72 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(every: i32, ahead: i32, has_certificate: bool) -> Result<RotationPolicy, RotationError> {
        RotationPolicy::new(DAY * every, HOUR * ahead, has_certificate)
    }

    #[test]
    fn what_would_leave_an_application_without_a_key_is_refused() {
        assert_eq!(of(90, 72, true), Ok(RotationPolicy::default()));
        assert!(of(7, 48, false).is_ok());
        assert_eq!(of(6, 48, false), Err(RotationError::EveryTooShort(DAY * 6)));
        assert_eq!(of(29, 72, true), Err(RotationError::EveryTooShortForCertificate(DAY * 29)));
        assert_eq!(of(4000, 72, false), Err(RotationError::EveryTooLong(DAY * 4000)));
        assert_eq!(of(90, 47, false), Err(RotationError::AheadTooShort(HOUR * 47)));
        assert_eq!(of(7, 169, false), Err(RotationError::AheadTooLong));
    }

    #[test]
    fn a_refusal_names_the_field_and_the_remedy() {
        let message = of(6, 48, false).unwrap_err().to_string();
        assert_eq!(message, "spec.dataProtection.rotation.every is 6 days, and must be 7d or more");
    }
}
