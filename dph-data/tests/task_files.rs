//! What a task file may say, and what is said about one that is wrong.
#![allow(clippy::unwrap_used)]

use dph_data::{DefinitionError, Kind, Message, Task};
use miette::{GraphicalReportHandler, GraphicalTheme};
use serde_json::Value;

/// One mistake each; the snapshot shows what a person reads.
const MISTAKES: [(&str, &str); 42] = [
    ("a misspelt key", "name = 'x'\nkind = 'choice'\nuser = 'u'\ncandidate = 'a'\ngold = 'g'\n"),
    ("an unknown key", "name = 'x'\nkind = 'text'\ntext = 't'\nzebra = 1\n"),
    ("an unknown kind", "name = 'x'\nkind = 'chioce'\n"),
    ("no name", "kind = 'text'\ntext = 't'\n"),
    ("a wrong type", "name = 'x'\nkind = 'choice'\nuser = 3\n"),
    ("a list of numbers", "name = 'x'\nkind = 'choice'\nuser = 'u'\ncandidates = [1, 2]\ngold = 'g'\n"),
    ("no TOML", "name = 'x'\nkind = \n"),
    ("a key twice", "name = 'x'\nname = 'y'\n"),
    ("missing keys", "name = 'x'\nkind = 'choice'\n"),
    ("a key of another kind", "name = 'x'\nkind = 'preference'\ngold = 'g'\n"),
    ("a template that does not end", "name = 'x'\nkind = 'text'\ntext = 'a {{ b'\n"),
    ("a second line with a mistake", "name = 'x'\nkind = 'text'\ntext = \"\"\"a\n{% if %}\"\"\"\n"),
    ("no expression", "name = 'x'\nkind = 'choice'\nuser = 'u'\ncandidates = 'a b'\ngold = 'g'\n"),
    ("an unknown metric", "name = 'x'\nkind = 'preference'\nmetric = 'acuracy'\n"),
    ("pairs of the synthetic world", "name = 'x'\nkind = 'preference'\nsource = 'synthetic'\n"),
    ("a name that is a path", "name = '../x'\nkind = 'text'\ntext = 't'\n"),
    (
        "several metrics",
        "name = 'x'\nkind = 'preference'\nmetric = ['accuracy', 'f2', 'accuracy', 'matthews']\n",
    ),
    ("metrics that are numbers", "name = 'x'\nkind = 'preference'\nmetric = [1]\n"),
    (
        "a correlation with nothing",
        "name = 'x'\nkind = 'choice'\nuser = 'u'\ncandidates = 'a'\ngold = 'g'\nmetric = 'spearman'\n",
    ),
    ("a metric of nothing", "name = 'x'\nkind = 'text'\ntext = 't'\nmetric = 'accuracy'\n"),
    (
        "rows that are no expression",
        "name = 'x'\nkind = 'text'\ntext = 't'\nrows = ['a', 'b c']\nkeep = 'd e'\n",
    ),
    ("an answer in a pair", "name = 'x'\nkind = 'preference'\nanswer = 'a'\n"),
    ("a pair with a score", "name = 'x'\nkind = 'preference'\nscore = 's'\nchosen = 'c'\n"),
    ("two kinds of targets", "name = 'x'\nkind = 'instruction'\nuser = 'u'\ntarget = 't'\ntargets = 'ts'\n"),
    ("turns with targets", "name = 'x'\nkind = 'instruction'\nuser = 'u'\nturns = 't'\ntargets = 'ts'\n"),
    (
        "messages and more",
        "name = 'x'\nkind = 'instruction'\nmessages = 'm'\nturns = 't'\ndistractors = 'd'\n",
    ),
    ("two prompts", "name = 'x'\nkind = 'preference'\nuser = 'u'\nprompt = 'p'\n"),
    ("plain wording of a text", "name = 'x'\nkind = 'text'\ntext = 't'\n[plain]\ncontext = 'c'\n"),
    (
        "a misspelt key of plain",
        "name = 'x'\nkind = 'choice'\nuser = 'u'\ncandidates = 'a'\ngold = 'g'\n[plain]\ncontest = 'c'\n",
    ),
    (
        "plain without a context",
        "name = 'x'\nkind = 'choice'\nuser = 'u'\ncandidates = 'a'\ngold = 'g'\n[plain]\nanswer = 'a'\n",
    ),
    (
        "contexts and candidates",
        "name = 'x'\nkind = 'choice'\nuser = 'u'\ncandidates = 'a'\ngold = 'g'\n[plain]\ncontexts = 'c'\ncontinuation = 't'\nanswer = 'a'\n",
    ),
    (
        "contexts without a continuation",
        "name = 'x'\nkind = 'choice'\nuser = 'u'\ncandidates = 'a'\ngold = 'g'\n[plain]\ncontexts = 'c'\n",
    ),
    (
        "mistakes in and outside of plain",
        "name = 'x'\nkind = 'choice'\nuser = 'u'\ncandidates = 'a b'\ngold = 'g h'\n[plain]\ncontext = '{{ c'\njoin = 'd e'\n",
    ),
    (
        "a misspelt key of classify",
        "name = 'x'\nkind = 'choice'\nuser = 'u'\ncandidates = 'a'\ngold = 'g'\n[classify]\nfrist = 'a'\nlabels = ['b', 'c']\n",
    ),
    (
        "classify without labels",
        "name = 'x'\nkind = 'choice'\nuser = 'u'\ncandidates = 'a'\ngold = 'g'\n[classify]\nfirst = 'a'\n",
    ),
    (
        "labels and a number",
        "name = 'x'\nkind = 'choice'\nuser = 'u'\ncandidates = 'a'\ngold = 'g'\n[classify]\nfirst = 'a b'\nlabels = ['b', 'c']\nnumber = 'n'\n",
    ),
    (
        "one label twice, and no others",
        "name = 'x'\nkind = 'choice'\nuser = 'u'\ncandidates = 'a'\ngold = 'g'\n[classify]\nfirst = 'a'\nsecond = 'b c'\nlabels = ['b', 'b']\n",
    ),
    (
        "labels for other candidates",
        "name = 'x'\nkind = 'choice'\nuser = 'u'\ncandidates = ['a', 'b']\ngold = 'g'\n[classify]\nfirst = 'a'\nlabels = ['b', 'c', 'd']\n",
    ),
    ("a misspelt key of hub", "name = 'x'\nkind = 'text'\ntext = 't'\n[hub]\nrepo = 'a/b'\n"),
    (
        "no repository, and no split",
        "name = 'x'\nkind = 'text'\ntext = 't'\n[hub]\nrepository = 'hf:a/b'\nsplits = []\n",
    ),
    (
        "files beside a configuration",
        "name = 'x'\nkind = 'text'\ntext = 't'\n[hub]\nrepository = 'a/b'\nconfiguration = 'c'\nfiles = { train = 't.csv' }\n",
    ),
    (
        "files of a repository",
        "name = 'x'\nkind = 'text'\ntext = 't'\n[hub]\nrepository = 'a/b'\nfiles = { a = [], b = '../b.csv', c = ['c.csv', 'd.json'], d = 'd' }\n",
    ),
];

