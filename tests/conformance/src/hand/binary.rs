//! Components as bytes.

/// Appends a custom section.
pub fn with_section(mut component: Vec<u8>, name: &str, data: &[u8]) -> Vec<u8> {
    let mut section = leb128(name.len());
    section.extend(name.as_bytes());
    section.extend(data);
    component.push(0);
    component.extend(leb128(section.len()));
    component.extend(section);
    component
}

/// A component in a component in a component, from the inside out: each has eight bytes, and a section that holds the
/// last.
pub fn boxed(many: usize) -> Vec<u8> {
    let header = b"\0asm\x0d\0\x01\0";
    let (mut length, mut reversed) = (header.len(), vec![header.to_vec()]);
    for _ in 0..many {
        let mut outer = header.to_vec();
        outer.push(4);
        outer.extend(leb128(length));
        length += outer.len();
        reversed.push(outer);
    }
    reversed.into_iter().rev().flatten().collect()
}

/// A number as WebAssembly writes it.
pub(crate) fn leb128(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number > 0x7f {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}
