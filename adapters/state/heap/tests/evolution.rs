//! How state outlives the types that it was written with.

use holdwater_heap::Heap;

holdwater_conformance::evolution!(Heap::new);
