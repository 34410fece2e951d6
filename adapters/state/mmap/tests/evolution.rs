//! How state outlives the types that it was written with, in memory and in files.

mod place;

mod tail {
    use crate::place::directory;
    use holdwater_mmap::Mmap;

    holdwater_conformance::evolution!(|groups| Mmap::new(groups, directory()));
}

mod mapped {
    use crate::place::directory;
    use holdwater_mmap::Mmap;

    holdwater_conformance::evolution!(|groups| {
        Mmap::new(groups, directory()).with_segment_bytes(1)
    });
}
