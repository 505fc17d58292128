//! Every row of every split of every task, in all formats there are.
#![allow(clippy::unwrap_used)]

mod common;

use std::path::Path;

use common::{data_root, tokenizer_folder, write};
use dph_data::{
    ChatTokenizer, Documents, Kind, LoadOptions, SkipReason, Task, TaskData, plan_set_batches, read_rows,
};
use serde_json::Value as Json;

/// Task, split, rows, and how many of them are skipped or unlabelled.
type Expected = (&'static str, &'static str, usize, &'static [(SkipReason, usize)]);
const SPLITS: [Expected; 29] = [
    ("hellaswag", "train", 3368, &[]),
    ("hellaswag", "validation", 1000, &[]),
    ("hellaswag_choice", "train", 3368, &[]),
    ("hellaswag_choice", "validation", 1000, &[]),
    ("openbookqa", "train", 4957, &[]),
    ("openbookqa", "validation", 500, &[]),
    ("openbookqa", "test", 300, &[]),
    ("winogrande", "train", 10234, &[]),
    ("winogrande", "validation", 967, &[]),
    ("winogrande", "test", 1767, &[(SkipReason::Unlabelled, 1767)]),
    ("arc_easy", "train", 2251, &[]),
    ("arc_easy", "validation", 570, &[]),
    ("arc_easy", "test", 2076, &[]),
    ("arc_challenge", "train", 1056, &[]),
    ("arc_challenge", "validation", 299, &[]),
    ("arc_challenge", "test", 872, &[]),
    ("boolq", "train", 1491, &[]),
    ("boolq", "validation", 2970, &[]),
    ("piqa", "validation", 1538, &[]),
    ("race_middle", "train", 1500, &[]),
    ("race_middle", "validation", 700, &[]),
    ("race_middle", "test", 800, &[]),
    ("race_high", "train", 1200, &[]),
    ("race_high", "validation", 600, &[]),
    ("race_high", "test", 700, &[]),
    ("sst2", "train", 10000, &[]),
    ("sst2", "validation", 572, &[]),
    ("sst2", "test", 1821, &[(SkipReason::Unlabelled, 1821)]),
    ("hh_rlhf", "test", 2012, &[(SkipReason::NoSharedPrompt, 3)]),
];

#[test]
fn every_row_is_rendered_or_counted() {
    let Some(root) = data_root() else { return };
    for (name, split, rows, expected) in SPLITS {
        let task = Task::find(name).unwrap();
        let options = LoadOptions { keep_unlabelled: true, ..LoadOptions::default() };
        let data = Documents::load(&task, &root, split, &options).unwrap();
        let unlabelled = data.documents.iter().filter(|document| document.gold.is_none()).count();
        let mut skipped: Vec<_> = data.skipped.counts().into_iter().collect();
        if unlabelled > 0 {
            skipped.push((SkipReason::Unlabelled, unlabelled));
        }
        assert_eq!((data.rows, skipped.as_slice()), (rows, expected), "{name} {split}");
        assert_eq!(data.documents.len() + data.skipped.total(), rows, "{name} {split}");
        let mut ids: Vec<_> = data.documents.iter().map(|document| document.id.clone().unwrap()).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), data.documents.len(), "{name} {split}: every id is unique");
    }
    // No split is forgotten above.
    for name in Task::names() {
        let task = Task::find(name).unwrap();
        let listed: Vec<_> =
            SPLITS.iter().filter(|(task, ..)| *task == name).map(|(_, split, ..)| *split).collect();
        if !listed.is_empty() {
            let mut found = task.splits(&root);
            found.sort_by_key(|split| listed.iter().position(|listed| listed == split));
            assert_eq!(found, listed, "{name}");
        }
    }
}

