//! The event file for TensorBoard with the metrics of a run.
//!
//! The file has the same content as `metrics.jsonl`. It is rebuilt from it at the beginning of a stage, so that a resumed run
//! has no duplicate steps. After that, new metrics are appended.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use prost::Message;
use serde_json::Value;

use crate::error::TrainError;

/// The name of the file. TensorBoard looks for `tfevents` in the name.
const NAME: &str = "events.out.tfevents.0.dph";

/// An open event file.
pub(crate) struct EventFile {
    file: File,
}

impl EventFile {
    /// Creates the event file next to the metrics file, with all metrics in that file.
    pub fn create(metrics: &Path) -> Result<Self, TrainError> {
        let path = metrics.with_file_name(NAME);
        let error = |source| TrainError::io(&path, source);
        let lines = match fs::read_to_string(metrics) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(source) => return Err(TrainError::io(metrics, source)),
        };
        let partial = path.with_extension("partial");
        let mut this = Self { file: File::create(&partial).map_err(error)? };
        this.write(&Event { file_version: Some("brain.Event:2".into()), ..Event::now() }).map_err(error)?;
        for line in lines.lines().filter_map(|line| serde_json::from_str(line).ok()) {
            this.append(&line).map_err(error)?;
        }
        fs::rename(&partial, &path).map_err(error)?;
        Ok(this)
    }

    /// Appends a line of the metrics file. Every number becomes a scalar named `<stage>/<split>/<name>`.
    pub fn append(&mut self, line: &Value) -> io::Result<()> {
        let (Some(keys), Some(stage), Some(split)) =
            (line.as_object(), line["stage"].as_str(), line["split"].as_str())
        else {
            return Ok(());
        };
        let values = keys.iter().filter(|(name, _)| *name != "step").filter_map(|(name, value)| {
            let value = value.as_f64()? as f32;
            Some(Scalar { tag: format!("{stage}/{split}/{name}"), simple_value: Some(value) })
        });
        let summary = Some(Summary { values: values.collect() });
        self.write(&Event { step: line["step"].as_i64().unwrap_or(0), summary, ..Event::now() })
    }

    /// Writes a TFRecord: the length, its checksum, the bytes, their checksum.
    fn write(&mut self, event: &Event) -> io::Result<()> {
        let bytes = event.encode_to_vec();
        let length = (bytes.len() as u64).to_le_bytes();
        let record = [&length[..], &checksum(&length), &bytes, &checksum(&bytes)].concat();
        self.file.write_all(&record)
    }
}

/// The masked CRC-32C of the TFRecord format.
fn checksum(bytes: &[u8]) -> [u8; 4] {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes()
}

/// The required parts of TensorFlow's `event.proto` and `summary.proto`.
#[derive(Clone, PartialEq, Message)]
struct Event {
    #[prost(double, tag = "1")]
    wall_time: f64,
    #[prost(int64, tag = "2")]
    step: i64,
    #[prost(string, optional, tag = "3")]
    file_version: Option<String>,
    #[prost(message, optional, tag = "5")]
    summary: Option<Summary>,
}

#[derive(Clone, PartialEq, Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    values: Vec<Scalar>,
}

#[derive(Clone, PartialEq, Message)]
struct Scalar {
    #[prost(string, tag = "1")]
    tag: String,
    #[prost(float, optional, tag = "2")]
    simple_value: Option<f32>,
}

impl Event {
    fn now() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { wall_time: now.as_secs_f64(), ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads the events of a file and verifies their checksums.
    fn read(bytes: &[u8]) -> Vec<Event> {
        let mut rest = bytes;
        let mut events = Vec::new();
        while !rest.is_empty() {
            let length = u64::from_le_bytes(rest[..8].try_into().unwrap()) as usize;
            assert_eq!(rest[8..12], checksum(&rest[..8]));
            assert_eq!(rest[12 + length..16 + length], checksum(&rest[12..12 + length]));
            events.push(Event::decode(&rest[12..12 + length]).unwrap());
            rest = &rest[16 + length..];
        }
        events
    }

    #[test]
    fn a_known_checksum() {
        // TensorFlow writes this checksum for the length 24 of its first record.
        assert_eq!(checksum(&24u64.to_le_bytes()), [0xa3, 0x7f, 0x4b, 0x22]);
    }

    #[test]
    fn the_file_contains_earlier_metrics_and_is_appended_to() {
        let dir = tempfile::tempdir().unwrap();
        let metrics = dir.path().join("metrics.jsonl");
        let line =
            |step: i64| serde_json::json!({"stage": "dph", "step": step, "split": "train", "loss": 0.5});
        std::fs::write(&metrics, format!("{}\n", line(1))).unwrap();
        // An existing file is replaced.
        std::fs::write(dir.path().join(NAME), "rubbish").unwrap();
        let mut events = EventFile::create(&metrics).unwrap();
        events.append(&line(2)).unwrap();
        let events = read(&std::fs::read(dir.path().join(NAME)).unwrap());
        assert_eq!(events[0].file_version.as_deref(), Some("brain.Event:2"));
        for (event, step) in events[1..].iter().zip([1, 2]) {
            assert_eq!(event.step, step);
            let scalar = Scalar { tag: "dph/train/loss".into(), simple_value: Some(0.5) };
            assert_eq!(event.summary, Some(Summary { values: vec![scalar] }));
        }
        assert_eq!(events.len(), 3);
    }
}
