//! How state outlives the types that it was written with.

use holdwater_fixed::Fixed;

holdwater_conformance::evolution!(|groups| Fixed::<64, 16>::new(groups).expect("16 groups at most"));
