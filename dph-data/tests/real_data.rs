//! Every row of every split of every task, in all formats there are.
#![allow(clippy::unwrap_used)]

mod common;

use std::path::Path;

use common::write;
use dph_core::testing::{data_root, tokenizer_folder};
use dph_data::{
    ChatTokenizer, Documents, Kind, SkipReason, Task, TaskData, TaskLoadOptions, plan_set_batches, read_rows,
};
use serde_json::Value as Json;

/// Task, split, rows, and how many of them are skipped or unlabelled.
type Expected = (&'static str, &'static str, usize, &'static [(SkipReason, usize)]);
const SPLITS: [Expected; 84] = [
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
    ("mmlu", "train", 285, &[]),
    ("mmlu", "validation", 1529, &[]),
    ("mmlu", "test", 2000, &[]),
    ("mmlu", "dev", 285, &[]),
    ("commonsense_qa", "train", 4000, &[]),
    ("commonsense_qa", "validation", 1221, &[]),
    ("cola", "train", 8551, &[]),
    ("cola", "validation", 1043, &[]),
    ("cola", "test", 1063, &[(SkipReason::Unlabelled, 1063)]),
    ("mnli", "train", 6000, &[]),
    ("mnli", "validation", 4000, &[]),
    ("mnli_corrected", "train", 6000, &[]),
    ("mnli_corrected", "validation", 4000, &[]),
    ("mrpc", "train", 3668, &[]),
    ("mrpc", "validation", 408, &[]),
    ("mrpc", "test", 1725, &[]),
    ("qnli", "train", 6000, &[]),
    ("qnli", "validation", 5163, &[]),
    ("qqp", "train", 8999, &[]),
    ("rte", "train", 2490, &[]),
    ("rte", "validation", 277, &[]),
    ("rte", "test", 3000, &[(SkipReason::Unlabelled, 3000)]),
    ("sst2", "train", 10000, &[]),
    ("sst2", "validation", 572, &[]),
    ("sst2", "test", 1821, &[(SkipReason::Unlabelled, 1821)]),
    ("stsb", "train", 5749, &[]),
    ("stsb", "validation", 1500, &[]),
    ("stsb", "test", 1379, &[(SkipReason::Unlabelled, 1379)]),
    ("wnli", "train", 635, &[]),
    ("wnli", "validation", 71, &[]),
    ("wnli", "test", 146, &[(SkipReason::Unlabelled, 146)]),
    ("ax", "test", 1104, &[(SkipReason::Unlabelled, 1104)]),
    ("ax_corrected", "test", 1104, &[(SkipReason::Unlabelled, 1104)]),
    ("ultrafeedback", "train", 1000, &[(SkipReason::IdenticalAnswers, 4)]),
    ("ultrafeedback", "test", 200, &[(SkipReason::IdenticalAnswers, 1)]),
    ("hh_rlhf", "test", 2012, &[(SkipReason::NoSharedPrompt, 3)]),
    ("sharegpt_preference", "train", 299, &[]),
    ("alpaca_preference", "train", 1100, &[(SkipReason::IdenticalAnswers, 6)]),
    ("rm_bench", "chat", 9 * 129, &[]),
    ("rm_bench", "chat-easy", 3 * 129, &[]),
    ("rm_bench", "chat-normal", 3 * 129, &[]),
    ("rm_bench", "chat-hard", 3 * 129, &[]),
    ("llmbar", "gptinst", 92, &[]),
    ("llmbar", "gptout", 47, &[]),
    ("llmbar", "manual", 46, &[]),
    ("llmbar", "natural", 100, &[]),
    ("llmbar", "neighbor", 134, &[]),
    ("judgebench", "test", 350, &[]),
    ("judgebench", "knowledge", 154, &[]),
    ("judgebench", "reasoning", 98, &[]),
    ("judgebench", "math", 56, &[]),
    ("judgebench", "coding", 42, &[]),
    ("pandalm", "test", 999, &[(SkipReason::Unlabelled, 105)]),
    ("alpaca_eval", "test", 600, &[(SkipReason::Unlabelled, 11)]),
    ("alpaca", "train", 2000, &[]),
    ("squad", "xquad", 1190, &[]),
    ("gsm8k", "train", 1000, &[]),
    ("gsm8k", "test", 1319, &[]),
    ("dolly_hhrlhf", "train", 1000, &[]),
];

#[test]
fn every_row_is_rendered_or_counted() {
    let Some(root) = data_root() else { return };
    for (name, split, rows, expected) in SPLITS {
        let task = Task::find(name).unwrap();
        let options = TaskLoadOptions { keep_unlabelled: true, ..TaskLoadOptions::default() };
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
        let synthetic = task.splits("nowhere".as_ref());
        if synthetic.is_empty() {
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
    let error = Documents::load(&task, &root, "test", &TaskLoadOptions::default()).unwrap_err().to_string();
    let error = error.replace(root.to_str().unwrap(), "ROOT");
    assert_eq!(
        error,
        "none of the 1767 rows of `winogrande`, split `test`, can be used (1767 unlabelled). The first: \
         ROOT/winogrande/test.jsonl:1: the row has no gold answer: `answer` is missing, null, NaN, empty or -1; there is \
         `qID`, `sentence`, `option1`, `option2`"
    );
}

#[test]
fn the_other_files_of_the_data_directory() {
    let Some(root) = data_root() else { return };
    let used = |task: &str, file: &str| {
        let data = Documents::load(
            &Task::find(task).unwrap(),
            &root.join(file),
            "rows",
            &TaskLoadOptions::default(),
        )
        .unwrap();
        (data.documents.len(), data.skipped.to_string())
    };
    let none = String::new();
    assert_eq!(used("boolq", "boolq/super_glue_train_32.jsonl"), (32, none.clone()));
    let messages = used("preference", "parquet/ultrafeedback_binarized/test_prefs-00000-of-00001.parquet");
    assert!(messages.0 > 0, "{messages:?}");
    assert_eq!(used("winogrande", "winogrande/train_xs.jsonl"), (160, none.clone()));
    assert_eq!(used("mnli", "glue/mnli/train_kshot.jsonl"), (480, none.clone()));
    assert_eq!(used("qqp", "glue/qqp/dev_from_train.jsonl"), (1000, none.clone()));
    assert_eq!(used("qqp", "glue/qqp/train_kshot.jsonl"), (320, none.clone()));
    assert_eq!(used("alpaca", "sft/alpaca_en_demo.json"), (999, none.clone()));
    assert_eq!(used("alpaca", "sft/instruction-data.json"), (1100, none));
}

/// The nested layout of SQuAD: 48 articles, 240 paragraphs, 1190 questions.
#[test]
fn questions_are_taken_out_of_their_paragraphs() {
    let Some(root) = data_root() else { return };
    let task = Task::find("squad").unwrap();
    let data = Documents::load(&task, &root, "xquad", &TaskLoadOptions::default()).unwrap();
    let file: Json = serde_json::from_slice(&std::fs::read(&data.files[0]).unwrap()).unwrap();
    let list = |value: &Json, key: &str| value[key].as_array().unwrap().clone();
    let mut documents = data.documents.iter();
    for article in list(&file, "data") {
        for paragraph in list(&article, "paragraphs") {
            for question in list(&paragraph, "qas") {
                let document = documents.next().unwrap();
                assert_eq!(document.id.as_deref(), question["id"].as_str());
                let asked = &document.prompt[1].content;
                assert!(asked.starts_with(&format!("Title: {}\n", article["title"].as_str().unwrap())));
                assert!(asked.contains(paragraph["context"].as_str().unwrap()));
                let answers: Vec<_> = document.candidates.iter().chain(&document.also_right).collect();
                let expected: Vec<_> = list(&question, "answers")
                    .iter()
                    .map(|a| a["text"].as_str().unwrap().to_owned())
                    .collect();
                assert_eq!(answers, expected.iter().collect::<Vec<_>>());
                assert!(
                    expected.iter().all(|answer| paragraph["context"].as_str().unwrap().contains(answer))
                );
            }
        }
    }
    assert!(documents.next().is_none());
}

#[test]
fn the_share_of_each_gold_position_is_plausible() {
    let Some(root) = data_root() else { return };
    let firsts = |task: &str, split: &str| {
        let task = Task::find(task).unwrap();
        let data = Documents::load(&task, &root, split, &TaskLoadOptions::default()).unwrap();
        data.documents.iter().filter(|document| document.gold == Some(0)).count()
    };
    // As counted in the files: "A>B", two votes for 1, a score that Python rounds to 0.
    assert_eq!(firsts("judgebench", "test"), 193);
    assert_eq!(firsts("pandalm", "test"), 368 + 33 + 21);
    assert_eq!(firsts("stsb", "validation"), 242);
}

/// GLUE's similarity scores: what is predicted is a whole number, what it is measured against is not.
#[test]
fn scores_are_kept_beside_the_sets() {
    let Some(root) = data_root() else { return };
    let Some(folder) = tokenizer_folder("smollm2") else { return };
    let tokenizer = ChatTokenizer::from_dir(folder.path()).unwrap();
    let task = Task::find("stsb").unwrap();
    let options = TaskLoadOptions { limit: Some(50), ..TaskLoadOptions::default() };
    let data = TaskData::load(&task, &root, "validation", &tokenizer, &options).unwrap();
    assert_eq!((data.sets.len(), data.scores.len()), (50, 50));
    for set in &data.sets {
        let score = data.scores[&set.id];
        assert!((score - set.gold.unwrap() as f64).abs() <= 0.5, "{score} and {:?}", set.gold);
    }
    let parquet = Documents::load(&task, &root.join("parquet"), "validation", &options).unwrap();
    let lines = Documents::load(&task, &root, "validation", &options).unwrap();
    for (column, line) in parquet.documents.iter().zip(&lines.documents) {
        // The hub stores scores as f32.
        assert!((column.score.unwrap() - line.score.unwrap()).abs() < 1e-6);
        assert_eq!((&column.prompt, column.gold), (&line.prompt, line.gold));
    }
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
        ("rte", "validation", "glue/rte/validation.jsonl", None),
        ("hh_rlhf", "test", "preference/hh_rlhf_harmless_base/test.jsonl", Some(300)),
    ];
    for (name, split, jsonl, first) in pairs {
        let task = Task::find(name).unwrap();
        let options = TaskLoadOptions::default();
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
    let task = Task::find("rte").unwrap();
    let rows = task.read_rows(&root.join("glue/original/RTE/dev.tsv"), "validation").unwrap();
    let expected = read_rows(&root.join("glue/rte/validation.jsonl")).unwrap();
    assert_eq!(rows.len(), expected.len());
    for (row, expected) in rows.iter().zip(&expected) {
        let (row, expected) = (row.fields.as_ref().unwrap(), expected.fields.as_ref().unwrap());
        assert_eq!(row["sentence1"], expected["sentence1"]);
        assert_eq!(row["sentence2"], expected["sentence2"]);
    }
    // Every line is a row, with its quotation marks.
    for (task, file) in [("stsb", "STS-B"), ("wnli", "WNLI"), ("rte", "RTE")] {
        let path = root.join(format!("glue/original/{file}/dev.tsv"));
        let lines = std::fs::read_to_string(&path).unwrap();
        let rows = Task::find(task).unwrap().read_rows(&path, "validation").unwrap();
        assert_eq!(rows.len() + 1, lines.lines().count(), "{file}");
        for (row, line) in rows.iter().zip(lines.lines().skip(1)) {
            let Ok(fields) = &row.fields else { continue };
            let texts: Vec<&str> = fields.values().map(|value| value.as_str().unwrap()).collect();
            assert_eq!(texts.join("\t"), line, "{file}");
        }
    }
}

#[test]
fn csv_and_tsv_give_the_documents_of_the_json_lines() {
    let Some(root) = data_root() else { return };
    let task = Task::find("sst2").unwrap();
    let json_lines = Documents::load(&task, &root, "validation", &TaskLoadOptions::default()).unwrap();
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
        let data =
            Documents::load(&task, &folder.path().join(format), "validation", &TaskLoadOptions::default())
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
        let options = TaskLoadOptions { limit: Some(60), max_len: Some(700), ..TaskLoadOptions::default() };
        let data = TaskData::load(&task, &root, split, &tokenizer, &options).unwrap();
        let too_long = data.skipped.counts().get(&SkipReason::TooLong).copied().unwrap_or(0);
        assert_eq!(data.sets.len() + too_long, 60, "{name}");
        assert!(data.sets.iter().all(|set| set.sequence_len() <= 700));
        let batches = plan_set_batches(&data.sets, 4096);
        assert!(batches.len() < data.sets.len());
        assert_eq!(batches.iter().map(Vec::len).sum::<usize>(), data.sets.len());
    }
}
