//! [`AttentionLayout`]: attention masks, positions and rotations of one forward pass.

use std::cell::OnceCell;

use burn::tensor::{Device, Tensor, TensorData};
use dph_core::Batch;

use super::cache::Cache;
use super::host_layout::{HostLayout, Span, spans};
use crate::decoder::config::DecoderConfig;
use crate::decoder::extension::span_attention::{DevicePlan, SpanPlan};

/// The attention layout of one forward pass: spans of tokens that attend to each other, and rotations.
#[derive(Debug)]
pub struct AttentionLayout {
    /// The layout in host memory.
    pub host: HostLayout,
    /// The layout as tensors, created on first use.
    device: OnceCell<DeviceLayout>,
}

/// The attention layout as tensors.
#[derive(Debug)]
pub struct DeviceLayout {
    /// Cosines and sines for the keys of [`HostLayout::rotation`], `[rows, 1, keys, 2 · half]`; `None` without rotation.
    pub rotation: Option<(Tensor<4>, Tensor<4>)>,
    /// Attention temperature of each row, `[rows, 1, 1, 1]`.
    pub temperatures: Tensor<4>,
    /// Which tokens attend to which.
    pub visibility: Visibility,
}

/// Which tokens attend to which.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "a forward pass has one")]
pub enum Visibility {
    /// A token attends to itself and to all earlier tokens of its row.
    Causal,
    /// A token attends to the tokens of its span and to the context of the span. Nothing is cached.
    Spans(DevicePlan),
    /// The mask is added to the scores, `[rows, 1, seq, registers + prefix + seq]`.
    Mask(Tensor<4>),
}

impl AttentionLayout {
    /// The layout of a batch.
    pub(crate) fn for_batch(batch: &Batch, config: &DecoderConfig) -> Self {
        let spans: Vec<_> =
            (0..batch.rows).map(|row| spans(&batch.segments[row * batch.seq..][..batch.seq])).collect();
        let lengths: Vec<_> = spans
            .iter()
            .enumerate()
            .map(|(row, spans)| {
                let columns = spans.iter().flat_map(|span| span.start..span.end);
                let last = columns.map(|column| batch.positions[row * batch.seq + column]).max();
                last.map_or(0, |last| last as usize + 1)
            })
            .collect();
        Self::new(HostLayout {
            rows: batch.rows,
            seq: batch.seq,
            prefix: 0,
            padding: vec![0; batch.rows],
            spans,
            causal: config.causal,
            positions: batch.positions.clone(),
            token_types: Vec::new(),
            rotation: config.positions.rotation(&batch.positions, &lengths),
        })
    }

    /// The layout of whole sequences of these lengths, one per row, each at the start of its row.
    pub(crate) fn for_sequences(
        lengths: &[usize],
        seq: usize,
        token_types: Vec<i32>,
        config: &DecoderConfig,
    ) -> Self {
        let positions: Vec<i32> = lengths.iter().flat_map(|_| 0..seq as i32).collect();
        Self::new(HostLayout {
            rows: lengths.len(),
            seq,
            prefix: 0,
            padding: vec![0; lengths.len()],
            spans: lengths.iter().map(|&end| vec![Span::new(0, end, 0)]).collect(),
            causal: config.causal,
            rotation: config.positions.rotation(&positions, lengths),
            positions,
            token_types,
        })
    }

    /// The layout of `seq` further tokens per row, after the cached ones.
    pub(crate) fn after_cache(cache: &Cache, rows: usize, seq: usize, config: &DecoderConfig) -> Self {
        let prefix = cache.len();
        let mut padding = cache.padding.clone();
        padding.resize(rows, 0);
        let of_rows = |first: usize| -> Vec<i32> {
            let position = |padding: usize, column: usize| column.saturating_sub(padding) as i32;
            padding
                .iter()
                .flat_map(|&padding| (first..prefix + seq).map(move |column| position(padding, column)))
                .collect()
        };
        let lengths: Vec<usize> = padding.iter().map(|&padding| prefix + seq - padding).collect();
        let span = |&padding: &usize| Span::new(padding.saturating_sub(prefix).min(seq), seq, 0);
        Self::new(HostLayout {
            rows,
            seq,
            prefix,
            spans: padding.iter().map(|padding| vec![span(padding)]).collect(),
            causal: config.causal,
            positions: of_rows(prefix),
            token_types: Vec::new(),
            rotation: match cache.keys_are_rotated() {
                true => config.positions.fixed_rotation(&of_rows(prefix), &lengths),
                false => config.positions.rotation(&of_rows(0), &lengths),
            },
            padding,
        })
    }

    fn new(host: HostLayout) -> Self {
        Self { host, device: OnceCell::new() }
    }

    /// The layout as tensors on `device`, for a model with this number of registers.
    pub(crate) fn on(&self, device: &Device, registers: usize) -> &DeviceLayout {
        self.device.get_or_init(|| {
            let rows = self.host.rows;
            DeviceLayout {
                rotation: self.host.rotation.tensors(device),
                temperatures: Tensor::from_data(
                    TensorData::new(self.host.rotation.temperatures.clone(), [rows, 1, 1, 1]),
                    device,
                ),
                visibility: Visibility::new(&self.host, registers, device),
            }
        })
    }
}

impl Visibility {
    /// What is added to the scores; `None` if every key is visible.
    pub fn mask(&self) -> Option<&Tensor<4>> {
        match self {
            Self::Mask(mask) => Some(mask),
            Self::Causal | Self::Spans(_) => None,
        }
    }

    fn new(layout: &HostLayout, registers: usize, device: &Device) -> Self {
        let is_causal = layout.is_causal() && registers == 0;
        // A single token attends to all others.
        if is_causal && (layout.seq == 1 || layout.prefix == 0 && !device.is_autodiff()) {
            Self::Causal
        } else if layout.prefix == 0 {
            Self::Spans(DevicePlan::new(SpanPlan::new(layout, registers), device))
        } else {
            Self::Mask(Tensor::from_data(layout.mask(registers), device))
        }
    }
}
