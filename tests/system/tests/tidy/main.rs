//! The source tree keeps the house rules of CONTRIBUTING.md, as far as a reader of text can tell.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

mod corridor;
mod rules;
mod source;
mod tree;

use std::path::Path;
use tree::Tree;

#[test]
fn the_source_tree_is_tidy() {
    let tree = Tree::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")).unwrap();
    assert!(tree.file("core/src/lib.rs").is_some(), "the source tree was not found");
    let mut breaches = rules::tree(&tree);
    for (path, text) in tree.files() {
        breaches.extend(rules::file(path, text));
    }
    breaches.sort();
    assert!(breaches.is_empty(), "{} breaches:\n{}\n", breaches.len(), breaches.join("\n"));
}
