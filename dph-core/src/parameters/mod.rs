//! Parameters of a head: their initial values, and their names in files.

mod init;
mod named_param;

pub use init::WeightInit;
pub(crate) use named_param::{NamedParam, NamedParams};
