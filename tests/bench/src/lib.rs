//! Measurements against peers and limits, as ratios in one run.

#![forbid(unsafe_code)]
