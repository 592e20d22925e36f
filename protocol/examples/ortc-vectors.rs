//! Writes `vectors/ortc.json`: what negotiation makes of chosen inputs, for twins in other languages.

#[path = "../tests/ortc/vectors/mod.rs"]
mod vectors;

use std::path::Path;

fn main() -> std::io::Result<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors/ortc.json");
    let file = vectors::file();
    std::fs::write(&path, &file)?;
    println!("{} vectors of {} bytes written", vectors::calls().len(), file.len());
    Ok(())
}
