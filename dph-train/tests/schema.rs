//! The JSON schema of experiment files.
#![allow(clippy::unwrap_used)]

use std::process::Command;

use serde_json::Value;

#[test]
fn every_key_is_in_the_schema_with_documentation() {
    let output = Command::new(env!("CARGO_BIN_EXE_dph-train"))
        .arg("--schema")
        .env("DPH_DATA", "data")
        .output()
        .unwrap();
    assert!(output.status.success());
    // It is printed alone.
    let more =
        Command::new(env!("CARGO_BIN_EXE_dph-train")).args(["--schema", "--dry-run"]).output().unwrap();
    assert_eq!(more.status.code(), Some(2), "{more:?}");
    let schema: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut keys = 0;
    for (name, table) in
        schema["$defs"].as_object().unwrap().iter().chain([(&"Experiment".to_string(), &schema)])
    {
        for (key, property) in table["properties"].as_object().into_iter().flatten() {
            let described = property["description"].as_str().is_some_and(|text| text.ends_with('.'));
            assert!(described, "{name}.{key} has no documentation: {property}");
            keys += 1;
        }
    }
    assert!(keys > 80, "{keys}");

    // Every key of an experiment is in the schema.
    let text =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../experiments/quickstart.toml"));
    let experiment = dph_train::ExperimentFile::read(
        concat!(env!("CARGO_MANIFEST_DIR"), "/../experiments/quickstart.toml").as_ref(),
        &[],
    )
    .unwrap()
    .experiment;
    assert!(text.unwrap().contains("[[stage]]"));
    let resolved = serde_json::to_value(&experiment).unwrap();
    check(&schema, &schema, &resolved, "experiment");
}

/// Checks that the schema contains the keys of a table.
fn check(root: &Value, schema: &Value, value: &Value, place: &str) {
    let schema = target(root, schema);
    match value {
        Value::Object(table) => {
            // A table with arbitrary keys, such as a mixture.
            let Some(properties) = schema["properties"].as_object() else { return };
            for (key, value) in table {
                let property =
                    properties.get(key).unwrap_or_else(|| panic!("{place}.{key} is not in the schema"));
                check(root, property, value, &format!("{place}.{key}"));
            }
        }
        Value::Array(items) => items.iter().for_each(|item| check(root, &schema["items"], item, place)),
        _ => {}
    }
}

/// Resolves a reference or an optional value.
fn target<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    if let Some(name) = schema["$ref"].as_str() {
        return target(root, &root["$defs"][name.rsplit('/').next().unwrap()]);
    }
    match schema["anyOf"].as_array() {
        Some(choices) => target(root, &choices[0]),
        None => schema,
    }
}
