//! Devices by their names in configuration files.

use burn::tensor::Device;

/// An unknown device name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// The name belongs to no backend of this build.
    #[error(
        "unknown device `{name}`: this build knows {}{}", known.join(", "),
        feature.map(|f| format!("; build with `--features {f}` for that one")).unwrap_or_default()
    )]
    Unknown {
        /// The name as given.
        name: String,
        /// What this build accepts.
        known: Vec<&'static str>,
        /// The Cargo feature that adds the device, if there is one.
        feature: Option<&'static str>,
    },
    /// The part after the colon is not a device number.
    #[error("device `{name}`: `{index}` is not a device number")]
    Index {
        /// The name as given.
        name: String,
        /// The part that should be a number.
        index: String,
    },
    /// The machine does not have the device.
    #[error(
        "device `{name}`: libtorch finds {}; use another device, or a libtorch for CUDA with its driver",
        match found { 0 => "no CUDA device".into(), n => format!("CUDA devices up to number {}", n - 1) }
    )]
    Absent {
        /// The name as given.
        name: String,
        /// Number of devices of this kind.
        found: usize,
    },
}

/// The names that this build accepts for [`device`]; `N` stands for a device number.
pub fn known_devices() -> Vec<&'static str> {
    let mut known = Vec::new();
    if cfg!(feature = "flex") {
        known.push("flex");
    }
    if cfg!(feature = "tch") {
        known.extend(["libtorch", "libtorch:cuda:N"]);
    }
    if cfg!(feature = "wgpu") {
        known.extend(["wgpu", "wgpu:N"]);
    }
    if cfg!(feature = "vulkan") {
        known.extend(["vulkan", "vulkan:N"]);
    }
    if cfg!(feature = "cuda") {
        known.extend(["cuda", "cuda:N"]);
    }
    known
}

/// The device with a given name: `flex`, `libtorch`, `libtorch:cuda:0`, `wgpu`, `wgpu:1`, `vulkan` or `cuda:0`, if
/// the backend is compiled in.
///
/// ```
/// # if cfg!(feature = "flex") {
/// let device = dph_core::device("flex")?;
/// # }
/// let error = dph_core::device("gpu").unwrap_err();
/// assert!(error.to_string().starts_with("unknown device `gpu`: this build knows"));
/// # Ok::<(), dph_core::DeviceError>(())
/// ```
// burn deprecates its libtorch backend after 0.22, the version that this workspace stays with.
#[cfg_attr(feature = "tch", allow(deprecated))]
pub fn device(name: &str) -> Result<Device, DeviceError> {
    let (backend, index) = match name {
        "libtorch:cuda" => ("libtorch:cuda", None),
        name => match name.rsplit_once(':') {
            Some((backend, index)) => (backend, Some(index)),
            None => (name, None),
        },
    };
    let index = index
        .map(|index| {
            index.parse::<usize>().map_err(|_| DeviceError::Index { name: name.into(), index: index.into() })
        })
        .transpose()?;
    match (backend, index) {
        #[cfg(feature = "flex")]
        ("flex", None) => Ok(Device::flex()),
        #[cfg(feature = "tch")]
        ("libtorch", None) => Ok(Device::libtorch()),
        #[cfg(feature = "tch")]
        ("libtorch:cuda", index) => {
            let (index, found) =
                (index.unwrap_or(0), usize::try_from(tch::Cuda::device_count()).unwrap_or(0));
            match index < found {
                true => Ok(Device::libtorch_cuda(index)),
                false => Err(DeviceError::Absent { name: name.into(), found }),
            }
        }
        #[cfg(feature = "wgpu")]
        ("wgpu", index) => Ok(Device::wgpu(gpu(index))),
        #[cfg(feature = "vulkan")]
        ("vulkan", index) => Ok(Device::vulkan(gpu(index))),
        #[cfg(feature = "cuda")]
        ("cuda", index) => Ok(Device::cuda(index.unwrap_or(0))),
        _ => Err(DeviceError::Unknown {
            name: name.into(),
            known: known_devices(),
            feature: missing_feature(backend),
        }),
    }
}

#[cfg(any(feature = "wgpu", feature = "vulkan"))]
fn gpu(index: Option<usize>) -> burn::tensor::DeviceKind {
    index.map_or(burn::tensor::DeviceKind::DefaultDevice, burn::tensor::DeviceKind::DiscreteGpu)
}

fn missing_feature(backend: &str) -> Option<&'static str> {
    [
        ("flex", "flex", cfg!(feature = "flex")),
        ("libtorch", "tch", cfg!(feature = "tch")),
        ("libtorch:cuda", "tch", cfg!(feature = "tch")),
        ("wgpu", "wgpu", cfg!(feature = "wgpu")),
        ("vulkan", "vulkan", cfg!(feature = "vulkan")),
        ("cuda", "cuda", cfg!(feature = "cuda")),
    ]
    .into_iter()
    .find_map(|(name, feature, compiled_in)| (name == backend && !compiled_in).then_some(feature))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_name_lists_the_known_ones() {
        let error = device("gpu0").unwrap_err().to_string();
        assert!(error.starts_with("unknown device `gpu0`: this build knows"), "{error}");
        for name in known_devices() {
            assert!(error.contains(name), "{error}");
        }
    }

    #[test]
    #[cfg(not(feature = "cuda"))]
    fn a_backend_that_is_not_compiled_in_names_its_feature() {
        let error = device("cuda:0").unwrap_err().to_string();
        assert!(error.ends_with("build with `--features cuda` for that one"), "{error}");
    }

    /// The name says `kernels` so that the gate runs it with this backend.
    #[test]
    #[cfg(feature = "tch")]
    fn kernels_need_a_device_that_is_there() {
        let error = device("libtorch:cuda:99").unwrap_err().to_string();
        assert!(error.starts_with("device `libtorch:cuda:99`: libtorch finds "), "{error}");
    }

    #[test]
    fn an_index_must_be_a_number() {
        let error = device("cuda:first").unwrap_err();
        assert_eq!(error, DeviceError::Index { name: "cuda:first".into(), index: "first".into() });
    }
}
