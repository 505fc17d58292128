//! Flags that every command with a model has.

use std::path::{Path, PathBuf};

use clap::Args;
use dph_core::terminal::{Failure, say};
use dph_data::ChatFormat;
use dph_eval::{ClassifierModel, Model, ModelOutline, OpenOptions};
use dph_model::checkpoint::Precision;

/// How a model is opened and computed.
#[derive(Debug, Args)]
pub struct DeviceArgs {
    /// The device: flex, libtorch, libtorch:cuda:0, wgpu, vulkan or cuda:0, if compiled in
    #[arg(long, value_name = "D", default_value = "flex")]
    device: String,

    /// Maximum number of tokens in a batch, including padding; the candidates of one document are never divided. Larger batches are
    /// faster and need more memory, which grows linearly: for a model of 135M parameters, 1000 tokens need about 6 MB on flex and
    /// 17 MB on other devices
    #[arg(long, value_name = "N", default_value_t = 4096, value_parser = positive)]
    pub token_budget: usize,

    /// Chat format: `template` (the tokenizer's) or `chatml` (the paper's) [default: the format of the directory]
    #[arg(long, value_name = "FORMAT")]
    chat_format: Option<ChatFormat>,

    /// Type of the language model's matrices: f32, bf16 or f16 [default: the type that the head was trained with]
    #[arg(long, value_name = "TYPE")]
    precision: Option<Precision>,

    /// Another copy of the language model that the head was trained on, such as a GGUF file of it [default: that model]
    #[arg(long, value_name = "DIR")]
    backbone: Option<PathBuf>,

    /// The base model of a PEFT adapter [default: the one that adapter_config.json names]
    #[arg(long, value_name = "DIR")]
    base: Option<PathBuf>,
}

impl DeviceArgs {
    /// Opens a model for conversations.
    pub fn open(&self, dir: &Path) -> Result<Model, Failure> {
        self.open_with(dir, false)
    }

    /// Opens a model; with `text_only`, also one that has no chat format. Prints its warnings.
    pub fn open_with(&self, dir: &Path, text_only: bool) -> Result<Model, Failure> {
        let model = self.open_copy(dir, text_only)?;
        if self.backbone.is_some() && !model.warnings.is_empty() {
            say("`dph-eval agree` prints how far rewards differ");
        }
        Ok(model)
    }

    /// The same without the advice to compare the copy that --backbone names with the model's own.
    pub fn open_copy(&self, dir: &Path, text_only: bool) -> Result<Model, Failure> {
        let model = self.open_on(dir, text_only, self.backbone.clone())?;
        model.warnings.iter().for_each(|warning| say(&format!("warning: {warning}")));
        Ok(model)
    }

    /// Opens a model for conversations with its own language model, whatever --backbone says.
    pub fn open_own(&self, dir: &Path) -> Result<Model, Failure> {
        self.open_on(dir, false, None)
    }

    /// Whether --backbone names another copy of the language model.
    pub fn has_backbone(&self) -> bool {
        self.backbone.is_some()
    }

    /// Whether a flag names a directory that belongs to one model only.
    #[cfg(feature = "serve")]
    pub fn names_a_model(&self) -> bool {
        self.backbone.is_some() || self.base.is_some()
    }

    fn open_on(&self, dir: &Path, text_only: bool, backbone: Option<PathBuf>) -> Result<Model, Failure> {
        let device = dph_core::device(&self.device)?;
        Ok(Model::open_with(dir, &device, &self.options(text_only, backbone))?)
    }

    /// What is known of a model without its weights.
    pub fn outline(&self, dir: &Path) -> Result<ModelOutline, Failure> {
        dph_core::device(&self.device)?;
        Ok(ModelOutline::read(dir, &self.options(true, self.backbone.clone()))?)
    }

    /// What is known of a classifier without its weights.
    pub fn classifier_outline(&self, dir: &Path) -> Result<ModelOutline, Failure> {
        dph_core::device(&self.device)?;
        Ok(ModelOutline::read_classifier(dir, &self.options(true, None))?)
    }

    /// Opens a classifier.
    pub fn open_classifier(&self, dir: &Path) -> Result<ClassifierModel, Failure> {
        let device = dph_core::device(&self.device)?;
        Ok(ClassifierModel::open(dir, &device, &self.options(true, None))?)
    }

    /// Whether the model can only be used as a classifier.
    pub fn is_encoder(&self, dir: &Path) -> Result<bool, Failure> {
        Ok(ClassifierModel::is_needed(dir, &self.options(true, None))?)
    }

    fn options(&self, text_only: bool, backbone: Option<PathBuf>) -> OpenOptions {
        OpenOptions {
            chat: self.chat_format,
            precision: self.precision,
            text_only,
            base: self.base.clone(),
            backbone,
        }
    }
}

/// A number of at least 1.
pub fn positive(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("must be at least 1".into()),
        Ok(number) => Ok(number),
        Err(error) => Err(format!("{error}")),
    }
}
