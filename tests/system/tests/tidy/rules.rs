//! The rules, each a function from text to the list of its breaches.

use crate::corridor;
use crate::source::{Kind, Token, begins, kinds, test_lines, tokens};
use crate::tree::Tree;

/// How many lines a file may have, without its tests.
const FILE_LINES_MAX: usize = 420;

/// How many columns a line of Rust may have.
const COLUMNS_MAX: usize = 100;

/// Module names that say nothing of what is inside.
const EMPTY_NAMES: [&str; 7] = ["common", "helper", "helpers", "manager", "misc", "util", "utils"];

/// Files with unsafe code, each the only one of its package, whose root denies it elsewhere.
const UNSAFE: [&str; 1] = ["adapters/state/mmap/src/mapping.rs"];

/// Packages whose runs follow from their inputs alone.
const DETERMINISTIC: [&str; 3] = ["core", "sim", "tests/conformance"];

/// Returns what breaks a rule in one file.
pub(crate) fn file(path: &str, text: &str) -> Vec<String> {
    let mut found = lines(path, text);
    if path.ends_with(".rs") {
        let tokens = tokens(text);
        found.extend(corridor::breaches(path, &tokens));
        found.extend(length(path, text, &tokens));
        found.extend(names(path, &tokens));
        found.extend(wide_lines(text));
        found.extend(skipped_tests(&tokens));
        found.extend(unsafe_code(path, &tokens));
    }
    found.into_iter().map(|(line, breach)| format!("{path}:{line}: {breach}")).collect()
}

/// Returns what breaks a rule in the tree as a whole.
pub(crate) fn tree(tree: &Tree) -> Vec<String> {
    let mut breaches = Vec::new();
    for (path, text) in tree.files() {
        let Some(folder) = path.strip_suffix("Cargo.toml") else {
            continue;
        };
        for root in ["lib.rs", "main.rs"].map(|name| format!("{folder}src/{name}")) {
            let permits = UNSAFE.iter().any(|file| file.starts_with(&format!("{folder}src/")));
            let level = if permits { "deny" } else { "forbid" };
            let attribute = ["#", "!", "[", level, "(", "unsafe_code", ")", "]"];
            if let Some(source) = tree.file(&root)
                && !tokens(source).windows(attribute.len()).any(|tokens| begins(tokens, &attribute))
            {
                breaches.push(format!("{root}:1: lacks #![{level}(unsafe_code)]"));
            }
        }
        let package = folder.trim_end_matches('/');
        if DETERMINISTIC.contains(&package)
            && text.contains("[package]")
            && tree.file(&format!("{folder}clippy.toml")).is_none()
        {
            breaches.push(format!("{path}:1: lacks the clippy.toml against chance and clocks"));
        }
    }
    breaches.extend(unknown_targets(tree));
    breaches
}

/// Returns each `make` command in a document that the Makefile does not know.
fn unknown_targets(tree: &Tree) -> Vec<String> {
    let makefile = tree.file("Makefile").unwrap_or_default();
    let mut breaches = Vec::new();
    for (path, text) in tree.files().filter(|(path, _)| path.ends_with(".md")) {
        let mut fenced = false;
        for (index, line) in text.lines().enumerate() {
            fenced ^= line.trim_start().starts_with("```");
            // Outside of a fence, every second piece stands between backticks.
            let pieces = line.split('`').skip(usize::from(!fenced)).step_by(2);
            for command in pieces.filter_map(|piece| piece.trim_start().strip_prefix("make ")) {
                let mut words = command.split('#').next().unwrap_or_default().split_whitespace();
                let Some(target) = words.find(|word| !word.contains('=')) else {
                    continue;
                };
                let rule = format!("{target}:");
                if !makefile.lines().any(|line| line.starts_with(&rule)) {
                    breaches.push(format!("{path}:{}: no target `{target}`", index + 1));
                }
            }
        }
    }
    breaches
}

