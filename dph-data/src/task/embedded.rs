//! The embedded tasks.

macro_rules! tasks {
    ($($name:literal,)*) => { &[$(($name, include_str!(concat!("../../tasks/", $name, ".toml")))),*] };
}

/// Name and TOML source of each embedded task, in the order of `dph-data list`.
#[rustfmt::skip]
pub(crate) const TASKS: &[(&str, &str)] = tasks![
    "hellaswag", "hellaswag_choice", "openbookqa", "winogrande", "arc_easy", "arc_challenge", "boolq", "piqa",
    "race_middle", "race_high", "race_all", "mmlu", "commonsense_qa", "sciq", "sciq_optional_background", "copa",
    "copa_completion", "truthful_qa", "truthful_qa_few_shot", "truthful_qa_mc2",
    "cola", "mnli", "mnli_corrected", "mrpc", "qnli", "qqp", "rte", "sst2", "stsb", "wnli", "ax", "ax_corrected",
    "preference", "ultrafeedback", "ultrafeedback_first_message", "hh_rlhf", "orca_dpo_pairs",
    "openhermes_preferences", "tasksource_pairs", "helpsteer", "helpsteer_attributes", "sharegpt_preference", "alpaca_preference",
    "reward_bench", "reward_bench_prior", "reward_bench_2", "reward_bench_2_ties", "rm_bench", "llmbar", "judgebench", "ppe_human", "ppe_correctness", "pandalm", "alpaca_eval",
    "alpaca", "squad", "squad_v2", "drop", "coqa", "cnn_dailymail", "gsm8k", "gsm8k_socratic", "open_orca",
    "slim_orca", "tinystories_instruct", "tinystories_summary", "tasksource_instruct", "tulu", "ultrachat",
    "ultrasteer", "infinity_instruct", "dolly_hhrlhf", "conversations",
    "text", "wikitext", "world", "world_chat", "world_text",
];

/// The source of an embedded task.
pub(crate) fn source(name: &str) -> Option<&'static str> {
    TASKS.iter().find(|(task, _)| *task == name).map(|(_, source)| *source)
}
