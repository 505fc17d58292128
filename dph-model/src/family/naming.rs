//! [`Naming`]: the variants in which a family's tensors are named in files.

use std::collections::HashSet;

/// How the tensors of one file are named, as far as files of a family differ in it.
///
/// Some files leave the name of the base model in front of a tensor's name away (`h.0.ln_1.weight` instead of
/// `transformer.h.0.ln_1.weight`), and the oldest ones of BERT call the two parameters of a layer norm gamma and beta.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Naming {
    /// What is left away in front of names.
    without: &'static str,
    /// Whether layer norms have a gamma and a beta.
    old_norms: bool,
}

impl Naming {
    /// The naming of a file with tensors called `found`, where `needed` are called by the family, with `prefix` in front
    /// of most of them.
    pub(crate) fn detect(found: &[&str], needed: &[&str], prefix: &'static str) -> Self {
        let old_norms = found.iter().any(|name| name.ends_with("LayerNorm.gamma"));
        let of = |without| Self { without, old_norms };
        let fits = |naming: Self| {
            let names: HashSet<String> = needed.iter().map(|name| naming.name(name)).collect();
            found.iter().filter(|&&found| names.contains(found)).count()
        };
        // Parts of a head have no prefix anyway, so that some names always fit.
        if !prefix.is_empty() && fits(of(prefix)) > fits(of("")) { of(prefix) } else { of("") }
    }

    /// What a tensor is called that the family calls `name`.
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