/// Checks what holds for the lines of every text.
fn lines(path: &str, text: &str) -> Vec<(usize, String)> {
    // In two halves, so that this file keeps the rule.
    let open_ends = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];
    let open_macro = concat!("to", "do!");
    let machine_paths = [concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/wo", "rk/")];
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let mut report = |breach: String| found.push((index + 1, breach));
        if let Some(character) = line.chars().find(|character| !character.is_ascii()) {
            report(format!("{character:?} is not ASCII"));
        }
        for word in open_ends.iter().filter(|word| has_word(line, word)) {
            report(format!("{word}: do it, or write a decision record"));
        }
        if line.contains(open_macro) {
            report(format!("{open_macro}: do it"));
        }
        for folder in machine_paths.iter().filter(|folder| has_absolute(line, folder)) {
            report(format!("{folder} is a path of one machine"));
        }
        if !path.ends_with(".md") && line.ends_with([' ', '\t']) {
            report("ends with a blank".to_owned());
        }
    }
    found
}

/// Checks how long a file is without its tests.
fn length(path: &str, text: &str, tokens: &[Token<'_>]) -> Option<(usize, String)> {
    if path.contains("/tests/") || path.ends_with("/tests.rs") {
        return None;
    }
    let lines = text.lines().count() - test_lines(tokens);
    (lines > FILE_LINES_MAX)
        .then(|| (1, format!("{lines} lines without tests: split it by noun ({FILE_LINES_MAX})")))
}

/// Checks the names of the file, its folders and the modules in it.
fn names(path: &str, tokens: &[Token<'_>]) -> Vec<(usize, String)> {
    let folders = path.trim_end_matches(".rs").split('/').map(|name| (1, name));
    let modules = tokens.windows(2).filter(|pair| pair[0].text == "mod");
    let names = folders.chain(modules.map(|pair| (pair[1].line, pair[1].text)));
    names
        .filter(|(_, name)| EMPTY_NAMES.contains(name))
        .map(|(line, name)| (line, format!("`{name}` says nothing: name it by what is inside")))
        .collect()
}

/// Checks the width of lines; a text in quotes and an address may stand whole.
fn wide_lines(text: &str) -> Vec<(usize, String)> {
    let kinds = kinds(text);
    let mut found = Vec::new();
    let mut start = 0;
    for (index, line) in text.split('\n').enumerate() {
        let end = start + line.len();
        let unquoted = kinds[start..end].iter().filter(|kind| **kind != Kind::Literal).count();
        if line.chars().count() > COLUMNS_MAX && unquoted > COLUMNS_MAX && !line.contains("://") {
            found.push((index + 1, format!("{} columns", line.chars().count())));
        }
        start = end + 1;
    }
    found
}

/// Checks that every test runs.
fn skipped_tests(tokens: &[Token<'_>]) -> Vec<(usize, String)> {
    tokens
        .windows(3)
        .filter(|window| begins(window, &["#", "[", "ignore"]))
        .map(|window| (window[0].line, "a test that does not run: run or remove it".to_owned()))
        .collect()
}

/// Checks that unsafe code stands only where it may.
fn unsafe_code(path: &str, tokens: &[Token<'_>]) -> Vec<(usize, String)> {
    let found = tokens.iter().filter(|token| token.text == "unsafe");
    found
        .filter(|_| !UNSAFE.contains(&path))
        .map(|token| (token.line, "unsafe code: it stands in files of its own".to_owned()))
        .collect()
}

/// Whether `word` stands in `line` as a word of its own.
fn has_word(line: &str, word: &str) -> bool {
    line.split(|character: char| !character.is_ascii_alphanumeric() && character != '_')
        .any(|other| other == word)
}

/// Whether `folder` stands in `line` at the start of a path.
fn has_absolute(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(at, _)| {
        !line[..at]
            .ends_with(|before: char| before.is_ascii_alphanumeric() || "._-}$".contains(before))
    })
}

#[cfg(test)]
mod tests {
    use super::{FILE_LINES_MAX, Tree, file, tree};

    /// Returns how many breaches a source file of this text has.
    fn count(text: &str) -> usize {
        file("core/src/key.rs", text).len()
    }

    #[test]
    fn open_ends_machine_paths_and_foreign_letters_are_found() {
        assert_eq!(count(concat!("// TO", "DO: later")), 1);
        assert_eq!(count(concat!("// XX", "X")), 1);
        assert_eq!(count(concat!("fn a() { to", "do!() }")), 1);
        assert_eq!(count("// MTODOS and XXXX are words of their own"), 0);
        assert_eq!(count(concat!("// see /ho", "me/a")), 1);
        assert_eq!(count("// see network/work/a and https://a.b/home/c"), 0);
        assert_eq!(count("// na\u{ef}ve"), 1);
        assert_eq!(count("fn a() {} "), 1);
        assert_eq!(
            file("README.md", concat!("FIX", "ME")),
            [concat!("README.md:1: FIX", "ME: do it, or write a decision record")]
        );
    }

    #[test]
    fn long_files_are_found_by_their_length_without_tests() {
        let long = "fn a() {}\n".repeat(FILE_LINES_MAX);
        let tests = format!("#[cfg(test)]\nmod tests {{\n{long}}}\n");
        assert_eq!(count(&long), 0);
        assert_eq!(count(&format!("{long}{tests}")), 0);
        assert_eq!(count(&format!("{long}fn b() {{}}\n{tests}")), 1);
        assert_eq!(file("core/src/key/tests.rs", &format!("{long}{long}")).len(), 0);
        assert_eq!(file("tests/bench/src/lib.rs", &format!("{long}{long}")).len(), 1);
    }

    #[test]
    fn empty_names_and_skipped_tests_are_found() {
        assert_eq!(file("sim/src/util.rs", "").len(), 1);
        assert_eq!(file("sim/src/helpers/disk.rs", "").len(), 1);
        assert_eq!(count("mod common;"), 1);
        assert_eq!(count("#[test]\n#[ignore = \"slow\"]\nfn a() {}"), 1);
        assert_eq!(count("// #[ignore]\n#[test]\nfn a() {}"), 0);
    }

    #[test]
    fn wide_lines_are_found_unless_a_text_or_an_address_makes_them_wide() {
        let wide = "a".repeat(101);
        assert_eq!(count(&format!("fn {wide}() {{}}")), 1);
        assert_eq!(count(&format!("// {wide}")), 1);
        assert_eq!(count(&format!("const A: &str = \"{wide}\";")), 0);
        assert_eq!(count(&format!("// https://{wide}")), 0);
    }

    #[test]
    fn crate_roots_forbid_unsafe_code_and_deterministic_packages_ban_chance() {
        let mut bare = Tree::default();
        bare.insert("sim/Cargo.toml", "[package]");
        bare.insert("sim/src/main.rs", "//! #![forbid(unsafe_code)]");
        assert_eq!(tree(&bare).len(), 2);
        bare.insert("sim/clippy.toml", "");
        bare.insert("sim/src/main.rs", "#![forbid(unsafe_code)]");
        assert_eq!(tree(&bare).len(), 0);
    }

    #[test]
    fn unsafe_code_is_found_but_in_files_that_may_have_it() {
        assert_eq!(count("fn a() { unsafe { b() } } // unsafe"), 1);
        assert_eq!(file("adapters/state/mmap/src/mapping.rs", "unsafe fn a() {}").len(), 0);
        let mut lax = Tree::default();
        lax.insert("adapters/state/mmap/Cargo.toml", "[package]");
        lax.insert("adapters/state/mmap/src/lib.rs", "#![allow(unsafe_code)]");
        assert_eq!(tree(&lax).len(), 1);
        lax.insert("adapters/state/mmap/src/lib.rs", "#![deny(unsafe_code)]");
        assert_eq!(tree(&lax).len(), 0);
    }

    #[test]
    fn documents_name_only_targets_of_the_makefile() {
        let mut documents = Tree::default();
        documents.insert("Makefile", "test: tools\n");
        documents.insert(
            "README.md",
            "Run `make test`, then\nmake sure.\n```\nmake # lists\nmake test\n```\n",
        );
        assert_eq!(tree(&documents).len(), 0);
        documents.insert("README.md", "Run `make coffee`.\n```\nmake tea SUGAR=2\n```\n");
        assert_eq!(tree(&documents).len(), 2);
    }
}
