//! The SDK's sources are part of this crate: another SDK is another crate.

fn main() {
    println!("cargo:rerun-if-changed=../sdk");
    println!("cargo:rerun-if-changed=templates");
    println!("cargo:rerun-if-changed=../Cargo.toml");
}
