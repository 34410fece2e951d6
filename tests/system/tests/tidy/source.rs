//! Rust source, read just closely enough to tell code from comments and literals.

/// What a byte of source belongs to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    Code,
    Comment,
    /// A string or character, with its quotes.
    Literal,
}

/// A word or a punctuation mark of code; `::` is one mark.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Token<'a> {
    pub(crate) text: &'a str,
    /// Counted from 1.
    pub(crate) line: usize,
}

/// Returns the kind of each byte of `source`.
pub(crate) fn kinds(source: &str) -> Vec<Kind> {
    let bytes = source.as_bytes();
    let mut kinds = Vec::with_capacity(bytes.len());
    while kinds.len() < bytes.len() {
        let at = kinds.len();
        let (kind, length) = match &bytes[at..] {
            [b'/', b'/', ..] => (Kind::Comment, line_length(&bytes[at..])),
            [b'/', b'*', ..] => (Kind::Comment, block_comment_length(&bytes[at..])),
            [b'"', ..] => (Kind::Literal, quoted_length(&bytes[at..], b'"')),
            [b'\'', ..] => character_length(&source[at..])
                .map_or((Kind::Code, 1), |length| (Kind::Literal, length)),
            [b'r', ..] if starts_word(bytes, at) => raw_string_length(&source[at..])
                .map_or((Kind::Code, 1), |length| (Kind::Literal, length)),
            _ => (Kind::Code, 1),
        };
        kinds.resize(bytes.len().min(at + length), kind);
    }
    kinds
}

/// Returns the words and marks of the code in `source`.
pub(crate) fn tokens(source: &str) -> Vec<Token<'_>> {
    let bytes = source.as_bytes();
    let kinds = kinds(source);
    let is_word = |at: usize| {
        at < bytes.len()
            && kinds[at] == Kind::Code
            && (is_word_byte(bytes[at]) || !bytes[at].is_ascii())
    };
    let mut tokens = Vec::new();
    let (mut at, mut line) = (0, 1);
    while at < bytes.len() {
        let start = at;
        at += 1;
        if is_word(start) {
            while is_word(at) {
                at += 1;
            }
        } else if bytes[start..].starts_with(b"::") && kinds[start] == Kind::Code {
            at += 1;
        }
        if bytes[start] == b'\n' {
            line += 1;
        } else if kinds[start] == Kind::Code && !bytes[start].is_ascii_whitespace() {
            tokens.push(Token { text: &source[start..at], line });
        }
    }
    tokens
}

/// Returns whether the texts of `tokens` begin with `words`.
pub(crate) fn begins(tokens: &[Token<'_>], words: &[&str]) -> bool {
    tokens.len() >= words.len() && tokens.iter().zip(words).all(|(token, word)| token.text == *word)
}

/// Returns how many lines of the code are items that only tests compile.
pub(crate) fn test_lines(tokens: &[Token<'_>]) -> usize {
    let mut lines = 0;
    let mut at = 0;
    while at < tokens.len() {
        let rest = &tokens[at..];
        let attribute = attribute_length(rest);
        let has = |word| rest[..attribute].iter().any(|token| token.text == word);
        if begins(rest, &["#", "[", "cfg"]) && has("test") && !has("not") {
            let length = item_length(rest);
            lines += rest[length - 1].line - rest[0].line + 1;
            at += length;
        } else {
            at += 1;
        }
    }
    lines
}

/// Returns how many tokens the attribute at the start of `tokens` takes: 0 if there is none.
fn attribute_length(tokens: &[Token<'_>]) -> usize {
    if begins(tokens, &["#", "["]) { 1 + bracket_length(&tokens[1..]) } else { 0 }
}

/// Returns how many tokens an item takes, with its attributes, up to its `;` or `}`.
fn item_length(tokens: &[Token<'_>]) -> usize {
    let mut at = 0;
    while at < tokens.len() {
        match tokens[at].text {
            "#" => at += attribute_length(&tokens[at..]).max(1),
            "(" | "[" => at += bracket_length(&tokens[at..]),
            "{" => return at + bracket_length(&tokens[at..]),
            ";" => return at + 1,
            _ => at += 1,
        }
    }
    tokens.len()
}

/// Returns how many tokens the bracket at the start takes, up to the one that closes it.
fn bracket_length(tokens: &[Token<'_>]) -> usize {
    let mut depth = 0_usize;
    for (index, token) in tokens.iter().enumerate() {
        match token.text {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return index + 1;
        }
    }
    tokens.len()
}

fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Whether the `r` at `at` is a prefix of its own, or follows the `b` or `c` of a raw literal.
fn starts_word(bytes: &[u8], at: usize) -> bool {
    let before = match bytes[..at] {
        [.., b'b' | b'c'] => at - 1,
        _ => at,
    };
    before == 0 || !is_word_byte(bytes[before - 1])
}

fn line_length(bytes: &[u8]) -> usize {
    bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len())
}

fn block_comment_length(bytes: &[u8]) -> usize {
    let (mut at, mut depth) = (0, 0);
    while at < bytes.len() {
        match &bytes[at..] {
            [b'/', b'*', ..] => (at, depth) = (at + 2, depth + 1),
            [b'*', b'/', ..] => (at, depth) = (at + 2, depth - 1),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn quoted_length(bytes: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < bytes.len() && bytes[at] != quote {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    at + 1
}

/// Returns the length of a character literal, or nothing for a lifetime.
fn character_length(source: &str) -> Option<usize> {
    let mut characters = source.char_indices().skip(1);
    let (_, first) = characters.next()?;
    let (end, second) = characters.next()?;
    if first == '\\' {
        Some(quoted_length(source.as_bytes(), b'\''))
    } else {
        (second == '\'').then_some(end + 1)
    }
}

/// Returns the length of `r"..."` or `r#"..."#`, or nothing for a word that begins with `r`.
fn raw_string_length(source: &str) -> Option<usize> {
    let hashes = source[1..].bytes().take_while(|byte| *byte == b'#').count();
    let body = source.get(1 + hashes..)?.strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let length = body.find(&end).unwrap_or(body.len());
    Some(1 + hashes + 1 + length + end.len())
}

#[test]
fn comments_and_literals_are_not_code() {
    let source = r##"a // b "c
        /* d /* e */ f */ g "h \" i" j r#"k " l"# m 'n' '\'' '"' &'o p br"q" r#s::t"##;
    let words: Vec<_> = tokens(source).iter().map(|token| token.text).collect();
    assert_eq!(words.join(" "), "a g j m & ' o p b r # s :: t");
}

#[test]
fn tokens_know_their_line_also_behind_a_text_of_several_lines() {
    let source = "a\n\"b\nc\" d\n/* e\n*/ f";
    let lines: Vec<_> = tokens(source).iter().map(|token| (token.text, token.line)).collect();
    assert_eq!(lines, [("a", 1), ("d", 3), ("f", 5)]);
}

#[test]
fn only_what_tests_alone_compile_counts_as_test_lines() {
    let source = "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\nfn c() {}\n";
    assert_eq!(test_lines(&tokens(source)), 4);
    assert_eq!(test_lines(&tokens("#[cfg(all(test, unix))]\n#[b]\nmod tests;\nfn c() {}")), 3);
    assert_eq!(test_lines(&tokens("#[cfg(not(test))]\nmod a {\n}\n#![cfg_attr(test, b)]")), 0);
    assert_eq!(test_lines(&tokens("#[cfg(test)] fn a(b: [u8; 2]) {\n}\nfn c() {}")), 2);
}
