//! A date of a key file, as .NET reads and keeps it.
//!
//! In: the text of an element, or a time. Out: a point in time in steps of 100 ns, from the first day of the year 1 to the
//! last of 9999, which [`Timestamp`] cannot tell to its end. No clock is read: a text that means another day on every day,
//! such as a time alone, is no date here.
//!
//! The forms are those that `XmlConvert.ToDateTimeOffset` takes, the types of XML Schema that have a year
//! (<https://www.w3.org/TR/xmlschema-2/#dateTime>). Without a zone it is the time of the machine, which in a container is UTC.

use std::fmt;

use jiff::{
    SignedDuration, Span, Timestamp,
    civil::{DateTime, Time},
};

/// In a second.
const TICKS: i64 = 10_000_000;
/// In a day.
const DAY: i64 = 24 * 60 * 60 * TICKS;
/// The first day that .NET knows.
const FIRST: DateTime = DateTime::constant(1, 1, 1, 0, 0, 0, 0);
/// Seconds from then to 1970.
const UNIX_EPOCH: i64 = 62_135_596_800;
/// `DateTimeOffset.MaxValue`.
const LAST: i64 = 3_155_378_975_999_999_999;
/// The year of what has a month and a day only.
const LEAP_YEAR: i16 = 1904;
/// The farthest zone, in minutes.
const FARTHEST_ZONE: i64 = 14 * 60;

/// A date of a key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(i64);

/// Why a text is no date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DateError {
    /// .NET reads none in it either.
    None,
    /// .NET reads it, and as another one on every day.
    OfToday,
}

impl Date {
    /// `DateTimeOffset.MaxValue`, which is what keys say that never expire.
    pub const MAX: Self = Self(LAST);

    /// Reads the text of an element.
    ///
    /// # Errors
    /// Where it is no date.
    pub fn parse(text: &str) -> Result<Self, DateError> {
        let text = text.trim();
        let mut reader = Reader { rest: text.as_bytes() };
        if let Some(civil) = reader.day().and_then(|day| reader.time_or_nothing(day)) {
            return reader.zoned(civil).ok_or(DateError::None);
        }
        if (Reader { rest: text.as_bytes() }).is_of_today() {
            return Err(DateError::OfToday);
        }
        let mut reader = Reader { rest: text.as_bytes() };
        let civil = reader.year_or_feast().ok_or(DateError::None)?;
        reader.zoned(civil).ok_or(DateError::None)
    }

    /// As a time; the last one that there is for what lies beyond.
    #[must_use]
    pub fn timestamp(self) -> Timestamp {
        let (seconds, ticks) = (self.0.div_euclid(TICKS) - UNIX_EPOCH, self.0.rem_euclid(TICKS));
        let nanoseconds = i32::try_from(ticks * 100).unwrap_or_default();
        Timestamp::new(seconds, nanoseconds).unwrap_or(Timestamp::MAX)
    }

    /// Whether .NET 8 fails over it where a key that expires then is to encrypt: it adds five minutes to it.
    #[must_use]
    pub fn is_beyond_net_8(self) -> bool {
        self.0 > LAST - 5 * 60 * TICKS
    }
}

impl From<Timestamp> for Date {
    fn from(time: Timestamp) -> Self {
        if time == Timestamp::MAX {
            return Self::MAX;
        }
        let ticks = (time.as_second() + UNIX_EPOCH) * TICKS + i64::from(time.subsec_nanosecond()).div_euclid(100);
        Self(ticks.clamp(0, LAST))
    }
}

impl fmt::Display for Date {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, of_day) = (self.0.div_euclid(DAY), self.0.rem_euclid(DAY));
        let day = FIRST.date().checked_add(Span::new().days(days)).unwrap_or(jiff::civil::Date::MAX);
        let time = Time::midnight().wrapping_add(SignedDuration::from_nanos(of_day * 100));
        let civil = DateTime::from_parts(day, time);
        write!(formatter, "{civil}Z")
    }
}

impl fmt::Debug for Date {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// What is left of a text.
struct Reader<'text> {
    rest: &'text [u8],
}

/// A time without a zone, and the ticks of its second, which rounding may have made a whole one.
#[derive(Clone, Copy)]
struct Civil(DateTime, i64);

