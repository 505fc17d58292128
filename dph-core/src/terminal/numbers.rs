//! Numbers as people read them.

use std::fmt::Display;

/// A number with commas between its thousands: `134,515,008`.
pub fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    groups.join(",")
}

/// A count with its noun: `1 question`, `20 questions`. The plural is the noun with an `s`.
pub fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// A count in thousands or millions, where it is large: `640`, `12.5k`, `134.5M`.
pub fn abbreviated(count: usize) -> String {
    match count {
        0..10_000 => count.to_string(),
        10_000..1_000_000 => format!("{:.1}k", count as f64 / 1e3),
        _ => format!("{:.1}M", count as f64 / 1e6),
    }
}

/// An amount of memory, in decimal units: `1.5 GB`.
pub fn bytes(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

/// A time in seconds: `5.2 s`, `3:07 min`, `2:15 h`.
pub fn duration(seconds: f64) -> String {
    match seconds as u64 {
        0..60 => format!("{seconds:.1} s"),
        60..3600 => format!("{}:{:02} min", seconds as u64 / 60, seconds as u64 % 60),
        seconds => format!("{}:{:02} h", seconds / 3600, seconds / 60 % 60),
    }
}

/// The first `most` of some items, and the number of the others: `a, b and 3 more`.
pub fn listed<T: Display>(
    items: impl IntoIterator<Item = T, IntoIter: ExactSizeIterator>,
    most: usize,
) -> String {
    let mut items = items.into_iter();
    let shown = items.by_ref().take(most).map(|item| item.to_string()).collect::<Vec<_>>().join(", ");
    match items.len() {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_numbers_can_be_read() {
        assert_eq!([0, 999, 1000, 134_515_008].map(grouped), ["0", "999", "1,000", "134,515,008"]);
        assert_eq!([0, 1, 20].map(|count| counted(count, "row")), ["0 rows", "1 row", "20 rows"]);
        assert_eq!([640, 12_500, 134_515_008].map(abbreviated), ["640", "12.5k", "134.5M"]);
        assert_eq!([1500, 2_500_000, 1_500_000_000].map(bytes), ["1.5 kB", "2.5 MB", "1.5 GB"]);
        assert_eq!(listed(["a", "b", "c"], 3), "a, b, c");
        assert_eq!(listed([1, 2, 3, 4], 2), "1, 2 and 2 more");
        assert_eq!(listed([""; 0], 2), "");
        assert_eq!([5.16, 187.4, 8100.0].map(duration), ["5.2 s", "3:07 min", "2:15 h"]);
    }
}
