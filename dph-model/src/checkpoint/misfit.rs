//! [`Misfit`]: the difference between the tensors that a model needs and those that its files hold.

use std::fmt;

use dph_core::suggestion::nearest;

use super::reward_layer::LAYERS;
use super::tensors::Tensors;
use crate::family::FileTensor;

/// Most names that are shown for each kind of mismatch.
const SHOWN: usize = 10;

/// The difference between the tensors that a model needs and those that its files hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Misfit {
    /// Names of missing tensors, each with the most similar unexpected name of the same shape.
    pub missing: Vec<(String, Option<String>)>,
    /// Names of unexpected tensors.
    pub superfluous: Vec<String>,
    /// Tensors with the wrong shape: name, expected shape, found shape.
    pub misshapen: Vec<(String, Vec<usize>, Vec<usize>)>,
    /// Tensors of a type that cannot be read: name, type.
    pub unreadable: Vec<(String, String)>,
    /// What all names of the tensors begin with, and should not: `module.` of a wrapper around the model. These tensors are neither
    /// missing nor unexpected.
    pub prefix: Option<String>,
    /// An unexpected tensor that has the shape of a reward layer, where an output matrix is missing.
    pub reward_layer: Option<String>,
}

impl Misfit {
    /// Compares the tensors of a file with those that are needed; `superfluous` are the unexpected ones.
    pub(super) fn find(needed: &[FileTensor], superfluous: Vec<&str>, tensors: &Tensors) -> Self {
        let mut found = Self::default();
        let missing: Vec<&FileTensor> =
            needed.iter().filter(|tensor| tensors.info(&tensor.name).is_none()).collect();
        let prefix = common_prefix(&missing, &superfluous);
        let others = |tensor: &FileTensor| {
            let has_shape = |name: &&&str| tensors.info(name).is_some_and(|info| info.shape == tensor.shape);
            let near = nearest(&tensor.name, superfluous.iter().filter(has_shape).copied());
            (tensor.name.clone(), near.map(str::to_owned))
        };
        if prefix.is_none() {
            found.missing = missing.iter().map(|tensor| others(tensor)).collect();
            found.reward_layer = reward_layer(&missing, &superfluous, tensors);
        }
        let is_other = |name: &&str| prefix.as_ref().is_none_or(|prefix| !name.starts_with(&**prefix));
        found.superfluous = superfluous.iter().copied().filter(is_other).map(str::to_owned).collect();
        found.prefix = prefix;
        for tensor in needed {
            match tensors.info(&tensor.name) {
                Some(info) if info.shape != tensor.shape => {
                    found.misshapen.push((tensor.name.clone(), tensor.shape.clone(), info.shape.clone()));
                }
                Some(info) if !info.element.is_readable() => {
                    found.unreadable.push((tensor.name.clone(), info.element.to_string()));
                }
                _ => {}
            }
        }
        found
    }

    /// Whether everything matches.
    pub fn is_empty(&self) -> bool {
        self.missing.is_empty()
            && self.superfluous.is_empty()
            && self.misshapen.is_empty()
            && self.unreadable.is_empty()
            && self.prefix.is_none()
    }
}

/// What stands before the name of every tensor that is missing. A single one may have another name by chance.
fn common_prefix(missing: &[&FileTensor], superfluous: &[&str]) -> Option<String> {
    let (first, others) = missing.split_first()?;
    let is_there = |prefix: &str, name: &str| superfluous.contains(&&*format!("{prefix}{name}"));
    let prefixes = superfluous.iter().filter_map(|name| name.strip_suffix(&*first.name));
    let mut prefixes = prefixes
        .filter(|prefix| prefix.ends_with('.') && others.iter().all(|tensor| is_there(prefix, &tensor.name)));
    prefixes.next().filter(|_| !others.is_empty()).map(str::to_owned)
}

/// A matrix `[n, d_model]` with few rows beside the names of a model without its output matrix.
fn reward_layer(missing: &[&FileTensor], superfluous: &[&str], tensors: &Tensors) -> Option<String> {
    let &[output] = missing else { return None };
    let &[vocab, width] = &output.shape[..] else { return None };
    let is_layer = |name: &&&str| {
        tensors
            .info(name)
            .is_some_and(|info| matches!(info.shape[..], [rows, of] if of == width && rows < vocab))
    };
    superfluous.iter().find(is_layer).map(ToString::to_string)
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(prefix) = &self.prefix {
            write!(
                f,
                "\n  all names begin with `{prefix}`, as those of a wrapper around the model do; save the model inside of the wrapper, or \
                 remove `{prefix}` from the names"
            )?;
        }
        section(f, "missing", &self.missing, |(name, near)| match near {
            Some(near) => format!("{name} (did you mean {near}?)"),
            None => name.clone(),
        })?;
        section(f, "superfluous", &self.superfluous, String::clone)?;
        section(f, "of another shape", &self.misshapen, |(name, needed, found)| {
            format!("{name} has shape {found:?}, the configuration asks for {needed:?}")
        })?;
        section(f, "of a type that cannot be read", &self.unreadable, |(name, dtype)| {
            format!("{name} ({dtype})")
        })?;
        match &self.reward_layer {
            Some(layer) => write!(
                f,
                "\n  {layer} may be a reward layer under a name that is not known; known are {}",
                LAYERS.join(", ")
            ),
            None => Ok(()),
        }
    }
}

fn section<T>(
    f: &mut fmt::Formatter<'_>,
    title: &str,
    items: &[T],
    text: impl Fn(&T) -> String,
) -> fmt::Result {
    if items.is_empty() {
        return Ok(());
    }
    write!(f, "\n  {} {title}:", items.len())?;
    for item in items.iter().take(SHOWN) {
        write!(f, "\n    {}", text(item))?;
    }
    match items.len().checked_sub(SHOWN) {
        Some(more) if more > 0 => write!(f, "\n    and {more} more"),
        _ => Ok(()),
    }
}
