//! `preference_head.json` and `preference_head.safetensors`: a preference head on disk.
//!
//! Weights have PyTorch's layout: linear weights are `[out, in]`. The names are `aggregation.*` for the parameters of
//! the aggregation, `pooling.dense.*` (bert, t5, projection), `pooling.up_gate.*` and `pooling.down.*` (swiglu),
//! `standardise.mean` and `.std` if the head standardises, and `reward_heads.<name>.weight` and `.bias` for each
//! head.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use burn::module::Param;
use burn::nn::Linear;
use burn::tensor::{Device, Tensor, TensorData};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use super::preference_head::{PreferenceHead, PreferenceHeadConfig, REWARDS};
use crate::aggregation::AggregationError;
use crate::atomic::write_atomically;
use crate::parameters::NamedParam;
use crate::text_file::read_text;

/// File name of the configuration.
pub const HEAD_CONFIG_FILE: &str = "preference_head.json";
/// File name of the weights.
pub const HEAD_WEIGHTS_FILE: &str = "preference_head.safetensors";

/// Number of weights of a head that is never too large to be made.
const HARMLESS: usize = 1 << 20;

/// Why a preference head could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HeadFileError {
    /// The directory holds no preference head.
    #[error("{}: there is no preference head ({HEAD_CONFIG_FILE} is missing); name the export of a stage if this is a run, or train a head with `dph-train`", dir.display())]
    Missing {
        /// The directory.
        dir: PathBuf,
    },
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The configuration does not describe a head.
    #[error("{}: {source}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// The error and its position.
        source: serde_json::Error,
    },
    /// The configuration describes an invalid head.
    #[error("{}: {source}", path.display())]
    Aggregation {
        /// The file.
        path: PathBuf,
        /// Why.
        source: AggregationError,
    },
    /// The weights file is damaged.
    #[error("{}: this is not a complete safetensors file ({source}); copy it again from its source", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The error.
        source: safetensors::SafeTensorError,
    },
    /// The configuration asks for far more numbers than the weights file holds.
    #[error(
        "{}: the sizes in {HEAD_CONFIG_FILE} ask for far more weights than the {bytes} bytes of this file; copy both again from their source",
        path.display()
    )]
    Sizes {
        /// The file with the weights.
        path: PathBuf,
        /// Its size.
        bytes: usize,
    },
    /// A tensor is missing.
    #[error("{}: tensor `{name}` is missing; the file holds {}", path.display(), found.join(", "))]
    MissingTensor {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// The tensors in the file.
        found: Vec<String>,
    },
    /// The head of this configuration has no such tensor.
    #[error("{}: unexpected tensor `{name}`; {HEAD_CONFIG_FILE} describes another head", path.display())]
    UnexpectedTensor {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
    },
    /// A tensor does not have the shape or type that the configuration requires.
    #[error("{}: tensor `{name}` is {found}, expected {expected}", path.display())]
    Misshapen {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// What it is.
        found: String,
        /// What it should be.
        expected: String,
    },
}

impl PreferenceHead {
    /// Writes the head and its configuration into a directory that exists. Each file is written with
    /// [`write_atomically`]: a reader sees either the old file or the new one.
    pub fn save(&self, config: &PreferenceHeadConfig, dir: &Path) -> Result<(), HeadFileError> {
        replace(&dir.join(HEAD_WEIGHTS_FILE), &self.to_safetensors(config))?;
        let config_path = dir.join(HEAD_CONFIG_FILE);
        let mut json = serde_json::to_vec_pretty(config)
            .map_err(|source| HeadFileError::Config { path: config_path.clone(), source })?;
        json.push(b'\n');
        replace(&config_path, &json)
    }

    /// Reads the head of a directory.
    pub fn load(dir: &Path, device: &Device) -> Result<(Self, PreferenceHeadConfig), HeadFileError> {
        let config = PreferenceHeadConfig::load(dir)?;
        config
            .check()
            .map_err(|source| HeadFileError::Aggregation { path: dir.join(HEAD_CONFIG_FILE), source })?;
        let path = dir.join(HEAD_WEIGHTS_FILE);
        let bytes = fs::read(&path).map_err(|source| HeadFileError::Io { path: path.clone(), source })?;
        let head = Self::from_safetensors(&bytes, &path, &config, device)?;
        Ok((head, config))
    }

