//! Parameters of a head: their initial values, and their names in files.

mod init;
mod slot;

pub use init::WeightInit;
pub(crate) use slot::{Slot, Slots};
