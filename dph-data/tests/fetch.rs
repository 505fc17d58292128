//! `dph-data fetch` against a hub on this machine: what comes, what is not asked for, and what goes wrong.
#![cfg(all(feature = "cli", feature = "hub"))]
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use dph_core::testing::{Run, say};
use dph_data::testing::hub::{Fault, Repository, TestHub};
use dph_data::{Task, TaskLoadOptions};
use rand::{RngExt, SeedableRng};
use tempfile::TempDir;

/// Where nothing listens.
const NOWHERE: &str = "http://127.0.0.1:9";

/// Bytes that look like those of no other seed.
fn bytes(seed: u64, length: usize) -> Vec<u8> {
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    (0..length).map(|_| random.random()).collect()
}

fn hellaswag() -> Repository {
    Repository::default()
        .converted("default/train/0000.parquet", bytes(1, 200_000))
        .converted("default/validation/0000.parquet", bytes(2, 50_000))
        .converted("default/validation/0001.parquet", bytes(3, 40_000))
        .converted("default/test/0000.parquet", bytes(4, 30_000))
        .converted("other/train/0000.parquet", bytes(5, 10))
}

/// What is served as `hellaswag`, by the names that the loader finds.
fn hellaswag_files() -> Vec<(String, Vec<u8>)> {
    let file = |name: &str, seed, length| (format!("hellaswag/{name}.parquet"), bytes(seed, length));
    vec![
        file("test", 4, 30_000),
        file("train", 1, 200_000),
        file("validation-00000-of-00002", 2, 50_000),
        file("validation-00001-of-00002", 3, 40_000),
    ]
}

/// All files below a folder with their contents.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).into_iter().flatten().flatten() {
            match entry.path() {
                path if path.is_dir() => folders.push(path),
                path => found.push((
                    path.strip_prefix(folder).unwrap().display().to_string(),
                    fs::read(path).unwrap(),
                )),
            }
        }
    }
    found.sort();
    found
}

/// `dph-data fetch` into `data` of a folder.
fn command(folder: &TempDir, endpoint: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dph-data"));
    command
        .args(arguments)
        .current_dir(folder)
        .env("HF_ENDPOINT", endpoint)
        .env("HF_HOME", folder.path().join("hf"));
    command.env("XDG_CACHE_HOME", folder.path().join("cache"));
    for name in ["DPH_DATA", "HF_TOKEN", "HF_TOKEN_PATH", "HF_HUB_OFFLINE"] {
        command.env_remove(name);
    }
    for name in ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        command.env_remove(name);
    }
    command.env("NO_COLOR", "1").env("NO_GRAPHICS", "1");
    command
}

