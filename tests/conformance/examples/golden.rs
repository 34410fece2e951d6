//! Writes the golden checkpoints of this version, unless they are there: a folder is never written
//! again.

use std::error::Error;

use holdwater_conformance::golden::{VERSION, folder, written};
use holdwater_heap::Heap;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = folder(VERSION);
    if folder.exists() {
        return Err(format!("{} is there already, and stays as it is", folder.display()).into());
    }
    std::fs::create_dir_all(&folder)?;
    for (name, bytes) in written(Heap::new) {
        std::fs::write(folder.join(name), bytes)?;
    }
    Ok(())
}
