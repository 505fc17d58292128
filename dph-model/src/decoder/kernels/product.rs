//! Products of states with a matrix.

use burn::tensor::{Device, Tensor};

/// `states · matrix`, or `None` if no kernel applies.
pub(crate) fn product(states: &Tensor<2>, matrix: &Tensor<2>) -> Option<Tensor<2>> {
    let kernels: &[fn(&Tensor<2>, &Tensor<2>) -> Option<Tensor<2>>] = &[
        #[cfg(feature = "flex")]
        super::flex::product,
        #[cfg(feature = "tch")]
        super::libtorch::product,
    ];
    kernels.iter().find_map(|kernel| kernel(states, matrix))
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
