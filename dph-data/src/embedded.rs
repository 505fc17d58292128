//! The tasks that are compiled in.

/// Name and source of each embedded task, in the order in which they are listed.
pub(crate) const TASKS: [(&str, &str); 17] = [
    ("hellaswag", include_str!("../tasks/hellaswag.toml")),
    ("hellaswag_choice", include_str!("../tasks/hellaswag_choice.toml")),
    ("openbookqa", include_str!("../tasks/openbookqa.toml")),
    ("winogrande", include_str!("../tasks/winogrande.toml")),
    ("arc_easy", include_str!("../tasks/arc_easy.toml")),
    ("arc_challenge", include_str!("../tasks/arc_challenge.toml")),
    ("boolq", include_str!("../tasks/boolq.toml")),
    ("piqa", include_str!("../tasks/piqa.toml")),
    ("race_middle", include_str!("../tasks/race_middle.toml")),
    ("race_high", include_str!("../tasks/race_high.toml")),
    ("sst2", include_str!("../tasks/sst2.toml")),
    ("preference", include_str!("../tasks/preference.toml")),
    ("ultrafeedback", include_str!("../tasks/ultrafeedback.toml")),
    ("hh_rlhf", include_str!("../tasks/hh_rlhf.toml")),
    ("world", include_str!("../tasks/world.toml")),
    ("world_chat", include_str!("../tasks/world_chat.toml")),
    ("world_text", include_str!("../tasks/world_text.toml")),
];

/// The source of an embedded task.
pub(crate) fn source(name: &str) -> Option<&'static str> {
    TASKS.iter().find(|(task, _)| *task == name).map(|(_, source)| *source)
}