    /// Reads the head of a [valid](PreferenceHeadConfig::check) configuration from the bytes of a safetensors file.
    /// Errors name the file `path`.
    ///
    /// # Errors
    ///
    /// If the bytes are not a safetensors file, or a tensor is missing, unexpected, or has the wrong shape or type.
    pub fn from_safetensors(
        bytes: &[u8],
        path: &Path,
        config: &PreferenceHeadConfig,
        device: &Device,
    ) -> Result<Self, HeadFileError> {
        let file = SafeTensors::deserialize(bytes)
            .map_err(|source| HeadFileError::Damaged { path: path.into(), source })?;
        if is_too_large(config, bytes.len()) {
            return Err(HeadFileError::Sizes { path: path.into(), bytes: bytes.len() });
        }
        let reader = Reader { path: path.into(), file, used: Vec::new() };
        reader.fill(config.init(0, device), config)
    }

    /// The bytes of the weights file: equal weights give equal bytes.
    pub fn to_safetensors(&self, config: &PreferenceHeadConfig) -> Vec<u8> {
        let tensors = self.to_tensors(config);
        let views = tensors.iter().map(|(name, shape, bytes)| {
            let view = TensorView::new(Dtype::F32, shape.clone(), bytes);
            (name.as_str(), view.expect("the bytes are those of the shape"))
        });
        safetensors::serialize(views, None).expect("the names of a head's tensors differ")
    }

    /// The weights as named `[out, in]` tensors in little-endian bytes.
    fn to_tensors(&self, config: &PreferenceHeadConfig) -> Vec<(String, Vec<usize>, Vec<u8>)> {
        let mut head = self.clone();
        let mut tensors = Vec::new();
        for (name, param) in head.named_params_mut() {
            let (weight_name, bias_name) = (format!("{name}.weight"), format!("{name}.bias"));
            match param {
                NamedParam::Linear(rewards) if name == REWARDS => {
                    let weight = rewards.weight.val().transpose();
                    for (index, reward) in config.rewards.iter().enumerate() {
                        let row = weight.clone().narrow(0, index, 1);
                        tensors.push(named(&format!("{name}.{reward}.weight"), row));
                        if let Some(bias) = &rewards.bias {
                            let bias = bias.val().narrow(0, index, 1);
                            tensors.push(named(&format!("{name}.{reward}.bias"), bias));
                        }
                    }
                }
                NamedParam::Linear(linear) => {
                    tensors.push(named(&weight_name, linear.weight.val().transpose()));
                    tensors.extend(linear.bias.as_ref().map(|bias| named(&bias_name, bias.val())));
                }
                NamedParam::Norm(norm) => {
                    tensors.push(named(&weight_name, norm.gamma.val()));
                    tensors.extend(norm.beta.as_ref().map(|bias| named(&bias_name, bias.val())));
                }
                NamedParam::Vector(vector) => tensors.push(named(&name, vector.val())),
                NamedParam::Matrix(matrix) => tensors.push(named(&name, matrix.val())),
            }
        }
        tensors
    }
}

impl PreferenceHeadConfig {
    /// Reads the configuration of the head in a directory.
    pub fn load(dir: &Path) -> Result<Self, HeadFileError> {
        let path = dir.join(HEAD_CONFIG_FILE);
        let json = match read_text(&path) {
            Ok(json) => json,
            Err(source)
                if matches!(source.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
            {
                return Err(HeadFileError::Missing { dir: dir.into() });
            }
            Err(source) => return Err(HeadFileError::Io { path, source }),
        };
        serde_json::from_str(&json).map_err(|source| HeadFileError::Config { path, source })
    }
}

fn named<const D: usize>(name: &str, tensor: Tensor<D>) -> (String, Vec<usize>, Vec<u8>) {
    let shape = tensor.dims().to_vec();
    let values = tensor.into_data().convert::<f32>();
    let bytes = values.iter::<f32>().flat_map(f32::to_le_bytes).collect();
    (name.into(), shape, bytes)
}

/// Whether a head would need much more memory than a weights file of this many bytes can fill. Small differences are named by tensor.
fn is_too_large(config: &PreferenceHeadConfig, bytes: usize) -> bool {
    let most = bytes.max(HARMLESS);
    let sizes = [config.d_model, config.d_ffn, config.pooling.output_size(config.d_model)];
    // Within these sizes their products do not overflow.
    sizes.iter().any(|size| *size > most) || config.parameters() > most
}

struct Reader<'a> {
    path: PathBuf,
    file: SafeTensors<'a>,
    used: Vec<String>,
}