#[test]
fn mistakes_are_pointed_at() {
    let mut report = String::new();
    let handler = GraphicalReportHandler::new_themed(GraphicalTheme::none());
    for (what, source) in MISTAKES {
        let error = Task::parse(source, "x.toml").unwrap_err();
        report += &format!("=== {what}\n");
        handler.render_report(&mut report, &error).unwrap();
    }
    insta::assert_snapshot!(report);
}

#[test]
fn all_mistakes_are_told_at_once_in_their_order() {
    let source = "nme = 'x'\nname = 'x'\nkind = 'choice'\nuser = '{{ a'\ncandidates = 'a b'\ngoal = 'g'\nsplits = {}\n";
    let Err(DefinitionError::Invalid(invalid)) = Task::parse(source, "x.toml") else { panic!("it is valid") };
    let lines: Vec<_> = invalid.problems.iter().map(|problem| problem.line).collect();
    assert_eq!(lines, [1, 3, 4, 5, 6]);
    for problem in &invalid.problems {
        assert_eq!(source[..problem.span.start].matches('\n').count() + 1, problem.line);
    }
    insta::assert_snapshot!(invalid.to_string());
}

#[test]
fn tasks_that_are_not_there() {
    let message = |name: &str| Task::find(name).unwrap_err().to_string();
    assert_eq!(message("helaswag"), "there is no task `helaswag`; did you mean `hellaswag`?");
    assert_eq!(
        message("zzzz"),
        "there is no task `zzzz`; `dph-data list` shows the embedded tasks; name your own by its path, which ends in .toml"
    );
    assert!(message("no/such.toml").starts_with("cannot read the task file no/such.toml: "));
}

