//! The names of the tensors of an adapter, and those of the base model.

use crate::checkpoint::tensors::Tensors;

/// The prefix of all names: the classes of PEFT around the model.
const PREFIX: &str = "base_model.model.";

/// What a tensor of an adapter is.
#[derive(Debug, PartialEq)]
pub(super) enum Part {
    /// The matrix that reads the input of a module, and the name of the one that writes its output.
    Down { module: String, up: String, embedding: bool },
    /// The matrix that writes the output of a module.
    Up,
    /// The magnitudes of DoRA.
    Magnitude,
    /// A whole tensor of the model, by its name there.
    Whole(String),
}

pub(super) fn part(name: &str) -> Part {
    let module = |end: usize| name[..end].strip_prefix(PREFIX).unwrap_or(&name[..end]).to_string();
    for (down, up, embedding) in [("lora_A", "lora_B", false), ("lora_embedding_A", "lora_embedding_B", true)]
    {
        let (down, up) = (format!(".{down}"), format!(".{up}"));
        if let Some(end) = name.find(&down) {
            return Part::Down { module: module(end), up: name.replacen(&down, &up, 1), embedding };
        }
        if name.contains(&up) {
            return Part::Up;
        }
    }
    if name.contains(".lora_magnitude_vector") {
        return Part::Magnitude;
    }
    let name = name.strip_prefix(PREFIX).unwrap_or(name);
    Part::Whole(
        name.replace(".modules_to_save.default", "")
            .replace(".modules_to_save", "")
            .replace(".base_layer", ""),
    )
}

/// The name in the files of the base. These may lack the prefix of the class, or have one that the adapter lacks.
pub(super) fn resolve(name: &str, base: &Tensors) -> Option<String> {
    if base.info(name).is_some() {
        return Some(name.to_string());
    }
    let behind = format!(".{name}");
    let mut longer = base.iter().map(|(other, _)| other).filter(|other| other.ends_with(&behind));
    if let (Some(found), None) = (longer.next(), longer.next()) {
        return Some(found.to_string());
    }
    let (_, shorter) = name.split_once('.')?;
    base.info(shorter).map(|_| shorter.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_all_versions_are_read() {
        let down = |module: &str, up: &str, embedding| Part::Down {
            module: module.into(),
            up: up.into(),
            embedding,
        };
        for (name, expected) in [
            ("base_model.model.a.q.lora_A.weight", down("a.q", "base_model.model.a.q.lora_B.weight", false)),
            (
                "base_model.model.a.lora_A.default.weight",
                down("a", "base_model.model.a.lora_B.default.weight", false),
            ),
            ("base_model.model.e.lora_embedding_A", down("e", "base_model.model.e.lora_embedding_B", true)),
            ("base_model.model.a.q.lora_B.weight", Part::Up),
            ("base_model.model.e.lora_embedding_B", Part::Up),
            ("base_model.model.a.lora_magnitude_vector", Part::Magnitude),
            ("base_model.model.score.weight", Part::Whole("score.weight".into())),
            ("base_model.model.score.modules_to_save.default.weight", Part::Whole("score.weight".into())),
            ("base_model.model.a.q.base_layer.bias", Part::Whole("a.q.bias".into())),
        ] {
            assert_eq!(part(name), expected, "{name}");
        }
    }
}
