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
        let piece = match rest.next() {
            Some('d') => format!("{day:02}"),
            Some('m') => format!("{month:02}"),
            Some('Y') => format!("{year}"),
            Some('y') => format!("{:02}", year % 100),
            Some('B') => month_name.to_owned(),
            Some('b') => month_name[..3].to_owned(),
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

/// Days since Sunday (Zeller's congruence).
fn weekday(year: u16, month: u16, day: u16) -> usize {
    let (year, month) =
        if month < 3 { (u32::from(year) - 1, u32::from(month) + 12) } else { (year.into(), month.into()) };
    let zeller = u32::from(day) + 13 * (month + 1) / 5 + year + year / 4 - year / 100 + year / 400;
    (zeller as usize + 6) % 7
}
