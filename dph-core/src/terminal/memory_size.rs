//! [`memory_size`]: an amount of memory on the command line.

/// An amount of memory in bytes, in decimal units, such as `256MB`, `1.5 GB` or `0`.
///
/// # Errors
/// A text that is no such amount.
pub fn memory_size(text: &str) -> Result<usize, String> {
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    let number = text[..text.len() - unit.len()].parse::<f64>();
    let factor = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "kb" => 1e3,
        "mb" => 1e6,
        "gb" => 1e9,
        _ => f64::NAN,
    };
    let bytes = number.unwrap_or(f64::NAN) * factor;
    match bytes.is_finite() && bytes < usize::MAX as f64 {
        true => Ok(bytes as usize),
        false => Err("expected an amount such as 256MB, 2GB or 0".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_decimal() {
        for (text, bytes) in
            [("0", 0), ("17", 17), ("256MB", 256_000_000), ("1.5 gb", 1_500_000_000), ("2kB", 2000)]
        {
            assert_eq!(memory_size(text), Ok(bytes), "{text}");
        }
        for text in ["", "MB", "-1", "1.2.3MB", "3 apples", "1e30GB", "999999999999999GB"] {
            assert!(memory_size(text).is_err(), "{text}");
        }
    }
}