#[test]
fn a_test_split_without_labels_says_so() {
    let Some(root) = data_root() else { return };
    let task = Task::find("winogrande").unwrap();
    let error = Documents::load(&task, &root, "test", &LoadOptions::default()).unwrap_err().to_string();
    let error = error.replace(root.to_str().unwrap(), "ROOT");
    assert_eq!(
        error,
        "none of the 1767 rows of `winogrande`, split `test`, can be used (1767 unlabelled). The first: \
         ROOT/winogrande/test.jsonl:1: the row has no gold answer: `answer` is missing, null, empty or -1"
    );
}

#[test]
fn the_other_files_of_the_data_directory() {
    let Some(root) = data_root() else { return };
    let used = |task: &str, file: &str| {
        let data =
            Documents::load(&Task::find(task).unwrap(), &root.join(file), "rows", &LoadOptions::default())
                .unwrap();
        (data.documents.len(), data.skipped.to_string())
    };
    let none = String::new();
    assert_eq!(used("boolq", "boolq/super_glue_train_32.jsonl"), (32, none.clone()));
    assert_eq!(used("winogrande", "winogrande/train_xs.jsonl"), (160, none));
    assert_eq!(
        used("ultrafeedback", "preference/ultrafeedback/train.jsonl"),
        (996, "4 identical-answers".into())
    );
    let messages = used("preference", "parquet/ultrafeedback_binarized/test_prefs-00000-of-00001.parquet");
    assert!(messages.0 > 0, "{messages:?}");
    // One whole-JSON file; its prompts are in other fields, so it needs a task of its own.
    let task = Task::parse(
        "name = 'alpaca'\nkind = 'preference'\nuser = \"{{ instruction }}{% if input %}\\n\\n{{ input }}{% endif %}\"",
        "alpaca.toml",
    );
    let file = root.join("preference/instruction-data-with-preference.json");
    let data = Documents::load(&task.unwrap(), &file, "rows", &LoadOptions::default()).unwrap();
    assert_eq!(data.documents.len() + data.skipped.counts()[&SkipReason::IdenticalAnswers], 1100);
    let task =
        Task::parse("name = 'sharegpt'\nkind = 'preference'\nprompt = 'conversations'", "sharegpt.toml");
    let file = root.join("preference/llama_factory_dpo_en_demo.json");
    let data = Documents::load(&task.unwrap(), &file, "rows", &LoadOptions::default()).unwrap();
    assert_eq!((data.documents.len(), data.skipped.total()), (299, 0));
}

#[test]
fn parquet_has_the_rows_of_the_json_lines() {
    let Some(root) = data_root() else { return };
    let pairs = [
        ("arc_challenge", "test", "arc_challenge/test.jsonl", None),
        ("boolq", "validation", "boolq/validation.jsonl", Some(800)),
        ("hellaswag", "validation", "hellaswag/validation.jsonl", None),
        ("openbookqa", "test", "openbookqa/test.jsonl", None),
        ("piqa", "validation", "piqa/validation.jsonl", None),
        ("race_middle", "test", "race/middle/test.jsonl", Some(300)),
        ("hh_rlhf", "test", "preference/hh_rlhf_harmless_base/test.jsonl", Some(300)),
    ];
    for (name, split, jsonl, first) in pairs {
        let task = Task::find(name).unwrap();
        let options = LoadOptions::default();
        let parquet = Documents::load(&task, &root.join("parquet"), split, &options).unwrap();
        assert_eq!(parquet.files.len(), 1);
        assert_eq!(parquet.files[0].extension().unwrap(), "parquet", "{name}");
        let fields = |path: &Path| -> Vec<_> {
            read_rows(path).unwrap().into_iter().map(|row| row.fields.unwrap()).collect()
        };
        let (columns, lines) = (fields(&parquet.files[0]), fields(&root.join(jsonl)));
        assert_eq!(columns.len(), first.unwrap_or(lines.len()), "{name}");
        for (index, (columns, lines)) in columns.iter().zip(&lines).enumerate() {
            for (key, value) in columns {
                // HellaSwag's labels are text on the hub, numbers elsewhere.
                let same = lines[key] == *value || value.as_str() == Some(&lines[key].to_string());
                assert!(same, "{name}, row {index}, {key}: {value} and {}", lines[key]);
            }
            assert_eq!(task.document(columns), task.document(lines), "{name}, row {index}");
        }
    }
    for file in ["glue/rte/validation", "glue/stsb/validation", "winogrande/winogrande_xs/validation"] {
        let rows = read_rows(&root.join(format!("parquet/{file}-00000-of-00001.parquet"))).unwrap();
        assert!(!rows.is_empty() && rows.iter().all(|row| row.fields.is_ok()), "{file}");
    }
}

