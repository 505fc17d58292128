//! Names of files of an export and of a run.

/// File name of the reference to the backbone in an export.
pub const BACKBONE_FILE: &str = "backbone.json";

/// File name of the manifest of a run or a sweep.
pub const MANIFEST_FILE: &str = "manifest.json";
