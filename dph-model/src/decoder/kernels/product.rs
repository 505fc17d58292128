//! Products of states with a matrix.

use burn::tensor::{Device, Tensor};

/// `states · matrix`, or `None` if no kernel applies.
pub(crate) fn product(states: &Tensor<2>, matrix: &Tensor<2>) -> Option<Tensor<2>> {
    #[cfg(feature = "tch")]
    return super::libtorch::product(states, matrix);
    #[cfg(not(feature = "tch"))]
    {
        let _ = (states, matrix);
        None
    }
}

/// Whether [`product`] needs transposed matrices on this device.
pub(crate) fn wants_transposed(device: &Device) -> bool {
    #[cfg(feature = "tch")]
    return super::libtorch::wants_transposed(device);
    #[cfg(not(feature = "tch"))]
    {
        let _ = device;
        false
    }
}