fn fetch(folder: &TempDir, hub: &TestHub, tasks: &[&str]) -> Run {
    Run::new(&mut command(folder, hub.url(), &[&["fetch"], tasks].concat()))
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn splits_land_where_the_task_finds_them() {
    let folder = folder();
    let hub = TestHub::serve([("Rowan/hellaswag", hellaswag())]);
    let mut first = command(&folder, hub.url(), &["fetch", "hellaswag", "hellaswag_choice"]);
    let out = Run::new(first.env("HF_TOKEN", "secret")).ok();
    assert_eq!(files(&folder.path().join("data")), hellaswag_files());
    let train = out.lines().find(|line| line.contains("train.parquet")).unwrap();
    assert!(train.contains("200.0 kB") && train.contains("fetched"), "{out}");
    assert!(out.contains("validation-00000-of-00002.parquet and 1 more file"), "{out}");
    assert!(out.contains("hellaswag: from Rowan/hellaswag, licence: MIT"), "{out}");
    assert!(out.contains("hellaswag: please cite Zellers et al."), "{out}");
    // The other task reads the same files.
    assert!(
        out.lines().any(|line| line.starts_with("hellaswag_choice") && line.contains("was here")),
        "{out}"
    );
    for split in ["train", "validation", "test"] {
        let task = Task::find("hellaswag").unwrap();
        assert!(task.locate(&folder.path().join("data"), split).is_ok(), "{split}");
    }
    // The token is for the hub alone, which refers to a storage on another port.
    let requests = hub.requests();
    let of =
        |place: &str| requests.iter().filter(|line| line.starts_with(place)).cloned().collect::<Vec<_>>();
    assert_eq!(of("storage").len(), 4, "{requests:?}");
    assert!(of("hub").iter().all(|line| line.ends_with("Bearer secret")), "{requests:?}");
    assert!(of("storage").iter().all(|line| !line.contains("secret")), "{requests:?}");

    // What is there needs no hub.
    let again = Run::new(&mut command(&folder, NOWHERE, &["fetch", "hellaswag", "--json"])).ok();
    let again: serde_json::Value = serde_json::from_str(&again).unwrap();
    assert_eq!(again.as_array().unwrap().len(), 3);
    assert!(again.as_array().unwrap().iter().all(|split| split["downloaded"] == false), "{again}");
    // A lost shard comes alone, and rows of one's own stay.
    let data = folder.path().join("data/hellaswag");
    fs::remove_file(data.join("validation-00001-of-00002.parquet")).unwrap();
    fs::remove_file(data.join("train.parquet")).unwrap();
    fs::write(data.join("train.jsonl"), "{}").unwrap();
    fetch(&folder, &hub, &["hellaswag"]).ok();
    let more = hub.requests().split_off(requests.len());
    let stored: Vec<_> = more.iter().filter(|line| line.starts_with("storage")).collect();
    assert!(stored.len() == 1 && stored[0].contains("validation/0001.parquet"), "{more:?}");
    assert!(!data.join("train.parquet").exists());
}

#[test]
fn a_split_may_be_chosen() {
    let folder = folder();
    let hub = TestHub::serve([("Rowan/hellaswag", hellaswag())]);
    fetch(&folder, &hub, &["hellaswag", "--split", "test"]).ok();
    assert_eq!(files(&folder.path().join("data")), hellaswag_files()[..1]);
    let said = fetch(&folder, &hub, &["hellaswag", "--split", "tset"]).failed(2);
    assert!(
        said.contains("Rowan/hellaswag has no split `tset` of `hellaswag`; it has train, validation, test"),
        "{said}"
    );
}

#[test]
fn names_of_the_hub_are_those_of_the_task() {
    let folder = folder();
    let of = |configuration: &str, splits: &[&str]| {
        splits.iter().fold(Repository::default(), |files, split| {
            files.converted(&format!("{configuration}/{split}/0000.parquet"), split.as_bytes())
        })
    };
    let glue = ["train", "validation_matched", "validation_mismatched", "test_matched", "test_mismatched"];
    let hub = TestHub::serve([
        ("nyu-mll/glue", of("mnli", &glue)),
        ("cais/mmlu", of("all", &["auxiliary_train", "dev", "test", "validation"])),
        ("allenai/reward-bench", of("default", &["filtered", "raw"])),
        ("HuggingFaceH4/ultrafeedback_binarized", of("default", &["train_prefs", "test_prefs", "train_sft"])),
    ]);
    fetch(&folder, &hub, &["mnli", "mmlu", "ultrafeedback"]).ok();
    // A part of a split has the file of the whole.
    fetch(&folder, &hub, &["reward_bench", "--split", "donotanswer"]).ok();
    let data = folder.path().join("data");
    let names: Vec<String> = files(&data).into_iter().map(|(name, _)| name).collect();
    let expected = [
        "mmlu/dev",
        "mmlu/test",
        "mmlu/validation",
        "mnli/test_matched",
        "mnli/test_mismatched",
        "mnli/train",
        "mnli/validation_matched",
        "mnli/validation_mismatched",
        "reward_bench/filtered",
        "ultrafeedback/test_prefs",
        "ultrafeedback/train_prefs",
    ];
    assert_eq!(names, expected.map(|name| format!("{name}.parquet")));
    let located = |task: &str, split: &str| {
        let files = Task::find(task).unwrap().locate(&data, split).unwrap();
        files[0].file_stem().unwrap().to_str().unwrap().to_owned()
    };
    assert_eq!(located("mnli", "validation"), "validation_matched");
    assert_eq!(located("mmlu", "train"), "dev");
    assert_eq!(located("reward_bench", "donotanswer"), "filtered");
    assert_eq!(located("ultrafeedback", "train"), "train_prefs");
}

#[test]
fn embedded_repositories_have_splits_a_licence_and_a_citation() {
    let folder = folder();
    let mut count = 0;
    for name in Task::names() {
        let task = Task::find(name).unwrap();
        let Ok(splits) = dph_data::missing_splits(&task, &[], folder.path()) else { continue };
        count += 1;
        assert!(!splits.is_empty(), "{name}");
        let lines = dph_data::origin_lines(&task).join("\n");
        assert!(lines.contains("licence: ") && lines.contains("please cite"), "{lines}");
    }
    assert!(count > 50, "{count}");
}

#[test]
fn a_task_of_ones_own_names_files() {
    let folder = folder();
    let task = "name = 'mine'\nkind = 'text'\ntext = '{{ text }}'\n[hub]\nrepository = 'me/mine'\n\
                [hub.files]\ntrain = ['data/a.jsonl', 'data/b.jsonl']\ntest = 'test.jsonl'\n";
    fs::write(folder.path().join("mine.toml"), task).unwrap();
    let files_of_hub = Repository::default()
        .file("main", "data/a.jsonl", "{\"text\": \"a\"}\n")
        .file("main", "data/b.jsonl", "{\"text\": \"b\"}\n")
        .file("main", "data/c.jsonl", "{\"text\": \"c\"}\n")
        .file("main", "test.jsonl", "{\"text\": \"t\"}\n");
    let hub = TestHub::serve([("me/mine", files_of_hub)]);
    let out = Run::new(&mut command(
        &folder,
        hub.url(),
        &["show", "mine.toml", "--data", "hf:rows", "--split", "train"],
    ))
    .ok();
    assert!(out.contains("mine, split train: 2 documents"), "{out}");
    // The other split was not needed.
    assert!(!folder.path().join("rows/mine/test.jsonl").exists());
    let out = Run::new(&mut command(&folder, hub.url(), &["stats", "mine.toml", "--data", "hf:rows"])).ok();
    assert!(out.lines().any(|line| line.starts_with("test")), "{out}");
    let out = Run::new(&mut command(&folder, NOWHERE, &["stats", "mine.toml", "--data", "hf:rows"])).ok();
    assert!(out.lines().any(|line| line.starts_with("train")), "{out}");
    // Without a directory they are in the cache of the user.
    Run::new(&mut command(&folder, hub.url(), &["show", "mine.toml", "--data", "hf:", "--split", "test"]))
        .ok();
    assert!(folder.path().join("cache/dph/data/mine/test.jsonl").exists());
    let list = Run::new(&mut command(&folder, NOWHERE, &["list", "--data", "hf:"])).ok();
    assert!(list.lines().any(|line| line.starts_with("hellaswag ")), "{list}");
}

#[test]
fn a_split_that_the_repository_lacks_is_not_found() {
    let folder = folder();
    let root = PathBuf::from(format!("hf:{}", folder.path().display()));
    let load = |task: &str, split: &str| {
        let task = Task::find(task).unwrap();
        dph_data::Documents::load(&task, &root, split, &TaskLoadOptions::default()).unwrap_err()
    };
    // No request: boolq has no test split, and preference has no repository.
    for (task, split) in [("boolq", "test"), ("preference", "train")] {
        let error = load(task, split);
        assert!(matches!(error, dph_data::DataError::NotFound(_)), "{error}");
    }
}

#[test]
fn a_cut_connection_is_continued_where_it_ended() {
    let folder = folder();
    let hub = TestHub::serve([("Rowan/hellaswag", hellaswag())]);
    hub.fault(
        "storage /Rowan/hellaswag/refs%2Fconvert%2Fparquet/default/train",
        [Fault::Cut(150_000), Fault::Cut(30_000)],
    );
    hub.fault("/tree/", [Fault::Cut(20)]);
    fetch(&folder, &hub, &["hellaswag"]).ok();
    assert_eq!(files(&folder.path().join("data")), hellaswag_files());
    let requests = hub.requests();
    let ranges: Vec<_> =
        requests.iter().filter(|line| line.contains("storage") && line.contains("/train/")).collect();
    assert_eq!(ranges.len(), 3, "{requests:?}");
    assert!(ranges[1].contains("Some(150000)") && ranges[2].contains("Some(180000)"), "{ranges:?}");
}

#[test]
fn a_busy_hub_is_waited_for() {
    let folder = folder();
    let hub = TestHub::serve([("Rowan/hellaswag", hellaswag())]);
    hub.fault("/tree/", [Fault::Status(503, ""), Fault::Status(429, "Retry-After: 1\r\n")]);
    hub.fault("/resolve/", [Fault::Status(502, "")]);
    // The address of the storage has expired.
    hub.fault("storage", [Fault::Status(403, "")]);
    fetch(&folder, &hub, &["hellaswag"]).ok();
    assert_eq!(files(&folder.path().join("data")), hellaswag_files());

    fs::remove_file(folder.path().join("data/hellaswag/test.parquet")).unwrap();
    hub.fault("/tree/", [Fault::Status(429, "Retry-After: 86400\r\n")]);
    let said = fetch(&folder, &hub, &["hellaswag"]).failed(1);
    assert!(said.contains("gets too many requests and asks for a pause of 86400 s"), "{said}");
    hub.fault("/tree/", vec![Fault::Status(500, ""); 5]);
    let said = fetch(&folder, &hub, &["hellaswag"]).failed(1);
    assert!(
        said.contains("answers with status 500, 5 times in a row; run the same command again later"),
        "{said}"
    );
}

#[test]
fn what_the_hub_refuses_or_lacks_is_told_with_a_remedy() {
    let folder = folder();
    let partial = Repository::default().converted("winogrande_xl/partial-train/0000.parquet", "x");
    let gap = Repository::default()
        .converted("default/train/0000.parquet", "x")
        .converted("default/train/0002.parquet", "x");
    let other = Repository::default()
        .converted("main/train/0000.parquet", "x")
        .converted("main/dev/0000.parquet", "x");
    let hub = TestHub::serve([
        ("Rowan/hellaswag", hellaswag().gated("secret")),
        ("allenai/winogrande", partial),
        ("allenai/openbookqa", other),
        ("nyu-mll/glue", Repository::default().converted("rte/train/0000.parquet", "x")),
        ("google/boolq", gap),
    ]);
    let url = hub.url();
    let said = fetch(&folder, &hub, &["hellaswag"]).failed(1);
    let expected = [
        "cannot fetch `hellaswag` (train, validation, test) from Rowan/hellaswag".to_owned(),
        format!(
            "Accept its terms at {url}/datasets/Rowan/hellaswag and set HF_TOKEN to a token of your account ({url}/settings/tokens)"
        ),
    ];
    assert!(expected.iter().all(|expected| said.contains(expected)), "{said}");
    let mut wrong = command(&folder, url, &["fetch", "hellaswag"]);
    let said = Run::new(wrong.env("HF_TOKEN", "wrong")).failed(1);
    assert!(said.contains("the account of the token has no access"), "{said}");
    // The hub refuses a token that it does not know also for public data sets.
    hub.fault("Rowan/hellaswag", [Fault::Status(401, "")]);
    let said = Run::new(wrong.env("HF_TOKEN", "expired")).failed(1);
    assert!(said.contains("it does not know the token, which may have expired"), "{said}");
    hub.fault(
        "Rowan/hellaswag",
        [Fault::Status(403, "X-Error-Code: GatedRepo\r\nX-Error-Message: Ask for access.\r\n")],
    );
    let said = Run::new(wrong.env("HF_TOKEN", "other")).failed(1);
    assert!(
        said.contains("a token of another one") && said.contains(". The hub says: Ask for access."),
        "{said}"
    );
    hub.fault("Rowan/hellaswag", [Fault::Status(403, "X-Error-Code: DisabledRepo\r\n")]);
    let said = Run::new(&mut wrong).failed(1);
    assert!(
        said.contains("has disabled the repository Rowan/hellaswag; name another one in a copy of the task"),
        "{said}"
    );
    // The token of a login.
    fs::create_dir_all(folder.path().join("hf")).unwrap();
    fs::write(folder.path().join("hf/token"), "secret\n").unwrap();
    fetch(&folder, &hub, &["hellaswag", "--split", "test"]).ok();

    for (task, problem) in [
        (
            "piqa",
            "has no datasets/ybisk/piqa/plain_text (revision refs/convert/parquet); check the table [hub] of the task, which names the files of a repository without this revision (key `files`)",
        ),
        ("sst2", "has no datasets/nyu-mll/glue/sst2 (revision refs/convert/parquet)"),
        ("winogrande", "the hub has converted only the first part of the split train (folder partial-train)"),
        ("boolq", "the hub lists later files of the split train, but no 0001.parquet"),
        (
            "openbookqa",
            "the configuration has no split test; it has dev, train. Name what there is in the table [splits] of the task, or the original files",
        ),
    ] {
        let said = fetch(&folder, &hub, &[task]).failed(1);
        assert!(said.contains(problem), "{task}: {said}");
    }
    for (task, problem) in [
        ("world", "the task `world` is generated; there is nothing to fetch"),
        ("preference", "names no repository to fetch its rows from; put them into data/preference"),
        ("helaswag", "did you mean `hellaswag`?"),
    ] {
        let said = fetch(&folder, &hub, &["rte", task]).failed(2);
        assert!(said.contains(problem), "{task}: {said}");
    }
    // The others are fetched all the same.
    let said = fetch(&folder, &hub, &["piqa", "hellaswag", "rte"]).failed(1);
    assert!(said.contains("cannot fetch `piqa`") && said.contains("cannot fetch `rte`"), "{said}");
    assert!(
        said.contains("missing below data: piqa (train, validation, test), rte (train, validation, test)"),
        "{said}"
    );
    assert_eq!(files(&folder.path().join("data/hellaswag")).len(), 4);
}

/// What is no file is neither taken for one nor replaced.
#[test]
fn a_directory_in_place_of_a_file_is_named() {
    let folder = folder();
    let hub = TestHub::serve([("Rowan/hellaswag", hellaswag())]);
    fs::create_dir_all(folder.path().join("data/hellaswag/train.parquet")).unwrap();
    let said = fetch(&folder, &hub, &["hellaswag"]).failed(1);
    assert!(
        said.contains("cannot write data/hellaswag/train.parquet: a directory is in its place"),
        "{said}"
    );
}

#[test]
fn a_page_in_place_of_a_file_is_named() {
    let folder = folder();
    let hub = TestHub::serve([("Rowan/hellaswag", hellaswag())]);
    hub.fault("train/0000.parquet", std::iter::repeat_n(Fault::Page, 5));
    let said = fetch(&folder, &hub, &["hellaswag", "--split", "train"]).failed(1);
    assert!(
        said.contains(
            "in place of default/train/0000.parquet with 200000 bytes, 20 bytes of the type text/html"
        ),
        "{said}"
    );
    // What came stays away from the file.
    fetch(&folder, &hub, &["hellaswag", "--split", "train"]).ok();
    assert_eq!(files(&folder.path().join("data"))[0].1, bytes(1, 200_000));
}

#[test]
fn a_list_without_an_end_is_named() {
    let folder = folder();
    let hub = TestHub::serve([("Rowan/hellaswag", hellaswag())]);
    hub.fault("/tree/", std::iter::repeat_n(Fault::Endless, 5));
    let said = fetch(&folder, &hub, &["hellaswag"]).failed(1);
    assert!(said.contains("does not answer as a hub does (its list of files begins again); check HF_ENDPOINT, and whether a proxy"), "{said}");
}

#[test]
fn a_task_is_fetched_once() {
    let folder = folder();
    let hub = TestHub::serve([("Rowan/hellaswag", hellaswag())]);
    let table = fetch(&folder, &hub, &["hellaswag", "hellaswag"]).ok();
    assert_eq!(table.matches("please cite").count(), 1, "{table}");
}

#[test]
fn without_a_network_it_says_what_is_missing() {
    let folder = folder();
    let hub = TestHub::serve([("Rowan/hellaswag", hellaswag())]);
    fetch(&folder, &hub, &["hellaswag", "--split", "test"]).ok();
    let asked = hub.requests().len();
    let tasks = ["fetch", "hellaswag", "boolq"];
    let said = Run::new(&mut command(&folder, NOWHERE, &tasks)).failed(1);
    assert!(said.contains("http://127.0.0.1:9 cannot be reached"), "{said}");
    assert!(
        said.contains("missing below data: hellaswag (train, validation), boolq (train, validation)"),
        "{said}"
    );
    let mut offline = command(&folder, hub.url(), &tasks);
    let said = Run::new(offline.env("HF_HUB_OFFLINE", "1")).failed(1);
    assert!(
        said.contains("cannot fetch `hellaswag` (train, validation)")
            && said.contains("HF_HUB_OFFLINE forbids"),
        "{said}"
    );
    assert_eq!(hub.requests().len(), asked);
    let said = Run::new(&mut command(&folder, "no address", &tasks)).failed(1);
    assert!(said.contains("check HF_ENDPOINT"), "{said}");
}

#[test]
fn every_file_is_compared_with_the_digest_of_the_hub() {
    let folder = folder();
    let data = folder.path().join("data");
    let hub = TestHub::serve([("Rowan/hellaswag", hellaswag())]);
    hub.fault("storage", [Fault::Damage]);
    let run = fetch(&folder, &hub, &["hellaswag"]);
    assert!(
        run.stderr.contains("its content has the digest ") && run.stderr.contains("; it is downloaded again"),
        "{run:#?}"
    );
    assert_eq!(files(&data), hellaswag_files());

    fs::remove_file(data.join("hellaswag/test.parquet")).unwrap();
    hub.fault("storage", [Fault::Damage, Fault::Damage]);
    let said = fetch(&folder, &hub, &["hellaswag"]).failed(1);
    assert!(
        said.contains("default/test/0000.parquet: its content has the digest ")
            && said.contains(", also in a second download"),
        "{said}"
    );
    assert_eq!(files(&data), hellaswag_files()[1..]);

    // A part with other bytes, one that is too long, and one of another version of the file.
    let name = |digest: &str| data.join(format!("hellaswag/test.parquet.{digest}.part"));
    fs::write(name("0123456789abcdef"), "old").unwrap();
    hub.fault("storage", [Fault::Cut(10_000)]);
    hub.fault("/resolve/", [Fault::Status(200, ""), Fault::Status(418, "")]);
    let said = fetch(&folder, &hub, &["hellaswag"]).failed(1);
    assert!(
        said.contains("answers with status 418 to datasets/Rowan/hellaswag/default/test/0000.parquet; run the same command again later"),
        "{said}"
    );
    let part = files(&data).into_iter().find(|(name, _)| name.ends_with(".part")).unwrap().0;
    assert!(!part.contains("0123456789abcdef"), "{part}");
    for wrong in [vec![b'x'; 100], vec![b'x'; 40_000]] {
        fs::write(data.join(&part), wrong).unwrap();
        fetch(&folder, &hub, &["hellaswag"]).ok();
        assert_eq!(files(&data), hellaswag_files());
        fs::remove_file(data.join("hellaswag/test.parquet")).unwrap();
    }
}

#[test]
fn a_hub_without_ranges_sends_the_file_from_its_start() {
    let folder = folder();
    let hub = TestHub::serve([("Rowan/hellaswag", hellaswag())]);
    hub.fault("storage", [Fault::Cut(10_000), Fault::NoRange]);
    fetch(&folder, &hub, &["hellaswag", "--split", "test"]).ok();
    assert_eq!(files(&folder.path().join("data")), hellaswag_files()[..1]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_named() {
    let folder = folder();
    let hub = TestHub::serve([("Rowan/hellaswag", hellaswag())]);
    hub.fault("storage", [Fault::Cut(100)]);
    hub.fault("/resolve/", [Fault::Status(418, "")]);
    fetch(&folder, &hub, &["hellaswag", "--split", "test"]).failed(1);
    let data = folder.path().join("data");
    let part = data.join(&files(&data)[0].0);
    fs::remove_file(&part).unwrap();
    // What is written there does not fit.
    std::os::unix::fs::symlink("/dev/full", &part).unwrap();
    let said = fetch(&folder, &hub, &["hellaswag", "--split", "test"]).failed(1);
    assert!(
        said.contains(".part: No space left on device")
            && said.contains("make space and run the same command again"),
        "{said}"
    );
    fs::remove_file(&part).unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    let said = fetch(&folder, &hub, &["hellaswag", "--data", "file"]).failed(2);
    assert!(said.contains("file: this is a file; give the directory of the data sets"), "{said}");
}

#[cfg(unix)]
#[test]
fn a_killed_download_continues_where_it_ended() {
    let folder = folder();
    let hub = TestHub::serve([("Rowan/hellaswag", hellaswag())]);
    hub.fault("storage /Rowan/hellaswag/refs%2Fconvert%2Fparquet/default/train", [Fault::Stall(120_000)]);
    let mut child = spawn(&folder, &hub);
    let data = folder.path().join("data");
    let part =
        || files(&data).into_iter().find(|(name, bytes)| name.ends_with(".part") && bytes.len() == 120_000);
    while part().is_none() {
        assert!(child.try_wait().unwrap().is_none(), "it ended");
        thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let asked = hub.requests().len();
    fetch(&folder, &hub, &["hellaswag"]).ok();
    assert_eq!(files(&data), hellaswag_files());
    let more = hub.requests().split_off(asked);
    assert!(
        more.iter().any(|line| line.starts_with("storage")
            && line.contains("/train/0000.parquet")
            && line.contains("Some(120000)")),
        "{more:?}"
    );
}

/// `DPH_SEED` repeats the moments of an earlier run, which prints its seed.
#[cfg(unix)]
#[test]
fn downloads_that_are_killed_at_random_moments_end_with_the_same_files() {
    let seed =
        std::env::var("DPH_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(rand::random::<u64>);
    say(&format!("DPH_SEED={seed}"));
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    let hub = TestHub::serve([("Rowan/hellaswag", hellaswag())]);
    for _ in 0..3 {
        let folder = folder();
        hub.pace(Some(2_000));
        for _ in 0..4 {
            let mut child = spawn(&folder, &hub);
            thread::sleep(Duration::from_millis(random.random_range(0..150)));
            child.kill().unwrap();
            child.wait().unwrap();
            let expected = hellaswag_files();
            for (name, content) in files(&folder.path().join("data")) {
                assert!(name.ends_with(".part") || expected.contains(&(name.clone(), content)), "{name}");
            }
        }
        hub.pace(None);
        fetch(&folder, &hub, &["hellaswag"]).ok();
        assert_eq!(files(&folder.path().join("data")), hellaswag_files());
    }
}

#[test]
fn two_programs_fetch_the_same_files() {
    let folder = folder();
    let hub = TestHub::serve([("Rowan/hellaswag", hellaswag())]);
    hub.pace(Some(5_000));
    let children = [spawn(&folder, &hub), spawn(&folder, &hub), spawn(&folder, &hub)];
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(files(&folder.path().join("data")), hellaswag_files());
    let requests = hub.requests();
    let stored = requests.iter().filter(|line| line.starts_with("storage")).count();
    assert_eq!(stored, 4, "each file was sent once: {requests:?}");
}

fn spawn(folder: &TempDir, hub: &TestHub) -> Child {
    let mut command = command(folder, hub.url(), &["fetch", "hellaswag"]);
    command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}
