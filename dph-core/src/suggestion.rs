//! "Did you mean": the known name that is most like a misspelt one.

/// How similar (Jaro similarity, 0 to 1) a name must be to be suggested.
const SIMILAR: f64 = 0.7;

/// The name of `known` that is most similar to `given`, if one is similar at all. Case does not matter.
pub fn nearest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let given = given.to_lowercase();
    known
        .into_iter()
        .map(|name| (strsim::jaro(&given, &name.to_lowercase()), name))
        .filter(|(similarity, _)| *similarity > SIMILAR)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, name)| name)
}

/// "did you mean `name`?" for the [`nearest`] name.
pub fn did_you_mean<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    Some(format!("did you mean `{}`?", nearest(given, known)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggestions_are_near_or_absent() {
        let known = ["candidates", "gold", "splits"];
        assert_eq!(nearest("candidate", known), Some("candidates"));
        assert_eq!(nearest("Gold", known), Some("gold"));
        assert_eq!(did_you_mean("spilts", known).as_deref(), Some("did you mean `splits`?"));
        assert_eq!(did_you_mean("zzz", known), None);
    }
}
