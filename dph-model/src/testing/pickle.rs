//! A writer of `torch.save` files, as small as tests need it.

use std::io::{Cursor, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// A state dict of f32 tensors as `torch.save` writes it: a zip archive with a pickle and one file for each tensor.
pub fn saved(tensors: &[(String, Vec<usize>, Vec<f32>)]) -> Vec<u8> {
    let mut pickle = b"\x80\x02}(".to_vec();
    for (index, (name, shape, values)) in tensors.iter().enumerate() {
        pickle.extend(text(name));
        pickle.extend(tensor(index, shape, values.len()));
    }
    pickle.extend(b"u.");
    let storages: Vec<Vec<u8>> = tensors
        .iter()
        .map(|(_, _, values)| values.iter().flat_map(|value| value.to_le_bytes()).collect())
        .collect();
    archive(&pickle, &storages)
}

/// The archive around a pickle.
pub fn archive(pickle: &[u8], storages: &[Vec<u8>]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    let mut file = |name: &str, bytes: &[u8]| {
        zip.start_file(format!("archive/{name}"), options).unwrap();
        zip.write_all(bytes).unwrap();
    };
    file("data.pkl", pickle);
    file("byteorder", b"little");
    for (index, bytes) in storages.iter().enumerate() {
        file(&format!("data/{index}"), bytes);
    }
    file("version", b"3\n");
    zip.finish().unwrap().into_inner()
}

/// `torch._utils._rebuild_tensor_v2(storage, 0, shape, strides, False, OrderedDict())`.
fn tensor(index: usize, shape: &[usize], len: usize) -> Vec<u8> {
    let mut strides: Vec<usize> = Vec::new();
    for axis in (0..shape.len()).rev() {
        strides.insert(0, shape[axis + 1..].iter().product());
    }
    let mut out = b"ctorch._utils\n_rebuild_tensor_v2\n((".to_vec();
    out.extend(text("storage"));
    out.extend(b"ctorch\nFloatStorage\n");
    out.extend(text(&index.to_string()));
    out.extend(text("cpu"));
    out.extend(int(len));
    out.extend(b"tQK\x00");
    out.extend(tuple(shape));
    out.extend(tuple(&strides));
    out.extend(b"\x89ccollections\nOrderedDict\n)RtR");
    out
}

/// A call of any function with one text.
pub fn call(module: &str, function: &str, argument: &str) -> Vec<u8> {
    let mut out = format!("c{module}\n{function}\n(").into_bytes();
    out.extend(text(argument));
    out.extend(b"tR");
    out
}

/// A text.
pub fn text(text: &str) -> Vec<u8> {
    [b"X".to_vec(), (text.len() as u32).to_le_bytes().to_vec(), text.as_bytes().to_vec()].concat()
}

fn int(value: usize) -> Vec<u8> {
    [b"J".to_vec(), (value as i32).to_le_bytes().to_vec()].concat()
}

fn tuple(values: &[usize]) -> Vec<u8> {
    [b"(".to_vec(), values.iter().flat_map(|value| int(*value)).collect(), b"t".to_vec()].concat()
}
