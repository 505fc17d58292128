//! The files of a run directory.
#![allow(clippy::unwrap_used)]

mod support;

use support::{small, succeed};

#[test]
fn a_run_writes_metrics_reports_and_chat_format() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    succeed(&mut small(&run, &["--set", "model.chat=chatml"]));
    for stage in ["sft", "dph"] {
        let chat = std::fs::read_to_string(run.join(stage).join("chat.json")).unwrap();
        assert_eq!(chat.trim(), r#"{"format":"chatml"}"#, "{stage}");
    }
    let page = std::fs::read_to_string(run.join("report.html")).unwrap();
    for part in [">reward:preference</th>", "<h3>Stage pretrain</h3>", "<h3>Stage dph</h3>", "<svg"] {
        assert!(page.contains(part), "{part} is not in the page");
    }
    let events = std::fs::read(run.join("events.out.tfevents.0.dph")).unwrap();
    for tag in ["sft/train/loss", "dph/valid/dph/accuracy"] {
        assert!(events.windows(tag.len()).any(|bytes| bytes == tag.as_bytes()), "{tag}");
    }
    assert!(!run.join("report.md.partial").exists());
}
