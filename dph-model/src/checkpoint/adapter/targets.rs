//! [`Targets`]: the modules that an adapter changes, by its configuration.

use regex::Regex;
use serde::Deserialize;

/// The keys of `adapter_config.json` that say which modules are changed, as `check_target_module_exists` of PEFT reads them. PEFT does
/// not read tensors for other modules, and does not say so.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Targets {
    /// Names, or one regular expression. None: those that PEFT knows for the family.
    target_modules: Option<OneOrMany<String>>,
    exclude_modules: Option<OneOrMany<String>>,
    layers_to_transform: Option<OneOrMany<i64>>,
    /// The names of the lists of layers, as regular expressions.
    layers_pattern: Option<OneOrMany<String>>,
    modules_to_save: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(
    untagged,
    expecting = "`target_modules`, `exclude_modules`, `layers_to_transform` and `layers_pattern` must be one value or a list of values"
)]
enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

/// The value of `target_modules` for all linear layers.
const ALL: &str = "all-linear";

impl Targets {
    /// The key by which a module of the adapter is not changed.
    pub fn excluding(&self, module: &str) -> Option<&'static str> {
        if self.exclude_modules.as_ref().is_some_and(|names| is_among(names, module).unwrap_or(false)) {
            return Some("exclude_modules");
        }
        if self.whole_modules().any(|name| format!(".{module}.").contains(&format!(".{name}."))) {
            return Some("modules_to_save");
        }
        let targets = self.target_modules.as_ref();
        let is_target = |names: &OneOrMany<String>| match names {
            OneOrMany::One(name) if name.eq_ignore_ascii_case(ALL) => true,
            names => is_among(names, module).unwrap_or(true),
        };
        if !targets.is_none_or(is_target) {
            return Some("target_modules");
        }
        (!self.is_in_layers(module)).then_some("layers_to_transform")
    }

    /// The names of the modules that the adapter should have as a whole.
    pub fn whole_modules(&self) -> impl Iterator<Item = &str> {
        self.modules_to_save.iter().flatten().map(String::as_str)
    }

    /// Whether `layers_to_transform` has the layer of a module. A name of the whole module counts without it.
    fn is_in_layers(&self, module: &str) -> bool {
        let layers = match &self.layers_to_transform {
            None => return true,
            Some(OneOrMany::One(layer)) => std::slice::from_ref(layer),
            Some(OneOrMany::Many(layers)) => layers,
        };
        let is_named = |names: &OneOrMany<String>| matches!(names, OneOrMany::Many(names) if names.iter().any(|name| name == module));
        if layers.is_empty() || self.target_modules.as_ref().is_some_and(is_named) {
            return true;
        }
        let patterns: Vec<&str> = match &self.layers_pattern {
            Some(OneOrMany::One(pattern)) if !pattern.is_empty() => vec![pattern],
            Some(OneOrMany::Many(patterns)) => patterns.iter().map(String::as_str).collect(),
            _ => Vec::new(),
        };
        let expressions: Vec<String> = match patterns.is_empty() {
            true => vec![r"^.*?\.[^.]*\.(\d+)\.".into()],
            false => patterns.iter().map(|pattern| format!(r"^(?:|.*?\.){pattern}\.(\d+)\.")).collect(),
        };
        let layer = |expression: &String| {
            let found = Regex::new(expression).ok()?.captures(module)?;
            found.iter().last()??.as_str().parse::<i64>().ok()
        };
        expressions.iter().find_map(layer).is_some_and(|layer| layers.contains(&layer))
    }
}

/// Whether a module has one of these names, or ends with one behind a dot. One text is a regular expression for the whole name. `None` if
/// it is one that only Python reads.
fn is_among(names: &OneOrMany<String>, module: &str) -> Option<bool> {
    Some(match names {
        OneOrMany::One(expression) => Regex::new(&format!(r"\A(?:{expression})\z")).ok()?.is_match(module),
        OneOrMany::Many(names) => names.iter().any(|name| {
            module.strip_suffix(name.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        }),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// The answers are those of PEFT 0.21.
    #[test]
    fn modules_are_left_out_as_peft_leaves_them_out() {
        let q = |layer: usize| format!("model.layers.{layer}.self_attn.q_proj");
        for (text, expected) in [
            ("{}", [None; 3]),
            (r#"{"target_modules": null}"#, [None; 3]),
            (r#"{"target_modules": ["q_proj"]}"#, [None; 3]),
            (r#"{"target_modules": ["k_proj"]}"#, [Some("target_modules"); 3]),
            (r#"{"target_modules": ["_proj"]}"#, [Some("target_modules"); 3]),
            (r#"{"target_modules": "all-linear"}"#, [None; 3]),
            (
                r#"{"target_modules": "all-linear", "exclude_modules": ["lm_head", "q_proj"]}"#,
                [Some("exclude_modules"); 3],
            ),
            (
                r#"{"target_modules": ".*layers\\.0.*q_proj"}"#,
                [None, Some("target_modules"), Some("target_modules")],
            ),
            (r#"{"target_modules": "q_proj"}"#, [Some("target_modules"); 3]),
            // Python reads it, and this program does not: the tensors decide.
            (r#"{"target_modules": "(?!.*vision).*q_proj"}"#, [None; 3]),
            (
                r#"{"target_modules": ["0.self_attn.q_proj"]}"#,
                [None, Some("target_modules"), Some("target_modules")],
            ),
            (r#"{"target_modules": ["q_proj"], "layers_to_transform": []}"#, [None; 3]),
            (
                r#"{"target_modules": ["q_proj"], "layers_to_transform": 1}"#,
                [Some("layers_to_transform"), None, Some("layers_to_transform")],
            ),
            (
                r#"{"target_modules": ["q_proj"], "layers_to_transform": [0, 1], "layers_pattern": "layers"}"#,
                [None, None, Some("layers_to_transform")],
            ),
            (
                r#"{"target_modules": ["q_proj"], "layers_to_transform": [0], "layers_pattern": ["blocks"]}"#,
                [Some("layers_to_transform"); 3],
            ),
            (
                r#"{"target_modules": ["q_proj"], "exclude_modules": ".*layers\\.1\\..*"}"#,
                [None, Some("exclude_modules"), None],
            ),
            (
                r#"{"target_modules": ["q_proj"], "modules_to_save": ["q_proj"]}"#,
                [Some("modules_to_save"); 3],
            ),
        ] {
            let targets: Targets = serde_json::from_str(text).unwrap();
            let found = [0, 1, 2].map(|layer| targets.excluding(&q(layer)));
            assert_eq!(found, expected, "{text}");
        }
    }
}
