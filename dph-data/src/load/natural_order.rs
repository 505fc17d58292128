//! [`natural_order`]: the order in which people number files.

use std::cmp::Ordering;

/// Compares names, and the numbers in them by their values: `2.parquet` is before `10.parquet`.
pub(super) fn natural_order(one: &str, other: &str) -> Ordering {
    let (mut one_rest, mut other_rest) = (one, other);
    while let (Some(a), Some(b)) = (one_rest.chars().next(), other_rest.chars().next()) {
        let order = match (number(one_rest), number(other_rest)) {
            (Some(a), Some(b)) => {
                (one_rest, other_rest) = (&one_rest[a.len()..], &other_rest[b.len()..]);
                let (a, b) = (a.trim_start_matches('0'), b.trim_start_matches('0'));
                // Of two numbers without zeros in front, the longer one is larger.
                a.len().cmp(&b.len()).then_with(|| a.cmp(b))
            }
            _ => {
                (one_rest, other_rest) = (&one_rest[a.len_utf8()..], &other_rest[b.len_utf8()..]);
                a.cmp(&b)
            }
        };
        if order != Ordering::Equal {
            return order;
        }
    }
    one_rest.len().cmp(&other_rest.len()).then_with(|| one.cmp(other))
}

/// The digits with which a text begins.
fn number(text: &str) -> Option<&str> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    (end > 0).then(|| &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_compared_by_their_values() {
        let sorted = [
            "",
            "0",
            "00",
            "1",
            "1-2",
            "1-10",
            "2.b",
            "10.a",
            "99999999999999999999",
            "100000000000000000000",
            "a",
            "a1b3",
            "a01b20",
            "a10",
            "b",
            "é",
        ];
        for (index, one) in sorted.iter().enumerate() {
            for (other_index, other) in sorted.iter().enumerate() {
                assert_eq!(natural_order(one, other), index.cmp(&other_index), "{one} and {other}");
            }
        }
    }
}
