//! `strftime_now`, for chat templates that print the date.

use minijinja::{Error, ErrorKind};

/// The date at midnight in the format of `strftime`. The date is a parameter so that prompts do not change from day to day.
pub(crate) fn strftime(format: &str, [year, month, day]: [u16; 3]) -> Result<String, Error> {
    const MONTHS: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
    let month_name = MONTHS[usize::from(month.clamp(1, 12)) - 1];
    let day_name = DAYS[weekday(year, month, day)];
    let mut out = String::new();
    let mut rest = format.chars();
    while let Some(c) = rest.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let mut code = rest.next();
        // glibc writes numbers without padding behind a hyphen.
        let plain = code == Some('-');
        if plain {
            code = rest.next().filter(|code| "dmjI".contains(*code));
        }
        let number = |number: u16, width: usize| match plain {
            true => number.to_string(),
            false => format!("{number:0width$}"),
        };
        let piece = match code {
            Some('d') => number(day, 2),
            Some('e') => format!("{day:2}"),
            Some('m') => number(month, 2),
            Some('j') => number(day_of_year(year, month, day), 3),
            Some('F') => format!("{year}-{month:02}-{day:02}"),
            Some('T') => "00:00:00".to_owned(),
            Some('I') => "12".to_owned(),
            Some('p') => "AM".to_owned(),
            Some('Y') => format!("{year}"),
            Some('y') => format!("{:02}", year % 100),
            Some('B') => month_name.to_owned(),
            Some('b' | 'h') => month_name[..3].to_owned(),
            Some('A') => day_name.to_owned(),
            Some('a') => day_name[..3].to_owned(),
            Some('H' | 'M' | 'S') => "00".to_owned(),
            Some('%') => "%".to_owned(),
            other => {
                let what = other.map_or_else(String::new, String::from);
                return Err(Error::new(
                    ErrorKind::InvalidOperation,
                    format!("strftime_now does not know %{what}"),
                ));
            }
        };
        out.push_str(&piece);
    }
    Ok(out)
}

/// The number of a day in its year, from 1.
fn day_of_year(year: u16, month: u16, day: u16) -> u16 {
    const BEFORE: [u16; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    BEFORE[usize::from(month.clamp(1, 12)) - 1] + day + u16::from(is_leap && month > 2)
}

/// Days since Sunday (Zeller's congruence).
fn weekday(year: u16, month: u16, day: u16) -> usize {
    let (year, month) =
        if month < 3 { (u32::from(year) - 1, u32::from(month) + 12) } else { (year.into(), month.into()) };
    let zeller = u32::from(day) + 13 * (month + 1) / 5 + year + year / 4 - year / 100 + year / 400;
    (zeller as usize + 6) % 7
}