impl Reader<'_> {
    fn fill(
        mut self,
        mut head: PreferenceHead,
        config: &PreferenceHeadConfig,
    ) -> Result<PreferenceHead, HeadFileError> {
        for (name, param) in head.named_params_mut() {
            match param {
                NamedParam::Linear(linear) if name == REWARDS => {
                    let names = config.rewards.iter().map(|reward| format!("{name}.{reward}"));
                    self.linear(linear, &names.collect::<Vec<_>>())?;
                }
                NamedParam::Linear(linear) => self.linear(linear, &[name])?,
                NamedParam::Norm(norm) => {
                    self.replace(&format!("{name}.weight"), &mut norm.gamma)?;
                    if let Some(bias) = &mut norm.beta {
                        self.replace(&format!("{name}.bias"), bias)?;
                    }
                }
                NamedParam::Vector(vector) => self.replace(&name, vector)?,
                NamedParam::Matrix(matrix) => self.replace(&name, matrix)?,
            }
        }
        match self.file.names().into_iter().find(|name| !self.used.iter().any(|used| used == name)) {
            Some(name) => {
                Err(HeadFileError::UnexpectedTensor { path: self.path.clone(), name: name.to_string() })
            }
            None => Ok(head),
        }
    }

    /// Fills a linear layer from the tensors of that name, or from several layers of the same size, whose outputs are
    /// joined.
    fn linear(&mut self, linear: &mut Linear, names: &[String]) -> Result<(), HeadFileError> {
        let [d_in, d_out] = linear.weight.val().dims();
        let device = linear.weight.val().device();
        let rows = d_out / names.len().max(1);
        let (mut weight, mut bias) = (Vec::new(), Vec::new());
        for name in names {
            weight.extend(self.read(&format!("{name}.weight"), &[rows, d_in])?);
            if linear.bias.is_some() {
                bias.extend(self.read(&format!("{name}.bias"), &[rows])?);
            }
        }
        let weight = Tensor::<2>::from_data(TensorData::new(weight, [d_out, d_in]), &device).transpose();
        linear.weight = Param::from_tensor(weight);
        if linear.bias.is_some() {
            let bias = Tensor::<1>::from_data(TensorData::new(bias, [d_out]), &device);
            linear.bias = Some(Param::from_tensor(bias));
        }
        Ok(())
    }

    /// Fills a tensor that is stored without transposition. Whether it requires a gradient does not change.
    fn replace<const D: usize>(
        &mut self,
        name: &str,
        param: &mut Param<Tensor<D>>,
    ) -> Result<(), HeadFileError> {
        let old = param.val();
        let values = TensorData::new(self.read(name, &old.dims())?, old.dims());
        let learns = param.is_require_grad();
        *param = Param::from_tensor(Tensor::from_data(values, &old.device())).set_require_grad(learns);
        Ok(())
    }

    fn read(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, HeadFileError> {
        self.used.push(name.to_string());
        let path = self.path.clone();
        let Ok(view) = self.file.tensor(name) else {
            let mut found: Vec<String> = self.file.names().into_iter().map(String::from).collect();
            found.sort();
            return Err(HeadFileError::MissingTensor { path, name: name.into(), found });
        };
        if view.dtype() != Dtype::F32 || view.shape() != shape {
            return Err(HeadFileError::Misshapen {
                path,
                name: name.into(),
                found: format!("{:?} {:?}", view.dtype(), view.shape()),
                expected: format!("F32 {shape:?}"),
            });
        }
        let values = view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        Ok(values.collect())
    }
}

fn replace(path: &Path, bytes: &[u8]) -> Result<(), HeadFileError> {
    write_atomically(path, bytes).map_err(|source| HeadFileError::Io { path: path.into(), source })
}
