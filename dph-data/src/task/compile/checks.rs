//! Which keys of a task file belong together.

use super::compiler::Compiler;
use crate::invalid_toml::TomlProblem;
use crate::task::keys::KEYS;
use crate::task::kind::Kind;

/// Reports keys that other kinds of tasks have, and keys that contradict each other.
pub(super) fn keys_fit(c: &mut Compiler<'_>, kind: Kind) {
    for (key, value) in c.table {
        let known = KEYS.iter().find(|known| known.name == *key.get_ref());
        let Some(known) = known.filter(|known| !known.kinds.contains(&kind)) else { continue };
        let kinds: Vec<String> = known.kinds.iter().map(|kind| format!("`{kind}`")).collect();
        let message = format!("`{}` has no meaning in a task of kind `{kind}`", known.name);
        let help = format!("it belongs to {}", kinds.join(", "));
        c.problems.push(TomlProblem::new(value.span(), message).help(help));
    }
    if let (Some(_), Some(prompt)) = (&c.file.user, &c.file.prompt) {
        let span = prompt.span();
        c.problem(span, "`user` and `prompt` both give the prompt; remove one of them");
    }
}
