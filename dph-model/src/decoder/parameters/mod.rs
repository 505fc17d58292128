//! The parameters of a decoder: their keys, their values, and how a decoder is assembled from them.

mod assembly;
mod param_key;
mod parameter;
mod random;
mod transpose;

pub use param_key::{BlockParamKey, ParamKey, Part};
pub use parameter::Parameter;
pub(crate) use random::random_decoder;
pub(crate) use transpose::transpose;
