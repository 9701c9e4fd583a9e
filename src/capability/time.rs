//! Durations as users write them, and times as Kubernetes keeps them.
//!
//! In: text, times. Out: values. No clock is read.

use jiff::{SignedDuration, Timestamp};

/// Reads a duration as users write it: a whole number with one of the suffixes s, m, h, d.
#[must_use]
pub fn duration(written: &str) -> Option<SignedDuration> {
    let (number, unit) = written.split_at_checked(written.len().checked_sub(1)?)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86400,
        _ => return None,
    };
    let number = Some(number).filter(|number| number.bytes().all(|byte| byte.is_ascii_digit()))?;
    Some(SignedDuration::from_secs(number.parse::<i64>().ok()?.checked_mul(seconds)?))
}

/// A time in whole seconds, as Kubernetes keeps it.
#[must_use]
pub fn whole(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

/// The next whole second, where a time must not come too early.
#[must_use]
pub fn whole_or_later(time: Timestamp) -> Timestamp {
    let floor = whole(time);
    if floor == time { time } else { after(floor, SignedDuration::from_secs(1)) }
}

/// A time and a while, however far off.
#[must_use]
pub fn after(time: Timestamp, duration: SignedDuration) -> Timestamp {
    time.checked_add(duration).unwrap_or(Timestamp::MAX)
}

/// How often pods are looked at that somebody waits for: nobody tells when one is restarted. At first, since they most likely
/// are by then, and later.
const LOOK_AGAIN: [SignedDuration; 2] = [SignedDuration::from_mins(1), SignedDuration::from_mins(10)];
/// How long the first of that is.
const AT_FIRST: SignedDuration = SignedDuration::from_mins(30);

/// When pods are looked at again that are waited for since this time.
#[must_use]
pub fn next_look(since: Timestamp, now: Timestamp) -> Timestamp {
    let [first, later] = LOOK_AGAIN;
    after(now, if now < after(since, AT_FIRST) { first } else { later })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_a_whole_number_with_a_unit() {
        let hours = SignedDuration::from_hours;
        for (written, wanted) in [
            ("0s", SignedDuration::ZERO),
            ("90m", SignedDuration::from_mins(90)),
            ("24h", hours(24)),
            ("30d", hours(720)),
        ] {
            assert_eq!(duration(written), Some(wanted), "{written}");
        }
        for written in ["", "s", "24", "-1h", "+1h", "1.5h", "1w", "ä", "99999999999999999999s"] {
            assert_eq!(duration(written), None, "{written}");
        }
    }

    #[test]
    fn a_time_is_never_rounded_to_an_earlier_one_where_that_matters() {
        let at = |time: &str| -> Timestamp { time.parse().unwrap() };
        assert_eq!(whole_or_later(at("2026-01-01T12:00:00Z")), at("2026-01-01T12:00:00Z"));
        assert_eq!(whole_or_later(at("2026-01-01T12:00:00.001Z")), at("2026-01-01T12:00:01Z"));
        assert_eq!(after(Timestamp::MAX, SignedDuration::from_hours(24)), Timestamp::MAX);
    }
}
