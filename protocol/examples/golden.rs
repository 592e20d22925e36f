//! Writes `vectors/golden.txt`: the bytes of every message of the wire, for both hosts' tests.

#[path = "../tests/golden/samples.rs"]
mod samples;

use std::path::Path;

use serde::Serialize;
use tidegate_protocol::codec;

fn frame(message: &impl Serialize) -> Vec<u8> {
    let mut bytes = Vec::new();
    codec::encode_frame(message, &mut bytes).expect("a sample fits a frame");
    bytes
}

fn main() -> std::io::Result<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors/golden.txt");
    std::fs::write(&path, samples::file())?;
    println!("{} messages written", samples::all().len());
    Ok(())
}
