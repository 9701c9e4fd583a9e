//! Quantities such as `256Mi` or `1500m`: read as numbers, so that two spellings of one amount are equal.
//!
//! The rules are those of the API's documentation:
//! <https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/>

/// Reads a quantity as thousand-millionths. `None` where it is none, or does not fit.
#[must_use]
pub fn nanos(text: &str) -> Option<i128> {
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let end =
        unsigned.find(|character: char| !character.is_ascii_digit() && character != '.').unwrap_or(unsigned.len());
    let (number, suffix) = unsigned.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
        return None;
    }
    let scale = 10_i128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let digits: i128 = format!("{whole}{fraction}").parse().ok()?;
    let (numerator, denominator) = multiplier(suffix)?;
    let value = digits.checked_mul(1_000_000_000)?.checked_mul(numerator)? / scale.checked_mul(denominator)?;
    Some(if negative { -value } else { value })
}

/// What a suffix multiplies with, as a fraction.
fn multiplier(suffix: &str) -> Option<(i128, i128)> {
    let binary = |power: u32| (1_i128 << (10 * power), 1);
    let decimal = |power: u32| (10_i128.pow(power), 1);
    Some(match suffix {
        "" => (1, 1),
        "n" => (1, 1_000_000_000),
        "u" => (1, 1_000_000),
        "m" => (1, 1_000),
        "k" => decimal(3),
        "M" => decimal(6),
        "G" => decimal(9),
        "T" => decimal(12),
        "P" => decimal(15),
        "E" => decimal(18),
        "Ki" => binary(1),
        "Mi" => binary(2),
        "Gi" => binary(3),
        "Ti" => binary(4),
        "Pi" => binary(5),
        "Ei" => binary(6),
        _ => {
            let exponent: i32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
            let power = 10_i128.checked_pow(exponent.unsigned_abs())?;
            if exponent < 0 { (1, power) } else { (power, 1) }
        }
    })
}

/// Reads a quantity as a whole number of bytes. `None` where it is none, is negative or has a fraction.
#[must_use]
pub fn bytes(text: &str) -> Option<u64> {
    let nanos = nanos(text)?;
    (nanos % 1_000_000_000 == 0).then(|| u64::try_from(nanos / 1_000_000_000).ok()).flatten()
}

/// Writes a number of bytes with the largest binary suffix that loses nothing, as the API server does.
#[must_use]
pub fn format_bytes(bytes: u64) -> String {
    [("Ei", 60), ("Pi", 50), ("Ti", 40), ("Gi", 30), ("Mi", 20), ("Ki", 10)]
        .into_iter()
        .find(|&(_, shift)| bytes > 0 && bytes.trailing_zeros() >= shift)
        .map_or_else(|| bytes.to_string(), |(suffix, shift)| format!("{}{suffix}", bytes >> shift))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_spellings_of_one_amount_are_equal() {
        for (left, right) in [
            ("1000m", "1"),
            ("0.5", "500m"),
            ("1Ki", "1024"),
            ("1e3", "1k"),
            ("1.5Gi", "1536Mi"),
            ("+2", "2"),
            (".5", "500m"),
        ] {
            assert_eq!(nanos(left), nanos(right), "{left} and {right}");
            assert!(nanos(left).is_some());
        }
        assert_ne!(nanos("1M"), nanos("1Mi"));
        assert_eq!(nanos("-1"), Some(-1_000_000_000));
    }

    #[test]
    fn what_is_no_quantity_is_none() {
        for text in
            ["", "-", ".", "1.2.3", "Mi", "1 Mi", "1mi", "ten", "1e", "99999999999999999999999999999999999999Ei"]
        {
            assert_eq!(nanos(text), None, "{text}");
        }
    }

    #[test]
    fn bytes_are_whole_and_not_negative() {
        assert_eq!(bytes("256Mi"), Some(268_435_456));
        assert_eq!(bytes("100m"), None);
        assert_eq!(bytes("-5"), None);
    }

    #[test]
    fn bytes_are_written_as_the_api_server_writes_them() {
        for (number, text) in
            [(268_435_456, "256Mi"), (1 << 30, "1Gi"), (1_000_000, "1000000"), (0, "0"), (1536, "1536")]
        {
            assert_eq!(format_bytes(number), text);
        }
        assert_eq!(format_bytes(3 << 20), "3Mi");
    }
}
