//! Models by the name of their repository: from the cache, and from a hub of our own on this machine.
#![cfg(all(feature = "flex", feature = "hub"))]
#![allow(clippy::unwrap_used)]

#[path = "support/command.rs"]
mod command;
#[path = "hub/server.rs"]
mod server;

use std::fs;
use std::path::{Path, PathBuf};

use command::{Run, run_with};
use dph_model::checkpoint::{ConvertOptions, convert};
use tempfile::TempDir;

use dph_model::testing::gguf::{llama, some_values};
use server::Hub;

/// A commit, as hubs name them.
const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// The files of a tiny model: a folder with everything.
fn model() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("tiny.gguf");
    fs::write(&file, llama(some_values).bytes()).unwrap();
    let options = ConvertOptions { shard_bytes: Some(4000), ..ConvertOptions::default() };
    convert(&file, &dir.path().join("model"), &options).unwrap();
    dir
}

/// A cache with a snapshot of these files, as all tools for the hub lay it out.
fn cached(cache: &Path, from: &Path, files: &[&str]) -> PathBuf {
    let repository = cache.join("models--owner--tiny");
    let snapshot = repository.join("snapshots").join(COMMIT);
    fs::create_dir_all(repository.join("refs")).unwrap();
    fs::create_dir_all(&snapshot).unwrap();
    fs::write(repository.join("refs/main"), COMMIT).unwrap();
    for file in files {
        fs::copy(from.join(file), snapshot.join(file)).unwrap();
    }
    snapshot
}

/// `dph-model inspect` with only these variables of the hub.
fn inspect(name: &str, variables: &[(&str, &str)]) -> Run {
    let home = tempfile::tempdir().unwrap();
    let mut all = vec![("HOME", home.path().to_str().unwrap())];
    all.extend(variables);
    run_with(Path::new("."), &["inspect", name], &all)
}

/// Where nothing listens: whoever asks there has made a request.
const NOWHERE: (&str, &str) = ("HF_ENDPOINT", "http://127.0.0.1:9");

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_whole_model_in_the_cache_needs_no_request() {
    let source = model();
    let files = names(&source.path().join("model"));
    let files: Vec<_> = files.iter().map(String::as_str).collect();
    let place = tempfile::tempdir().unwrap();
    let cache = place.path().join("hub");
    cached(&cache, &source.path().join("model"), &files);
    let (home, cache) = (place.path().to_str().unwrap(), cache.to_str().unwrap());
    for variables in [[("HF_HOME", home), NOWHERE], [("HF_HUB_CACHE", cache), NOWHERE]] {
        let said = inspect("hf:owner/tiny", &variables).ok();
        assert!(said.contains("family          llama"), "{said}");
        inspect(&format!("hf:owner/tiny@{COMMIT}"), &variables).ok();
        let said = inspect("hf:owner/tiny@other", &variables).failed(1);
        assert!(said.contains("hf:owner/tiny@other: http://127.0.0.1:9 cannot be reached"), "{said}");
    }
}

#[test]
fn a_model_without_its_tokenizer_is_used_where_there_is_no_more() {
    let source = model();
    let files = names(&source.path().join("model"));
    let files: Vec<_> = files.iter().map(String::as_str).filter(|name| !name.starts_with("token")).collect();
    let cache = tempfile::tempdir().unwrap();
    cached(cache.path(), &source.path().join("model"), &files);
    let cache = ("HF_HUB_CACHE", cache.path().to_str().unwrap());
    for variables in [&[cache, NOWHERE][..], &[cache, NOWHERE, ("HF_HUB_OFFLINE", "1")]] {
        let said = inspect("hf:owner/tiny", variables).ok();
        assert!(said.contains("none here"), "{said}");
    }
}

