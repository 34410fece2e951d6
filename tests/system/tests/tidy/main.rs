//! The source tree keeps the house rules of CONTRIBUTING.md, as far as a reader of text can tell.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

mod conformance;
mod corridor;
mod rules;
mod source;
mod tree;

use std::path::Path;

use conformance::{BEHAVIOURS, CONTRACT, FAULTS};
use tree::Tree;

fn tree() -> Tree {
    let tree = Tree::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")).unwrap();
    assert!(tree.file("core/src/lib.rs").is_some(), "the source tree was not found");
    tree
}

#[test]
fn every_behaviour_of_a_state_layer_is_shown_by_a_test_that_exists_or_has_a_reason() {
    let tree = tree();
    let breaches = conformance::breaches(&tree, BEHAVIOURS);
    assert!(breaches.is_empty(), "{} breaches:\n{}\n", breaches.len(), breaches.join("\n"));
    let shown = conformance::shown(&tree, BEHAVIOURS);
    assert!(shown >= 130, "{shown} behaviours are shown by tests");
}

#[test]
fn every_fault_is_shown_by_a_test_that_exists_or_has_a_reason() {
    let breaches = conformance::breaches(&tree(), FAULTS);
    assert!(breaches.is_empty(), "{} breaches:\n{}\n", breaches.len(), breaches.join("\n"));
}

#[test]
fn every_promise_of_the_command_line_is_shown_by_a_test_that_exists() {
    let breaches = conformance::breaches(&tree(), CONTRACT);
    assert!(breaches.is_empty(), "{} breaches:\n{}\n", breaches.len(), breaches.join("\n"));
}

#[test]
fn the_source_tree_is_tidy() {
    let tree = tree();
    let mut breaches = rules::tree(&tree);
    for (path, text) in tree.files() {
        breaches.extend(rules::file(path, text));
    }
    breaches.sort();
    assert!(breaches.is_empty(), "{} breaches:\n{}\n", breaches.len(), breaches.join("\n"));
}
