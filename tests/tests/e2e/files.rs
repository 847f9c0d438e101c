//! Files below a directory: listed, copied, searched.

use std::path::{Path, PathBuf};

/// Every file below a directory, in order of their paths.
pub fn below(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).expect("it is there") {
        let path = entry.expect("it is there").path();
        if path.is_dir() { files.extend(below(&path)) } else { files.push(path) }
    }
    files.sort();
    files
}

/// Copies every file below a directory.
pub fn copy(from: &Path, to: &Path) {
    for file in below(from) {
        let target = to.join(file.strip_prefix(from).expect("below it"));
        std::fs::create_dir_all(target.parent().expect("a directory")).expect("made");
        std::fs::copy(&file, target).expect("copied");
    }
}

/// Copies every file below a directory that is not all zeros, without the zeros behind what is written.
pub fn copy_written(from: &Path, to: &Path) {
    for file in below(from) {
        let (target, bytes) = (to.join(file.strip_prefix(from).expect("below it")), written(&file));
        if !bytes.is_empty() {
            std::fs::create_dir_all(target.parent().expect("a directory")).expect("made");
            std::fs::write(target, bytes).expect("written");
        }
    }
}

/// What is written in a file: without the zeros behind it, of which a segment that was prepared has many.
pub fn written(file: &Path) -> Vec<u8> {
    const STEP: usize = 4_096;
    let mut bytes = std::fs::read(file).expect("it can be read");
    let full = bytes.chunks(STEP).rposition(|chunk| *chunk != [0; STEP][..chunk.len()]).map_or(0, |last| last + 1);
    bytes.truncate(full * STEP);
    bytes
}

/// Which of these texts stand in clear in files below a directory, and where: as UTF-8, or as UTF-16.
pub fn in_clear(directory: &Path, texts: &[&str]) -> Vec<(String, PathBuf)> {
    let wide = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let forms: Vec<_> =
        texts.iter().flat_map(|text| [(*text, text.as_bytes().to_vec()), (*text, wide(text))]).collect();
    let mut begins = [false; 256];
    forms.iter().for_each(|(_, form)| begins[usize::from(form[0])] = true);
    let mut found = Vec::new();
    for file in below(directory) {
        let bytes = written(&file);
        for (at, byte) in bytes.iter().enumerate() {
            if begins[usize::from(*byte)] {
                let here = forms.iter().filter(|(_, form)| bytes[at..].starts_with(form));
                found.extend(here.map(|(text, _)| ((*text).to_owned(), file.clone())));
            }
        }
    }
    found
}
