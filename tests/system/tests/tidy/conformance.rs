//! docs/conformance.md has a row for each behaviour, and each test that it names is there.

use std::collections::BTreeMap;

use crate::tree::Tree;

/// How many behaviours there are.
const BEHAVIOURS: usize = 272;

/// Where the tests stand that the document names behind a word.
const PLACES: [(&str, &str); 14] = [
    ("bytes", "adapters/state/bytes/"),
    ("cli", "adapters/access/cli/"),
    ("core", "core/src/"),
    ("damage", "tests/damage/"),
    ("files", "adapters/storage/files/"),
    ("fixed", "adapters/state/fixed/"),
    ("heap", "adapters/state/heap/"),
    ("memory", "adapters/storage/memory/"),
    ("sim", "sim/"),
    ("storage", "tests/conformance/src/storage.rs"),
    ("stores", "tests/conformance/tests/"),
    ("system", "tests/system/tests/"),
    ("threads", "adapters/engine/threads/"),
    ("window", "core/src/window"),
];

/// Returns what is wrong with the document.
pub(crate) fn breaches(tree: &Tree) -> Vec<String> {
    let Some(document) = tree.file(DOCUMENT) else {
        return vec![format!("{DOCUMENT}: it is missing")];
    };
    let mut rows = BTreeMap::<usize, usize>::new();
    let mut breaches = Vec::new();
    for (line, text) in (1..).zip(document.lines()) {
        let mut cells = text.split('|').map(str::trim).skip(1);
        let Some(number) = cells.next().and_then(|cell| cell.parse().ok()) else { continue };
        *rows.entry(number).or_default() += 1;
        let shown = cells.nth(1).unwrap_or_default();
        let mut told = |what: String| breaches.push(format!("{DOCUMENT}:{line}: {what}"));
        if shown.is_empty() {
            told(format!("nothing shows behaviour {number}, and no reason stands"));
        }
        for (word, name) in names(shown) {
            if !is_there(tree, word, name) {
                told(format!("`{name}` behind `{word}` is no test"));
            }
        }
    }
    for number in 1..=BEHAVIOURS {
        match rows.get(&number) {
            Some(1) => {}
            Some(_) => breaches.push(format!("{DOCUMENT}: behaviour {number} has several rows")),
            // Types that evolve and times to live.
            None if (121..=163).contains(&number) => {}
            None => breaches.push(format!("{DOCUMENT}: behaviour {number} has no row")),
        }
    }
    breaches
}

/// Returns how many behaviours are shown by a test.
pub(crate) fn shown(tree: &Tree) -> usize {
    let document = tree.file(DOCUMENT).unwrap_or_default();
    document.lines().filter(|line| names(line).next().is_some()).count()
}

/// Returns each test that is named, and the word in front of it.
fn names(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let pieces: Vec<&str> = text.split('`').collect();
    let quoted = pieces.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect::<Vec<_>>();
    quoted.into_iter().filter_map(|(before, name)| {
        let word = before.split_whitespace().last().unwrap_or_default();
        let is_test = name.contains("::") || name.matches('_').count() > 1;
        let is_name = name.chars().all(|char| char.is_ascii_alphanumeric() || "_:".contains(char));
        (is_test && is_name).then_some((word, name))
    })
}

/// Returns whether there is a function of that name where it should be.
fn is_there(tree: &Tree, word: &str, name: &str) -> bool {
    let (place, function) = match name.rsplit_once("::") {
        // A room of the tests that every store runs.
        Some((_, function)) => ("tests/conformance/src/", function),
        None => match PLACES.iter().find(|(place, _)| *place == word) {
            Some((_, place)) => (*place, name),
            None => return false,
        },
    };
    let definitions = [format!("fn {function}("), format!("fn {function}<")];
    let files = tree.files().filter(|(path, _)| path.starts_with(place));
    files.into_iter().any(|(_, text)| definitions.iter().any(|found| text.contains(found)))
}

const DOCUMENT: &str = "docs/conformance.md";

#[test]
fn a_test_that_is_not_there_and_a_row_that_is_missing_are_breaches() {
    let mut tree = Tree::default();
    tree.insert("core/src/a.rs", "fn the_sum_is_right() {}");
    tree.insert("tests/conformance/src/keyed/value.rs", "pub fn keys_are_apart<B>() {}");
    let rows = "| 1 | a | core `the_sum_is_right`, `value::keys_are_apart` |\n\
                | 2 | b | there is no null |\n\
                | 3 | c | core `the_sum_is_wrong` |\n\
                | 4 | d | |\n";
    tree.insert(DOCUMENT, rows);
    let breaches = breaches(&tree);
    let with = |words: &str| breaches.iter().any(|breach| breach.contains(words));
    assert!(with(":3: `the_sum_is_wrong` behind `core`") && with("behaviour 4, and no reason"));
    assert!(with("behaviour 5 has no row") && !with("behaviour 2 ") && !with("behaviour 1 "));
    assert_eq!(shown(&tree), 2);
}
