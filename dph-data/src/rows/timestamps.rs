//! [`timestamp`], [`time_of_day`]: points in time as text of ISO 8601.

const SECONDS_OF_DAY: i64 = 86_400;

/// A number of units since 1970 as a text such as `2024-01-02T03:04:05.5+00:00`. `units` is how many units a second has. Only a column with a
/// time zone has an offset; parquet keeps its times in UTC.
pub(super) fn timestamp(time: i64, units: i64, has_zone: bool) -> String {
    let (seconds, fraction) = (time.div_euclid(units), time.rem_euclid(units));
    let (year, month, day) = date(seconds.div_euclid(SECONDS_OF_DAY));
    let clock = clock(seconds.rem_euclid(SECONDS_OF_DAY), fraction, units);
    let offset = if has_zone { "+00:00" } else { "" };
    format!("{year:04}-{month:02}-{day:02}T{clock}{offset}")
}

/// A number of units since midnight as a text such as `03:04:05.5`. `units` is how many units a second has.
pub(super) fn time_of_day(time: i64, units: i64) -> String {
    clock(time.div_euclid(units), time.rem_euclid(units), units)
}

/// Seconds of a day with their fraction in units.
fn clock(seconds: i64, fraction: i64, units: i64) -> String {
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let digits = units.ilog10() as usize;
    let fraction = match fraction {
        0 => String::new(),
        _ => format!(".{fraction:0digits$}").trim_end_matches('0').to_owned(),
    };
    format!("{hour:02}:{minute:02}:{second:02}{fraction}")
}

/// Year, month and day of a number of days since 1970 in the Gregorian calendar, which repeats after 400 years. Years begin in March here, so
/// that the leap day is the last one.
fn date(days: i64) -> (i64, i64, i64) {
    const DAYS_OF_ERA: i64 = 146_097;
    // From the first of March of the year 0.
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(DAYS_OF_ERA), days.rem_euclid(DAYS_OF_ERA));
    let year = (day - day / 1460 + day / 36_524 - day / (DAYS_OF_ERA - 1)) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let year = year + era * 400 + i64::from(month >= 10);
    (year, if month < 10 { month + 3 } else { month - 9 }, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_all_units() {
        for (time, units, has_zone, text) in [
            (0, 1_000, true, "1970-01-01T00:00:00+00:00"),
            (1_704_164_645_123_456_789, 1_000_000_000, false, "2024-01-02T03:04:05.123456789"),
            (1_709_251_199_999_500, 1_000_000, false, "2024-02-29T23:59:59.9995"),
            (-1, 1_000, true, "1969-12-31T23:59:59.999+00:00"),
            (951_782_400_000, 1_000, false, "2000-02-29T00:00:00"),
            (4_107_542_400_000, 1_000, false, "2100-03-01T00:00:00"),
            (-62_135_596_800_000, 1_000, false, "0001-01-01T00:00:00"),
        ] {
            assert_eq!(timestamp(time, units, has_zone), text);
        }
        assert_eq!(time_of_day(11_045_500_000_000, 1_000_000_000), "03:04:05.5");
        // The ends of the format do not overflow.
        for time in [i64::MIN, i64::MAX] {
            assert!(timestamp(time, 1_000, false).contains('T'));
        }
    }
}
