//! docs/conformance.md has a row for each behaviour, docs/faults.md for each fault and
//! docs/contract.md for each promise of the command line, and each test that they name is there.

use std::collections::BTreeMap;

use crate::tree::Tree;

/// A page whose rows begin with a number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Page {
    path: &'static str,
    /// What stands before a number.
    prefix: &'static str,
    /// How many rows there are.
    rows: usize,
}

/// The behaviours that the tests of Apache Flink demand.
pub(crate) const BEHAVIOURS: Page = Page { path: "docs/conformance.md", prefix: "", rows: 272 };
/// The faults that the project is built against.
pub(crate) const FAULTS: Page = Page { path: "docs/faults.md", prefix: "F-", rows: 72 };

/// What the command line promises.
pub(crate) const CONTRACT: Page = Page { path: "docs/contract.md", prefix: "C-", rows: 68 };

/// Where the tests stand that the document names behind a word.
const PLACES: [(&str, &str); 20] = [
    ("bytes", "adapters/state/bytes/"),
    ("cli", "adapters/access/cli/"),
    ("core", "core/src/"),
    ("damage", "tests/damage/"),
    ("files", "adapters/storage/files/"),
    ("fixed", "adapters/state/fixed/"),
    ("flash", "adapters/storage/flash/"),
    ("heap", "adapters/state/heap/"),
    ("memory", "adapters/storage/memory/"),
    ("mmap", "adapters/state/mmap/"),
    ("objects", "adapters/storage/objects/"),
    ("processor", "adapters/access/processor/"),
    ("rocksdb", "adapters/state/rocksdb/"),
    ("sim", "sim/"),
    ("storage", "tests/conformance/src/storage.rs"),
    ("stores", "tests/conformance/tests/"),
    ("system", "tests/system/tests/"),
    ("threads", "adapters/engine/threads/"),
    ("timely", "adapters/engine/timely/"),
    ("window", "core/src/window"),
];

/// Returns what is wrong with a page.
pub(crate) fn breaches(tree: &Tree, page: Page) -> Vec<String> {
    let Page { path, prefix, rows: count } = page;
    let Some(document) = tree.file(path) else {
        return vec![format!("{path}: it is missing")];
    };
    let mut rows = BTreeMap::<usize, usize>::new();
    let mut breaches = Vec::new();
    for (line, text) in (1..).zip(document.lines()) {
        let Some((number, shown)) = row(text, prefix) else { continue };
        *rows.entry(number).or_default() += 1;
        let mut told = |what: String| breaches.push(format!("{path}:{line}: {what}"));
        if shown.is_empty() {
            told(format!("nothing shows {prefix}{number}, and no reason stands"));
        }
        for (word, name) in names(shown) {
            if !is_there(tree, word, name) {
                told(format!("`{name}` behind `{word}` is no test"));
            }
        }
    }
    for number in 1..=count {
        match rows.get(&number) {
            Some(1) => {}
            Some(_) => breaches.push(format!("{path}: {prefix}{number} has several rows")),
            None => breaches.push(format!("{path}: {prefix}{number} has no row")),
        }
    }
    breaches
}

/// Returns how many rows of a page are shown by a test.
pub(crate) fn shown(tree: &Tree, page: Page) -> usize {
    let document = tree.file(page.path).unwrap_or_default();
    let rows = document.lines().filter_map(|line| row(line, page.prefix));
    rows.filter(|(_, shown)| names(shown).next().is_some()).count()
}

/// Returns the number of a row, and its last cell.
fn row<'t>(line: &'t str, prefix: &str) -> Option<(usize, &'t str)> {
    let line = line.strip_prefix("| ")?.trim_end().strip_suffix('|')?;
    let (first, cells) = line.split_once(" |")?;
    let number = first.strip_prefix(prefix)?.parse().ok()?;
    let (_, last) = cells.rsplit_once('|')?;
    Some((number, last.trim()))
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
    // Of two types that evolve a macro makes one.
    let pair = format!("\n    {function}:");
    let definitions = [format!("fn {function}("), format!("fn {function}<"), pair];
    let files = tree.files().filter(|(path, _)| path.starts_with(place));
    files.into_iter().any(|(_, text)| definitions.iter().any(|found| text.contains(found)))
}

#[test]
fn a_test_that_is_not_there_and_a_row_that_is_missing_are_breaches() {
    let mut tree = Tree::default();
    tree.insert("core/src/a.rs", "fn the_sum_is_right() {}");
    tree.insert("tests/conformance/src/keyed/value.rs", "pub fn keys_are_apart<B>() {}");
    let rows = "| 1 | a | core `the_sum_is_right`, `value::keys_are_apart` |\n\
                | 2 | b | there is no null |\n\
                | 3 | c | core `the_sum_is_wrong` |\n\
                | 4 | d | |\n";
    tree.insert(BEHAVIOURS.path, rows);
    let breaches = breaches(&tree, BEHAVIOURS);
    let with = |words: &str| breaches.iter().any(|breach| breach.contains(words));
    assert!(with(":3: `the_sum_is_wrong` behind `core`") && with("shows 4, and no reason"));
    assert!(with(": 5 has no row") && !with(": 2 has") && !with(": 1 has"));
    assert_eq!(shown(&tree, BEHAVIOURS), 2);
}