#[test]
fn tables_as_published_by_glue() {
    let Some(root) = data_root() else { return };
    let rows = read_rows(&root.join("glue/original/RTE/dev.tsv")).unwrap();
    let expected = read_rows(&root.join("glue/rte/validation.jsonl")).unwrap();
    assert_eq!(rows.len(), expected.len());
    for (row, expected) in rows.iter().zip(&expected) {
        let (row, expected) = (row.fields.as_ref().unwrap(), expected.fields.as_ref().unwrap());
        assert_eq!(row["sentence1"], expected["sentence1"]);
        assert_eq!(row["sentence2"], expected["sentence2"]);
    }
}

#[test]
fn csv_and_tsv_give_the_documents_of_the_json_lines() {
    let Some(root) = data_root() else { return };
    let task = Task::find("sst2").unwrap();
    let json_lines = Documents::load(&task, &root, "validation", &LoadOptions::default()).unwrap();
    let rows: Vec<Json> = read_rows(&json_lines.files[0])
        .unwrap()
        .into_iter()
        .map(|row| Json::Object(row.fields.unwrap()))
        .collect();
    let folder = tempfile::tempdir().unwrap();
    let text = |row: &Json| row["sentence"].as_str().unwrap().to_owned();
    let tsv: String = rows.iter().map(|row| format!("{}\t{}\n", text(row), row["label"])).collect();
    write(folder.path(), "tsv/sst2/validation.tsv", format!("sentence\tlabel\n{tsv}"));
    let csv: String = rows
        .iter()
        .map(|row| format!("\"{}\",{}\r\n", text(row).replace('"', "\"\""), row["label"]))
        .collect();
    write(folder.path(), "csv/sst2/validation.csv", format!("\u{FEFF}sentence,label\r\n{csv}"));
    let contents = |data: &Documents| -> Vec<_> {
        data.documents.iter().map(|document| (document.prompt.clone(), document.gold)).collect()
    };
    for format in ["tsv", "csv"] {
        let data = Documents::load(&task, &folder.path().join(format), "validation", &LoadOptions::default())
            .unwrap();
        assert_eq!(contents(&data), contents(&json_lines), "{format}");
    }
}

#[test]
fn tokenised_with_a_real_tokenizer() {
    let Some(root) = data_root() else { return };
    let Some(folder) = tokenizer_folder("smollm2") else { return };
    let tokenizer = ChatTokenizer::from_dir(folder.path()).unwrap();
    for name in ["arc_challenge", "race_high", "ultrafeedback"] {
        let task = Task::find(name).unwrap();
        let split = if task.kind == Kind::Preference { "test" } else { "validation" };
        let options = LoadOptions { limit: Some(60), max_len: Some(700), ..LoadOptions::default() };
        let data = TaskData::load(&task, &root, split, &tokenizer, &options).unwrap();
        let too_long = data.skipped.counts().get(&SkipReason::TooLong).copied().unwrap_or(0);
        assert_eq!(data.sets.len() + too_long, 60, "{name}");
        assert!(data.sets.iter().all(|set| set.sequence_len() <= 700));
        let batches = plan_set_batches(&data.sets, 4096);
        assert!(batches.len() < data.sets.len());
        assert_eq!(batches.iter().map(Vec::len).sum::<usize>(), data.sets.len());
    }
}
