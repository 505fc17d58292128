//! [`device`]: where tests compute.

use burn::tensor::Device;

/// The device that golden vectors are tried on: the one named by `DPH_TEST_DEVICE`, without it `flex`.
pub fn device() -> Device {
    let name = std::env::var("DPH_TEST_DEVICE").unwrap_or_else(|_| "flex".into());
    crate::device::device(&name).unwrap_or_else(|error| panic!("DPH_TEST_DEVICE: {error}"))
}