#[test]
fn what_is_not_in_the_cache_is_not_asked_for_offline() {
    let cache = tempfile::tempdir().unwrap();
    let hub = Hub::serve(&[("owner/tiny", &model().path().join("model"))]);
    let path = cache.path().to_str().unwrap();
    let variables = [("HF_HUB_CACHE", path), ("HF_ENDPOINT", hub.url()), ("HF_HUB_OFFLINE", "yes")];
    let said = inspect("hf:owner/tiny", &variables).failed(1);
    assert!(said.contains("it is not in the cache") && said.contains("HF_HUB_OFFLINE"), "{said}");
    assert_eq!(hub.requests(), Vec::<String>::new());
}

#[test]
fn what_is_missing_is_downloaded_once() {
    let source = model();
    let files = names(&source.path().join("model"));
    fs::write(source.path().join("model/README.md"), "is no part of it").unwrap();
    let hub = Hub::serve(&[("owner/tiny", &source.path().join("model"))]);
    let cache = tempfile::tempdir().unwrap();
    let variables = [
        ("HF_HUB_CACHE", cache.path().to_str().unwrap()),
        ("HF_ENDPOINT", hub.url()),
        ("HF_TOKEN", "secret"),
    ];
    let expected = inspect(source.path().join("model").to_str().unwrap(), &[]).ok();
    assert_eq!(inspect("hf:owner/tiny", &variables).ok(), expected);
    let asked = hub.requests();
    assert!(asked.iter().any(|line| line.contains("/owner/tiny/resolve/main/model-00001-of-")), "{asked:?}");
    assert!(asked.iter().all(|line| line.contains("Bearer secret")), "{asked:?}");
    let snapshot = cache.path().join("models--owner--tiny/snapshots").join(server::COMMIT);
    assert_eq!(names(&snapshot), files);

    // The second time there is nothing to ask, and a part that is lost is fetched alone.
    inspect("hf:owner/tiny", &variables).ok();
    assert_eq!(hub.requests().len(), asked.len());
    fs::remove_file(snapshot.join("model-00001-of-00002.safetensors")).unwrap();
    inspect("hf:owner/tiny", &variables).ok();
    let more = hub.requests().split_off(asked.len());
    assert!(more.iter().skip(1).all(|line| line.contains("model-00001-of-00002")), "{more:?}");
}

