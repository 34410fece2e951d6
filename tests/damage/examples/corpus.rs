//! Writes the files of a real checkpoint directory into the corpus of the fuzz targets.

use std::error::Error;
use std::path::Path;

use holdwater::storage::ObjectKind;
use holdwater_damage::job::{JOB, directory};

fn main() -> Result<(), Box<dyn Error>> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    for (id, bytes) in directory(JOB, 0).objects {
        let target = match id.kind {
            ObjectKind::Data => "snapshot",
            ObjectKind::Manifest => "manifest",
            _ => continue,
        };
        let folder = corpus.join(target);
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join(id.to_string()), &*bytes)?;
    }
    Ok(())
}
