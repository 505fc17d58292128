//! [`Naming`]: the variants of a family's tensor names in files.

use std::collections::HashSet;

/// The variant of tensor names in a file.
///
/// Some files omit the prefix with the name of the base model (`h.0.ln_1.weight` instead of
/// `transformer.h.0.ln_1.weight`), and the oldest ones of BERT call the two parameters of a layer norm gamma and
/// beta.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Naming {
    /// The omitted prefix.
    without: &'static str,
    /// Whether the parameters of layer norms are called gamma and beta.
    old_norms: bool,
}

impl Naming {
    /// Detects the naming of a file with tensors `found`. `needed` are the names of the family, most of which start
    /// with `prefix`.
    pub(crate) fn detect(found: &[&str], needed: &[&str], prefix: &'static str) -> Self {
        let old_norms = found.iter().any(|name| name.ends_with("LayerNorm.gamma"));
        let of = |without| Self { without, old_norms };
        let fits = |naming: Self| {
            let names: HashSet<String> = needed.iter().map(|name| naming.name(name)).collect();
            found.iter().filter(|&&found| names.contains(found)).count()
        };
        // The parts of a head never have the prefix, so some names always match.
        if !prefix.is_empty() && fits(of(prefix)) > fits(of("")) { of(prefix) } else { of("") }
    }

    /// The name in the file for the family's `name`.
    pub fn name(&self, name: &str) -> String {
        let name = name.strip_prefix(self.without).unwrap_or(name);
        if self.old_norms {
            for (new, old) in [("LayerNorm.weight", "LayerNorm.gamma"), ("LayerNorm.bias", "LayerNorm.beta")]
            {
                if let Some(start) = name.strip_suffix(new) {
                    return format!("{start}{old}");
                }
            }
        }
        name.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_naming_that_fits_most_tensors_is_found() {
        let needed = ["bert.a.LayerNorm.weight", "bert.b.weight", "classifier.weight"];
        let detect = |found: &[&str]| {
            let naming = Naming::detect(found, &needed, "bert.");
            needed.map(|name| naming.name(name))
        };
        assert_eq!(detect(&needed), needed);
        assert_eq!(detect(&["classifier.weight"]), needed);
        assert_eq!(
            detect(&["a.LayerNorm.gamma", "b.weight", "classifier.weight"]),
            ["a.LayerNorm.gamma", "b.weight", "classifier.weight"]
        );
    }
}
