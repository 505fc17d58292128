//! The flag that says where the data sets are.

use std::path::PathBuf;

use clap::Args;

/// Where the data sets are.
#[derive(Debug, Args)]
pub(crate) struct Data {
    /// Root of the data sets, or one file of rows
    #[arg(long = "data", value_name = "DIR", env = "DPH_DATA", default_value = "data")]
    pub root: PathBuf,
}
