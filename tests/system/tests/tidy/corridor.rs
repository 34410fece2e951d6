//! The rooms of the core stand in one corridor; a room imports only from rooms to its left.

use crate::source::{Token, begins};

/// The rooms, from left to right.
const ROOMS: [&str; 17] = [
    "error",
    "codec",
    "schema",
    "key",
    "page",
    "state",
    "timer",
    "ttl",
    "window",
    "operator",
    "snapshot",
    "storage",
    "manifest",
    "rescale",
    "barrier",
    "sink",
    "checkpoint",
];

/// Returns the line and the wording of each import in a file of the core that the corridor forbids.
pub(crate) fn breaches(path: &str, tokens: &[Token<'_>]) -> Vec<(usize, String)> {
    let Some(module) = path.strip_prefix("core/src/").and_then(|path| path.strip_suffix(".rs"))
    else {
        return Vec::new();
    };
    let module = module.strip_suffix("/mod").unwrap_or(module);
    if module == "lib" {
        return Vec::new();
    }
    let room = module.split('/').next().unwrap_or(module);
    let Some(place) = place(room) else {
        return vec![(1, format!("`{room}` is no room of the corridor: give it a place in it"))];
    };
    let mut breaches = Vec::new();
    for (line, name) in names_in_the_root(module.split('/').count(), tokens) {
        let right = self::place(name).is_some_and(|other| other > place);
        let no_room = name == "*" || name.starts_with(|first: char| first.is_ascii_uppercase());
        if right {
            breaches.push((line, format!("`{room}` imports from `{name}`, a room to its right")));
        } else if no_room {
            breaches.push((line, format!("`crate::{name}`: import from the room that holds it")));
        }
    }
    breaches
}

fn place(room: &str) -> Option<usize> {
    ROOMS.iter().position(|name| *name == room)
}

/// Returns each name that is looked up in the root of the crate, by `crate::` or by enough
/// `super::`, from a module that stands `depth` modules below it.
fn names_in_the_root<'a>(depth: usize, tokens: &[Token<'a>]) -> Vec<(usize, &'a str)> {
    let mut names = Vec::new();
    let mut braces = 0_usize;
    // How many braces were open where each module around this token began.
    let mut modules = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let rest = &tokens[at..];
        match token.text {
            "{" => braces += 1,
            "}" => {
                braces = braces.saturating_sub(1);
                if modules.last() == Some(&braces) {
                    modules.pop();
                }
            }
            "mod" if rest.get(2).is_some_and(|third| third.text == "{") => modules.push(braces),
            "crate" if begins(&rest[1..], &["::"]) => names.extend(first_names(&rest[2..])),
            "super" if !ends_upwards(&tokens[..at]) => {
                let ups = rest.chunks(2).take_while(|pair| begins(pair, &["super", "::"])).count();
                if ups > 0 && ups == depth + modules.len() {
                    names.extend(first_names(&rest[2 * ups..]));
                }
            }
            _ => {}
        }
    }
    names
}

/// Whether a path that goes up ends here, so that what follows goes on with it.
fn ends_upwards(tokens: &[Token<'_>]) -> bool {
    matches!(tokens, [.., up, mark] if up.text == "super" && mark.text == "::")
}

/// Returns the first name of each path: of one, or of all those in the braces.
fn first_names<'a>(tokens: &[Token<'a>]) -> Vec<(usize, &'a str)> {
    if !begins(tokens, &["{"]) {
        return tokens.first().map(|token| (token.line, token.text)).into_iter().collect();
    }
    let mut names = Vec::new();
    let mut depth = 0_usize;
    for pair in tokens.windows(2) {
        match pair[0].text {
            "{" => depth += 1,
            "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            break;
        }
        if depth == 1 && matches!(pair[0].text, "{" | ",") && pair[1].text != "}" {
            names.push((pair[1].line, pair[1].text));
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::breaches;
    use crate::source::tokens;

    fn lines(path: &str, source: &str) -> Vec<usize> {
        breaches(path, &tokens(source)).iter().map(|(line, _)| *line).collect()
    }

    #[test]
    fn a_room_imports_only_from_its_left() {
        let key = "core/src/key.rs";
        assert_eq!(lines(key, "use crate::codec::Write;\nuse crate::key::At;"), [0; 0]);
        assert_eq!(lines(key, "use crate::codec::Write;\nuse crate::state::Value;"), [2]);
        assert_eq!(
            lines(key, "use crate::{\n  codec::{A, sink},\n  sink::B,\n  page,\n};"),
            [3, 4]
        );
        assert_eq!(lines(key, "fn a() { crate::checkpoint::b() }"), [1]);
        assert_eq!(lines(key, "// crate::state::Value\nconst A: &str = \"crate::state\";"), [0; 0]);
        assert_eq!(lines("core/src/snapshot/part.rs", "use crate::storage;"), [1]);
        assert_eq!(lines("core/src/snapshot/mod.rs", "use crate::state;"), [0; 0]);
    }

    #[test]
    fn tests_keep_to_the_corridor_too() {
        let source = "#[cfg(test)]\nmod tests {\n  use crate::state::A;\n}";
        assert_eq!(lines("core/src/key.rs", source), [3]);
        assert_eq!(lines("core/src/key/tests.rs", "use crate::state::A;"), [1]);
    }

    #[test]
    fn going_up_to_the_root_is_an_import_from_it() {
        assert_eq!(lines("core/src/key.rs", "use super::state::A;"), [1]);
        assert_eq!(lines("core/src/key.rs", "mod a { use super::state::A; }"), [0; 0]);
        assert_eq!(lines("core/src/key.rs", "mod a { }\nuse super::state::A;"), [2]);
        assert_eq!(lines("core/src/key.rs", "mod a { use super::super::state::A; }"), [1]);
        assert_eq!(lines("core/src/key/part.rs", "use super::super::state::A;"), [1]);
        assert_eq!(lines("core/src/key/part.rs", "use super::state::A;"), [0; 0]);
    }

    #[test]
    fn what_the_root_exports_is_imported_from_its_room() {
        assert_eq!(lines("core/src/key.rs", "use crate::*;"), [1]);
        assert_eq!(lines("core/src/key.rs", "use crate::Fault;"), [1]);
        assert_eq!(lines("core/src/drawer.rs", ""), [1]);
    }
}
