//! What a chat template removes at the ends of a content.

/// What a template removes at one end of a content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trim {
    Nothing,
    Newlines,
    Blanks,
}

impl Trim {
    const ALL: [Self; 3] = [Self::Nothing, Self::Newlines, Self::Blanks];

    /// The part of `PROBE` that remains at the start of a content.
    fn leftover(self) -> &'static str {
        match self {
            Self::Nothing => "\n \n",
            Self::Newlines => " \n",
            Self::Blanks => "",
        }
    }

    fn leftover_at_end(self) -> &'static str {
        match self {
            Self::Newlines => "\n ",
            other => other.leftover(),
        }
    }
}

/// Whitespace that is put around each content to find out what the template removes.
pub(super) const PROBE: &str = "\n \n";

/// Applies what a template does to the ends of a content.
pub(crate) fn trimmed(content: &str, (start, end): (Trim, Trim)) -> &str {
    let content = match start {
        Trim::Nothing => content,
        Trim::Newlines => content.trim_start_matches('\n'),
        Trim::Blanks => content.trim_start(),
    };
    match end {
        Trim::Nothing => content,
        Trim::Newlines => content.trim_end_matches('\n'),
        Trim::Blanks => content.trim_end(),
    }
}

/// The trimming at both ends of each content, from the text between the contents without and with `PROBE` around them.
pub(super) fn trims(plain: &[String], probed: &[String]) -> Option<Vec<(Trim, Trim)>> {
    let contents = plain.len() - 1;
    let mut trims = vec![(Trim::Nothing, Trim::Nothing); contents];
    for (index, (plain, probed)) in plain.iter().zip(probed).enumerate() {
        let ends = if index > 0 { &Trim::ALL[..] } else { &Trim::ALL[..1] };
        let starts = if index < contents { &Trim::ALL[..] } else { &Trim::ALL[..1] };
        let (end, start) = ends.iter().flat_map(|end| starts.iter().map(move |start| (*end, *start))).find(
            |(end, start)| {
                let before = if index > 0 { end.leftover_at_end() } else { "" };
                let after = if index < contents { start.leftover() } else { "" };
                format!("{before}{plain}{after}") == *probed
            },
        )?;
        if index > 0 {
            trims[index - 1].1 = end;
        }
        if index < contents {
            trims[index].0 = start;
        }
    }
    Some(trims)
}