#[test]
fn every_embedded_task_is_valid_and_goes_by_its_name() {
    for name in Task::names() {
        let task = Task::find(name).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(task.name, name);
        assert!(!task.about.is_empty());
        assert_eq!(!task.metrics.is_empty(), task.kind != Kind::Instruction);
    }
}

/// The five-minute task of the documentation.
#[test]
fn the_smallest_task() {
    let task = "name = 'trivia'\nkind = 'choice'\nuser = 'Question: {{ question }}'\ncandidates = 'options'\ngold = 'answer'";
    let task = Task::parse(task, "trivia.toml").unwrap();
    let row = serde_json::from_str(r#"{"question": "2 + 2?", "options": ["3", 4], "answer": 1}"#).unwrap();
    let document = task.document(&row).unwrap();
    assert_eq!(document.prompt, [Message::user("Question: 2 + 2?")]);
    assert_eq!(document.candidates, ["3", "4"]);
    assert_eq!(document.gold, Some(1));
}

#[test]
fn newlines_in_templates_are_kept_as_written() {
    let task =
        Task::parse("name = 't'\nkind = 'text'\ntext = \"\"\"\n  {{ a }}\n\n\"\"\"", "t.toml").unwrap();
    let row = serde_json::from_str(r#"{"a": "<&'\">\n"}"#).unwrap();
    assert_eq!(task.document(&row).unwrap().candidates, ["  <&'\">\n\n\n"]);
}

/// A row would meet them late, or not at all where they stand in a branch.
#[test]
fn filters_tests_and_functions_that_do_not_exist() {
    let task = "name = 't'\nkind = 'choice'\nuser = '{{ q }}'\ncandidates = 'o'\ngold = 'g'\n";
    for (from, to, says) in [
        ("{{ q }}", "{{ q | foo }}", "t.toml:3: `user` uses the filter `foo`, which is not known"),
        ("{{ q }}", "{% if q is foo %}a{% endif %}{{ q }}", "t.toml:3: `user` uses the test `foo`"),
        ("{{ q }}", "{{ q if q else foo(q) }}", "t.toml:3: `user` uses the function `foo`"),
        ("'o'", "'o | map(\"foo\")'", "t.toml:4: `candidates` uses the filter `foo`"),
        ("'o'", "['{{ a | foo }}', '{{ b }}']", "t.toml:4: `candidates` uses the filter `foo`"),
        ("'g'", "'g'\nkeep = 'a if b else (c|foo)'", "t.toml:6: `keep` uses the filter `foo`"),
        ("'g'", "'g'\nid = 'a is not foo'", "t.toml:6: `id` uses the test `foo`"),
        ("'g'", "'g'\n[plain]\ncontext = '{{ a | foo }}'", "t.toml:7: `context` uses the filter `foo`"),
    ] {
        assert!(Task::parse(task, "t.toml").is_ok());
        let error = Task::parse(&task.replace(from, to), "t.toml").unwrap_err().to_string();
        assert!(error.contains(says), "{says}: {error}");
    }
    let known = "{{ q.split('|foo')[0] | regex_replace('a | b', 'c') | trim }}{# | foo #}{% for x in range(2) if x is odd %}{% endfor %}";
    Task::parse(&task.replace("'{{ q }}'", &format!("'''{known}'''")), "t.toml").unwrap();
}

#[test]
fn a_template_that_fails_names_itself_and_the_mistake() {
    let problem = |text: &str| {
        let task = Task::parse(&format!("name = 't'\nkind = 'text'\ntext = '{text}'"), "t.toml").unwrap();
        let row = serde_json::from_str(r#"{"a": "x", "b": {"c": "y"}, "d": null}"#).unwrap();
        let problem = task.document(&row).unwrap_err();
        format!("{}: {problem}", problem.reason)
    };
    assert_eq!(problem("{{ a.shout() }}"), "template: `text`: string has no method named shout");
    assert_eq!(
        problem("{{ a }} {{ z }}"),
        "missing-field: the row has no field `z` (for `text`); there is `a`, `b`, `d`"
    );
    assert_eq!(
        problem("{{ b.z }} {{ b.c }}"),
        "missing-field: the row has no field `b.z` (for `text`); `b` has `c`"
    );
    assert_eq!(
        problem("{{ b }}"),
        "wrong-type: `text`: text is needed here, but the value is an object (the field `b`)"
    );
    assert_eq!(
        problem("{{ d }}"),
        "wrong-type: `text`: text is needed here, but the value is null (the field `d`)"
    );
}

/// The tables of keys in the guide are made from the schema; `UPDATE_GUIDE=1` writes them anew.
#[test]
fn the_guide_documents_every_key() {
    let schema = Task::schema();
    let cells = |key: &str, property: &Value| {
        let value = property["x-value"].as_str().unwrap_or_else(|| panic!("{key} has no `x-value`"));
        let meaning =
            property["description"].as_str().unwrap_or_else(|| panic!("{key} has no documentation"));
        let meaning = meaning.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|");
        format!("{value} | {meaning} |\n")
    };
    let mut table = "| key | for | is | meaning |\n|---|---|---|---|\n".to_owned();
    for (key, property) in schema["properties"].as_object().unwrap() {
        let kinds: Vec<&str> =
            property["x-kinds"].as_array().into_iter().flatten().map(|kind| kind.as_str().unwrap()).collect();
        let kinds = if kinds.is_empty() { "all".to_owned() } else { kinds.join(", ") };
        table += &format!("| `{key}` | {kinds} | {}", cells(key, property));
    }
    let mut plain = "| key of `[plain]` | is | meaning |\n|---|---|---|\n".to_owned();
    for (key, property) in schema["$defs"]["PlainFile"]["properties"].as_object().unwrap() {
        plain += &format!("| `{key}` | {}", cells(key, property));
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/TASKS.md");
    let mut guide = std::fs::read_to_string(path).unwrap();
    let mut hub = "| key of `[hub]` | is | meaning |\n|---|---|---|\n".to_owned();
    for (key, property) in schema["$defs"]["HubFile"]["properties"].as_object().unwrap() {
        hub += &format!("| `{key}` | {}", cells(key, property));
    }
    let mut classify = "| key of `[classify]` | is | meaning |\n|---|---|---|\n".to_owned();
    for (key, property) in schema["$defs"]["ClassifyFile"]["properties"].as_object().unwrap() {
        classify += &format!("| `{key}` | {}", cells(key, property));
    }
    for table in [table, plain, classify, hub] {
        let start = guide.find(table.split(" is ").next().unwrap()).unwrap();
        let length = guide[start..].find("\n\n").unwrap() + 1;
        if std::env::var_os("UPDATE_GUIDE").is_some() {
            guide.replace_range(start..start + length, &table);
            std::fs::write(path, &guide).unwrap();
        } else {
            assert_eq!(&guide[start..start + length], table, "run this test with UPDATE_GUIDE=1");
        }
    }
}

#[test]
fn every_key_of_the_embedded_tasks_is_in_the_schema_for_their_kind() {
    let schema = Task::schema();
    for name in Task::names() {
        let task: toml::Table = Task::embedded_source(name).unwrap().parse().unwrap();
        for key in task.keys() {
            let property = &schema["properties"][key];
            assert!(property.is_object(), "{name}: {key}");
            let kinds = property["x-kinds"].as_array();
            let kind = task["kind"].as_str().unwrap();
            assert!(kinds.is_none_or(|kinds| kinds.iter().any(|known| known == kind)), "{name}: {key}");
        }
    }
}