impl Reader<'_> {
    fn byte(&mut self, wanted: u8) -> Option<()> {
        self.rest = self.rest.strip_prefix(&[wanted])?;
        Some(())
    }

    fn digits(&mut self, count: usize) -> Option<i16> {
        let (digits, rest) = self.rest.split_at_checked(count)?;
        let number = digits.iter().try_fold(0_i16, |number, digit| {
            let digit = digit.checked_sub(b'0').filter(|digit| *digit < 10)?;
            Some(number * 10 + i16::from(digit))
        })?;
        self.rest = rest;
        Some(number)
    }

    fn two(&mut self, range: std::ops::RangeInclusive<i8>) -> Option<i8> {
        let number = i8::try_from(self.digits(2)?).ok()?;
        range.contains(&number).then_some(number)
    }

    fn year(&mut self) -> Option<i16> {
        self.digits(4).filter(|year| *year >= 1)
    }

    /// `2026-01-01`.
    fn day(&mut self) -> Option<DateTime> {
        let year = self.year()?;
        self.byte(b'-')?;
        let month = self.two(1..=12)?;
        self.byte(b'-')?;
        let day = self.two(1..=31)?;
        DateTime::new(year, month, day, 0, 0, 0, 0).ok()
    }

    /// `T00:00:00.1234567` after a day, or a day alone.
    fn time_or_nothing(&mut self, day: DateTime) -> Option<Civil> {
        if self.byte(b'T').is_none() {
            // What follows must be a zone.
            return self.is_zone().then_some(Civil(day, 0));
        }
        let (hour, minute, second, ticks) = self.time()?;
        let time = day.with().hour(hour).minute(minute).second(second).build().ok()?;
        Some(Civil(time, ticks))
    }

    fn time(&mut self) -> Option<(i8, i8, i8, i64)> {
        let hour = self.two(0..=23)?;
        self.byte(b':')?;
        let minute = self.two(0..=59)?;
        self.byte(b':')?;
        let second = self.two(0..=59)?;
        let ticks = if self.byte(b'.').is_some() { self.fraction()? } else { 0 };
        Some((hour, minute, second, ticks))
    }

    /// Any number of digits, of which seven are kept. The half is rounded to the even.
    fn fraction(&mut self) -> Option<i64> {
        let count = self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (digits, rest) = self.rest.split_at_checked(count).filter(|(digits, _)| !digits.is_empty())?;
        self.rest = rest;
        let kept = (0..7)
            .fold(0_i64, |ticks, place| ticks * 10 + digits.get(place).map_or(0, |digit| i64::from(digit - b'0')));
        let beyond = digits.get(7..).unwrap_or_default();
        let rounds_up = match beyond.split_first() {
            Some((b'5', rest)) => rest.iter().any(|digit| *digit != b'0') || kept % 2 == 1,
            Some((first, _)) => *first > b'5',
            None => false,
        };
        Some(kept + i64::from(rounds_up))
    }

    /// `2026-01`, `2026`, or `--01-01`, which no day in the year has to do with.
    fn year_or_feast(&mut self) -> Option<Civil> {
        let (year, month, day) = if self.byte(b'-').is_some() {
            self.byte(b'-')?;
            let month = self.two(1..=12)?;
            self.byte(b'-')?;
            (LEAP_YEAR, month, self.two(1..=31)?)
        } else {
            let year = self.year()?;
            let mut with_month = Self { rest: self.rest };
            let month = with_month.byte(b'-').and_then(|()| with_month.two(1..=12));
            if let Some(month) = month.filter(|_| with_month.is_zone()) {
                self.rest = with_month.rest;
                (year, month, 1)
            } else {
                (year, 1, 1)
            }
        };
        Some(Civil(DateTime::new(year, month, day, 0, 0, 0, 0).ok()?, 0))
    }

    /// `12:00:00`, `--01`, `--01--` or `---01`.
    fn is_of_today(&self) -> bool {
        let with = |read: &dyn Fn(&mut Self) -> Option<()>| {
            let mut reader = Self { rest: self.rest };
            read(&mut reader).is_some_and(|()| reader.is_zone())
        };
        with(&|reader| reader.time().map(|_| ()))
            || with(&|reader| {
                reader.byte(b'-')?;
                reader.byte(b'-')?;
                reader.two(1..=12).map(|_| ())
            })
            || with(&|reader| {
                reader.byte(b'-')?;
                reader.byte(b'-')?;
                reader.two(1..=12)?;
                reader.byte(b'-')?;
                reader.byte(b'-')
            })
            || with(&|reader| {
                reader.byte(b'-')?;
                reader.byte(b'-')?;
                reader.byte(b'-')?;
                reader.two(1..=31).map(|_| ())
            })
    }

    /// Whether nothing but a zone is left, or nothing.
    fn is_zone(&self) -> bool {
        Self { rest: self.rest }.zone().is_some()
    }

    /// The zone that ends the text, in minutes east; `None` where something else is left.
    fn zone(&mut self) -> Option<i64> {
        let (sign, rest) = match self.rest.split_first() {
            None | Some((b'Z' | b'z', [])) => return Some(0),
            Some((b'+', rest)) => (1, rest),
            Some((b'-', rest)) => (-1, rest),
            Some(_) => return None,
        };
        self.rest = rest;
        let hours = i64::from(self.digits(2)?);
        self.byte(b':')?;
        let minutes = i64::from(self.digits(2)?);
        self.rest.is_empty().then_some(sign * (hours * 60 + minutes))
    }

    fn zoned(&mut self, Civil(local, ticks): Civil) -> Option<Date> {
        let zone = self.zone().filter(|zone| zone.abs() <= FARTHEST_ZONE)?;
        let seconds = local.duration_since(FIRST).as_secs();
        let in_range = |ticks: &i64| (0..=LAST).contains(ticks);
        let local = seconds.checked_mul(TICKS)?.checked_add(ticks).filter(in_range)?;
        local.checked_sub(zone * 60 * TICKS).filter(in_range).map(Date)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        match Date::parse(text) {
            Ok(date) => date.to_string(),
            Err(why) => format!("{why:?}"),
        }
    }

    #[test]
    fn a_date_has_any_form_with_a_year_that_dotnet_reads() {
        for (text, date) in [
            ("2026-11-22T02:27:08.2025735Z", "2026-11-22T02:27:08.2025735Z"),
            ("2026-11-22T02:27:08z", "2026-11-22T02:27:08Z"),
            ("2026-11-22T04:27:08+02:00", "2026-11-22T02:27:08Z"),
            ("2026-11-22T04:27:08+01:60", "2026-11-22T02:27:08Z"),
            (" 2026-11-22T02:27:08\u{a0}", "2026-11-22T02:27:08Z"),
            ("2026-11-22", "2026-11-22T00:00:00Z"),
            ("2026-11-22-14:00", "2026-11-22T14:00:00Z"),
            ("2026-11", "2026-11-01T00:00:00Z"),
            ("2026-11+01:00", "2026-10-31T23:00:00Z"),
            ("2026", "2026-01-01T00:00:00Z"),
            ("2026Z", "2026-01-01T00:00:00Z"),
            ("--02-29", "1904-02-29T00:00:00Z"),
            ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
            ("9999-12-31T23:59:59.9999999Z", "9999-12-31T23:59:59.9999999Z"),
            ("2026-01-01T00:00:00.12345675Z", "2026-01-01T00:00:00.1234568Z"),
            ("2026-01-01T00:00:00.12345665Z", "2026-01-01T00:00:00.1234566Z"),
            ("2026-01-01T00:00:00.123456650001Z", "2026-01-01T00:00:00.1234567Z"),
            ("2026-01-01T00:00:59.99999999Z", "2026-01-01T00:01:00Z"),
        ] {
            assert_eq!(read(text), date, "{text}");
        }
    }

    #[test]
    fn what_dotnet_does_not_read_is_none_and_what_changes_with_the_day_is_told_apart() {
        for text in [
            "",
            "soon",
            "2026-11-22 02:27:08Z",
            "2026-11-22t02:27:08Z",
            "20261122T022708Z",
            "2026-11-22T02:27Z",
            "2026-11-22T24:00:00Z",
            "2026-11-22T02:27:60Z",
            "2026-02-29",
            "2026-13-01",
            "+2026-11-22",
            "12026-11-22",
            "0000-01-01",
            "2026-11-22T02:27:08.Z",
            "2026-11-22T02:27:08,5Z",
            "2026-11-22T02:27:08+0200",
            "2026-11-22T02:27:08+15:00",
            "2026-11-22T02:27:08 Z",
            "9999-12-31T23:59:59.99999999Z",
            "0001-01-01T00:00:00+01:00",
            "2026-11-22T",
            "--02-30",
            "2026-1-1",
        ] {
            assert_eq!(read(text), "None", "{text}");
        }
        for text in ["12:00:00", "12:00:00.5+01:00", "--11", "--11--", "---22", "---22Z"] {
            assert_eq!(read(text), "OfToday", "{text}");
        }
    }

    #[test]
    fn a_time_keeps_what_dotnet_can_tell_and_the_last_one_is_the_last_one() {
        let time: Timestamp = "2026-11-22T02:27:08.202573599Z".parse().unwrap();
        assert_eq!(Date::from(time).to_string(), "2026-11-22T02:27:08.2025735Z");
        assert_eq!(Date::from(time).timestamp().to_string(), "2026-11-22T02:27:08.2025735Z");
        assert_eq!((Date::from(Timestamp::MAX), Date::MAX.timestamp()), (Date::MAX, Timestamp::MAX));
        assert_eq!(Date::from(Timestamp::MIN).to_string(), "0001-01-01T00:00:00Z");
        assert!(Date::MAX.is_beyond_net_8() && !Date::parse("9999-12-31").unwrap().is_beyond_net_8());
    }
}
