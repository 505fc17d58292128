//! Task files with the line ends of Windows.

use dph_data::{Document, Style, Task};

use crate::common::write;
use crate::judge::judge;

#[test]
fn templates_render_as_with_other_line_ends() {
    let source = "name = 't'\nkind = 'choice'\nsystem = '''\nOne.\nTwo.'''\nuser = \"\"\"\nQ: {{ q }}\n\nA:\"\"\"\ncandidates = ['a', 'b']\ngold = 'g'\n\
                  [plain]\ncontext = \"\"\"\n{{ q }}\nA:\"\"\"\n";
    let row = serde_json::from_str(r#"{"q": "Who?\r\nYou?", "g": 1}"#).unwrap();
    let document =
        |source: &str| -> Document { Task::parse(source, "t.toml").unwrap().document(&row).unwrap() };
    let windows = document(&source.replace('\n', "\r\n"));
    assert_eq!(windows, document(source));
    // The row keeps its own.
    assert_eq!(&*windows.prompt[1].content, "Q: Who?\r\nYou?\n\nA:");

    let folder = tempfile::tempdir().unwrap();
    let task = write(folder.path(), "t.toml", source.replace('\n', "\r\n"));
    let rows = write(folder.path(), "rows.jsonl", "{\"q\": \"Who?\", \"g\": 1}\r\n");
    judge(task.to_str().unwrap(), &rows, "train")
        .expect(&["system: One.\nTwo. | user: Q: Who?\n\nA: -> a / *b"], &[]);
    let task = Task::from_file(&task).unwrap();
    let options = dph_data::TaskLoadOptions { style: Style::Plain, ..Default::default() };
    let plain = dph_data::Documents::load(&task, &rows, "train", &options).unwrap();
    assert_eq!(plain.documents[0].plain.as_ref().unwrap().contexts, ["Who?\nA:"]);
}

#[test]
fn mistakes_are_in_the_right_line() {
    let source = "name = 't'\r\nkind = 'preference'\r\nsystem = \"\"\"a\r\nb\"\"\"\r\ngold = 'g'\r\n";
    let error = Task::parse(source, "t.toml").unwrap_err().to_string();
    assert!(error.starts_with("t.toml:5: `gold` has no meaning in a task of kind `preference`"), "{error}");
}
