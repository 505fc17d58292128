//! [`Precision`]: in which type weights are written, and computed with.

use std::str::FromStr;

use burn::tensor::{Device, DeviceError, FloatDType};

use super::CheckpointError;

/// A type of weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Precision {
    /// 32 bits.
    #[default]
    F32,
    /// 16 bits, 5 of them exponent: at most 65504.
    F16,
    /// 16 bits, 8 of them exponent.
    Bf16,
}

impl Precision {
    /// Bytes of a number.
    pub fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
        }
    }

    /// Makes a device compute in it. Of f32 nothing is asked.
    pub(super) fn configure(self, device: &Device) -> Result<(), CheckpointError> {
        let failed = |problem: &str| {
            Err(CheckpointError::Precision { precision: self.torch_name(), problem: problem.into() })
        };
        match self {
            Self::F32 => Ok(()),
            Self::F16 => {
                failed("the squares in its norms are beyond what f16 holds (65504); use bfloat16 or float32")
            }
            Self::Bf16 if device.settings().float_dtype == FloatDType::BF16 => Ok(()),
            Self::Bf16 => match device.clone().configure(FloatDType::BF16) {
                Ok(()) => Ok(()),
                Err(DeviceError::AlreadyInitialized { .. }) => failed(
                    "this device has computed in another precision already, and a program fixes that once; \
                     load this model before anything else is done on the device",
                ),
                Err(error) => failed(&error.to_string()),
            },
        }
    }

    /// What PyTorch calls it.
    pub fn torch_name(self) -> &'static str {
        match self {
            Self::F32 => "float32",
            Self::F16 => "float16",
            Self::Bf16 => "bfloat16",
        }
    }
}

impl FromStr for Precision {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "f32" | "float32" => Ok(Self::F32),
            "f16" | "float16" => Ok(Self::F16),
            "bf16" | "bfloat16" => Ok(Self::Bf16),
            _ => Err("a type of weights is f32, f16 or bf16".into()),
        }
    }
}
