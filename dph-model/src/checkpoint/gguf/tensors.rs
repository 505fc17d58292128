//! [`RawTensor`]: the position of a tensor in a GGUF file.

use std::collections::BTreeMap;
use std::ops::Range;

use super::blocks::BlockType;
use super::cursor::{Cursor, Malformed};
use super::metadata::Metadata;
use super::{MAKE_ANEW, WRITE_ANEW};
use crate::checkpoint::ElementType;

/// Most tensors that are read; the largest models have some thousands.
const MOST_TENSORS: u64 = 1 << 16;
/// Most axes of a tensor, as in ggml.
const MOST_AXES: u32 = 4;
/// Default of `general.alignment`.
const DEFAULT_ALIGNMENT: usize = 32;

/// A tensor of the file.
#[derive(Debug, Clone)]
pub(crate) struct RawTensor {
    pub element: ElementType,
    /// Outermost axis first, the reverse of the order in the file.
    pub shape: Vec<usize>,
    /// Its bytes; empty for types of unknown size.
    pub bytes: Range<usize>,
    /// The part of the model that it is in, from 0.
    pub part: usize,
}

/// Reads the table of tensors and checks it against the size of the file.
pub(crate) fn read(
    cursor: &mut Cursor<'_>,
    count: u64,
    metadata: &Metadata,
    file: usize,
) -> Result<BTreeMap<String, RawTensor>, Malformed> {
    if count > MOST_TENSORS {
        return Err(cursor.malformed(format!("it claims {count} tensors")));
    }
    let alignment = metadata.count("general.alignment")?.unwrap_or(DEFAULT_ALIGNMENT);
    if !alignment.is_power_of_two() {
        let problem = format!("general.alignment is {alignment}, which is no power of two");
        return Err(Malformed::unusual(problem, MAKE_ANEW));
    }
    let entries: Vec<Entry> = (0..count).map(|_| Entry::read(cursor)).collect::<Result<_, _>>()?;
    let data = cursor.position().checked_next_multiple_of(alignment);
    let mut tensors = BTreeMap::new();
    for entry in entries {
        let name = entry.name.clone();
        let tensor = data.and_then(|data| entry.place(data));
        let tensor = tensor.filter(|tensor| tensor.bytes.end <= file).ok_or_else(|| {
            Malformed::damaged(format!(
                "the tensor {name} of {:?} at offset {} is not within the file",
                entry.shape, entry.offset
            ))
        })?;
        entry.check(alignment)?;
        if tensors.insert(name.clone(), tensor).is_some() {
            return Err(Malformed::unusual(format!("the tensor {name} is there twice"), MAKE_ANEW));
        }
    }
    check_places(&tensors, data.unwrap_or(0), alignment)?;
    Ok(tensors)
}

/// Fails unless each tensor begins where the one before it ends, as llama.cpp reads them: a wrong offset would be a wrong weight.
fn check_places(
    tensors: &BTreeMap<String, RawTensor>,
    data: usize,
    alignment: usize,
) -> Result<(), Malformed> {
    // The size of a tensor of an unknown type is not known.
    let are_known = tensors.values().all(|tensor| tensor.element.unit().is_some());
    let mut places: Vec<_> = tensors.iter().map(|(name, tensor)| (&tensor.bytes, name)).collect();
    places.sort_by_key(|(bytes, _)| (bytes.start, bytes.end));
    let (mut end, mut before) = (data, None);
    for (bytes, name) in places {
        if let (true, Some(before)) = (bytes.start < end, before) {
            let problem = format!("the tensors {before} and {name} overlap");
            return Err(Malformed::unusual(problem, MAKE_ANEW));
        }
        let next = end.next_multiple_of(alignment);
        if are_known && bytes.start != next {
            let problem = format!(
                "the tensor {name} begins at byte {}, but the one before it ends at byte {end}; such gaps are not read, since a wrong \
                 offset would be a wrong weight",
                bytes.start
            );
            return Err(Malformed::unusual(problem, WRITE_ANEW));
        }
        (end, before) = (bytes.end, Some(name));
    }
    Ok(())
}

/// An entry of the table.
struct Entry {
    name: String,
    shape: Vec<u64>,
    element: ElementType,
    offset: u64,
}

impl Entry {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self, Malformed> {
        let name = cursor.text("the name of a tensor")?.to_string();
        let axes = cursor.u32(&name)?;
        if axes > MOST_AXES {
            return Err(cursor.malformed(format!("the tensor {name} has {axes} axes")));
        }
        let mut shape = (0..axes).map(|_| cursor.u64(&name)).collect::<Result<Vec<_>, _>>()?;
        shape.reverse();
        let (element, offset) = (element(cursor.u32(&name)?), cursor.u64(&name)?);
        Ok(Self { name, shape, element, offset })
    }

    /// Fails if the tensor is not where and what a tensor has to be.
    fn check(&self, alignment: usize) -> Result<(), Malformed> {
        let Self { name, shape, offset, .. } = self;
        let Some((len, _)) = self.element.unit() else { return Ok(()) };
        // Blocks do not span rows.
        let width = shape.last().copied().unwrap_or(1);
        if !width.is_multiple_of(len as u64) {
            let problem =
                format!("the tensor {name} of {shape:?} has rows that are not whole blocks of {len} weights");
            return Err(Malformed::unusual(problem, MAKE_ANEW));
        }
        if !offset.is_multiple_of(alignment as u64) {
            let problem = format!(
                "the tensor {name} is at offset {offset}, which is no multiple of the alignment {alignment}"
            );
            return Err(Malformed::unusual(problem, WRITE_ANEW));
        }
        Ok(())
    }

    /// The tensor, if its position can be computed.
    fn place(&self, data: usize) -> Option<RawTensor> {
        let shape: Vec<usize> =
            self.shape.iter().map(|&axis| usize::try_from(axis)).collect::<Result<_, _>>().ok()?;
        let elements = shape.iter().try_fold(1usize, |product, &axis| product.checked_mul(axis))?;
        let Some((len, size)) = self.element.unit() else {
            return Some(RawTensor { element: self.element.clone(), shape, bytes: 0..0, part: 0 });
        };
        let start = data.checked_add(usize::try_from(self.offset).ok()?)?;
        let end = start.checked_add((elements / len).checked_mul(size)?)?;
        Some(RawTensor { element: self.element.clone(), shape, bytes: start..end, part: 0 })
    }
}

/// The types of `enum ggml_type`.
fn element(number: u32) -> ElementType {
    match number {
        0 => ElementType::F32,
        1 => ElementType::F16,
        2 => ElementType::Blocks(BlockType::Q4_0),
        3 => ElementType::Blocks(BlockType::Q4_1),
        6 => ElementType::Blocks(BlockType::Q5_0),
        7 => ElementType::Blocks(BlockType::Q5_1),
        8 => ElementType::Blocks(BlockType::Q8_0),
        12 => ElementType::Blocks(BlockType::Q4K),
        13 => ElementType::Blocks(BlockType::Q5K),
        14 => ElementType::Blocks(BlockType::Q6K),
        28 => ElementType::F64,
        30 => ElementType::Bf16,
        10 => ElementType::Other("q2_k".into()),
        11 => ElementType::Other("q3_k".into()),
        other => ElementType::Other(format!("ggml type {other}")),
    }
}
