//! Sizes in bytes, as the command line takes and tells them.

use crate::duration::whole_number;

/// Reads a size in bytes: a whole number, not zero, alone or followed by `B`, `KiB`, `MiB` or
/// `GiB`.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let expected = "expected a whole number and B, KiB, MiB or GiB, such as 512MiB";
    let unit_at = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let bytes: u64 = match unit {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err(expected.to_owned()),
    };
    match whole_number(number).and_then(|number| number.checked_mul(bytes)) {
        None => Err(format!("too large or not a number; {expected}")),
        Some(0) => Err(format!("zero is too small; {expected}")),
        Some(total) => Ok(total),
    }
}

/// Writes a size as a person reads it: three digits and a unit.
pub fn size_in_words(bytes: u64) -> String {
    let mut size = bytes as f64;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if size < 999.5 {
            let decimals = match unit {
                "B" => 0,
                _ if size < 9.995 => 2,
                _ if size < 99.95 => 1,
                _ => 0,
            };
            return format!("{size:.decimals$} {unit}");
        }
        size /= 1024.0;
    }
    format!("{size:.2} TiB")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_told_in_three_digits() {
        let sizes = [0, 999, 1_000, 1_024, 10_240, 123_456_789, 5 << 30, 7 << 42];
        let told = sizes.map(size_in_words);
        let expected = [
            "0 B",
            "999 B",
            "0.98 KiB",
            "1.00 KiB",
            "10.0 KiB",
            "118 MiB",
            "5.00 GiB",
            "28.00 TiB",
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn each_unit_is_read() {
        assert_eq!(parse_size("17"), Ok(17));
        assert_eq!(parse_size("17B"), Ok(17));
        assert_eq!(parse_size("2KiB"), Ok(2_048));
        assert_eq!(parse_size("512MiB"), Ok(536_870_912));
        assert_eq!(parse_size("3GiB"), Ok(3_221_225_472));
    }

    #[test]
    fn what_is_no_size_is_refused() {
        for text in ["", "0", "0MiB", "MiB", "-1", "1.5GiB", "1 MiB", "1MB", "1mib", "1TiB"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
        assert!(parse_size("17179869184GiB").is_err());
        assert!(parse_size("99999999999999999999").is_err());
    }
}