#[test]
fn a_vocabulary_is_downloaded_where_there_is_no_tokenizer_json() {
    let source = model();
    let folder = source.path().join("model");
    fs::remove_file(folder.join("tokenizer.json")).unwrap();
    fs::write(folder.join("tokenizer_config.json"), r#"{"tokenizer_class": "GPT2Tokenizer"}"#).unwrap();
    fs::write(folder.join("vocab.json"), r#"{"a": 0, "b": 1, "ab": 2}"#).unwrap();
    fs::write(folder.join("merges.txt"), "#version: 0.2\na b\n").unwrap();
    let expected = inspect(folder.to_str().unwrap(), &[]).ok();
    // With the end-of-text token of this class.
    assert!(expected.contains("4 tokens"), "{expected}");
    let hub = Hub::serve(&[("owner/tiny", &folder)]);
    let cache = tempfile::tempdir().unwrap();
    let variables = [("HF_HUB_CACHE", cache.path().to_str().unwrap()), ("HF_ENDPOINT", hub.url())];
    assert_eq!(inspect("hf:owner/tiny", &variables).ok(), expected);
    let asked = hub.requests().len();
    assert_eq!(inspect("hf:owner/tiny", &variables).ok(), expected);
    assert_eq!(hub.requests().len(), asked);
}

#[test]
fn a_repository_of_one_gguf_file_is_that_file() {
    let source = model();
    fs::remove_dir_all(source.path().join("model")).unwrap();
    let hub = Hub::serve(&[("owner/tiny", source.path())]);
    let cache = tempfile::tempdir().unwrap();
    let variables = [("HF_HUB_CACHE", cache.path().to_str().unwrap()), ("HF_ENDPOINT", hub.url())];
    let said = inspect("hf:owner/tiny", &variables).ok();
    assert_eq!(said, inspect(source.path().join("tiny.gguf").to_str().unwrap(), &[]).ok());
    inspect("hf:owner/tiny", &[variables[0], NOWHERE]).ok();

    fs::copy(source.path().join("tiny.gguf"), source.path().join("large.gguf")).unwrap();
    let hub = Hub::serve(&[("owner/tiny", source.path())]);
    let other = tempfile::tempdir().unwrap();
    let said = inspect(
        "hf:owner/tiny",
        &[("HF_HUB_CACHE", other.path().to_str().unwrap()), ("HF_ENDPOINT", hub.url())],
    )
    .failed(1);
    assert!(
        said.contains("several models (large.gguf, tiny.gguf); download one and give its path"),
        "{said}"
    );
}

#[test]
fn what_goes_wrong_is_told_with_a_remedy() {
    let source = tempfile::tempdir().unwrap();
    fs::write(source.path().join("README.md"), "nothing else").unwrap();
    let hub = Hub::serve(&[("owner/empty", source.path()), ("owner/private", Path::new("403"))]);
    let cache = tempfile::tempdir().unwrap();
    let variables = [("HF_HUB_CACHE", cache.path().to_str().unwrap()), ("HF_ENDPOINT", hub.url())];
    for (name, problem) in [
        ("hf:owner/missing", "has no such repository, revision or file; check the name"),
        (
            "hf:owner/private",
            "private or gated; check the name, accept its conditions on the web, and set HF_TOKEN",
        ),
        ("hf:owner/empty", "this repository has no weights in safetensors, PyTorch or GGUF files"),
        ("hf:a/b/c", "this is not the name of a repository; write hf:owner/name"),
    ] {
        let said = inspect(name, &variables).failed(1);
        assert!(said.contains(name) && said.contains(problem), "{said}");
    }
}

/// A download that is not what the hub announced is no part of the cache.
#[test]
fn a_damaged_download_is_removed() {
    let source = model();
    let folder = source.path().join("model");
    let hub = Hub::serve(&[("owner/tiny", &folder)]);
    let cache = tempfile::tempdir().unwrap();
    let variables = [("HF_HUB_CACHE", cache.path().to_str().unwrap()), ("HF_ENDPOINT", hub.url())];
    let file = "model-00002-of-00002.safetensors";
    let mut bytes = fs::read(folder.join(file)).unwrap();
    let expected = server::digest(&bytes);
    hub.damage(Some(file));
    let said = inspect("hf:owner/tiny", &variables).failed(1);
    *bytes.last_mut().unwrap() ^= 1;
    for part in [file, &expected, &server::digest(&bytes), &format!("({} bytes)", bytes.len())] {
        assert!(said.contains(part), "{said}");
    }
    let repository = cache.path().join("models--owner--tiny");
    assert!(!repository.join("blobs").join(&expected).exists());
    assert!(!names(&repository.join("snapshots").join(server::COMMIT)).contains(&file.to_string()));
    // It is fetched again.
    hub.damage(None);
    let expected = inspect(folder.to_str().unwrap(), &[]).ok();
    assert_eq!(inspect("hf:owner/tiny", &variables).ok(), expected);
}

#[test]
fn a_token_may_end_with_a_line_break_but_must_be_one_word() {
    let source = model();
    let hub = Hub::serve(&[("owner/tiny", &source.path().join("model"))]);
    let cache = tempfile::tempdir().unwrap();
    let with = |token| {
        let place = ("HF_HUB_CACHE", cache.path().to_str().unwrap());
        inspect("hf:owner/tiny", &[place, ("HF_ENDPOINT", hub.url()), ("HF_TOKEN", token)])
    };
    let said = with("secret\nother").failed(1);
    assert!(said.contains("HF_TOKEN is not a token: it holds a line break"), "{said}");
    assert_eq!(hub.requests(), Vec::<String>::new());
    with("secret\n").ok();
    assert!(hub.requests().iter().all(|line| line.ends_with("Bearer secret")), "{:?}", hub.requests());
}
