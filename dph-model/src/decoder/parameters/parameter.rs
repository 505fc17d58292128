//! [`Parameter`]: a decoder's parameter of any rank.

use burn::module::{Param, ParamId};
use burn::tensor::{Tensor, TensorData};

/// A parameter of a [`Decoder`](crate::decoder::Decoder).
#[derive(Debug, Clone, Copy)]
pub enum Parameter<'a> {
    /// A bias or the scale of a norm.
    Rank1(&'a Param<Tensor<1>>),
    /// An embedding, or the scales of heads.
    Rank2(&'a Param<Tensor<2>>),
    /// Registers.
    Rank3(&'a Param<Tensor<3>>),
    /// The weight of a linear layer, which burn stores as `[inputs, outputs]`.
    Matrix(&'a Param<Tensor<2>>),
}

impl Parameter<'_> {
    /// Its id in burn.
    pub fn id(self) -> ParamId {
        match self {
            Self::Rank1(param) => param.id,
            Self::Rank2(param) | Self::Matrix(param) => param.id,
            Self::Rank3(param) => param.id,
        }
    }

    /// Its values in the layout of files, as f32, with the shape of
    /// [`DecoderConfig::shape`](crate::decoder::DecoderConfig::shape).
    pub fn data(self) -> TensorData {
        let data = match self {
            Self::Rank1(param) => param.val().into_data(),
            Self::Rank2(param) => param.val().into_data(),
            Self::Rank3(param) => param.val().into_data(),
            Self::Matrix(param) => param.val().transpose().into_data(),
        };
        data.convert::<f32>()
    }
}
