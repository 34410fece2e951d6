//! What the failure of a request tells: whether to ask again, and whether it took effect.

use std::error::Error;
use std::fmt;

use crate::error::Cause;

/// How a request failed on its way or at the server.
///
/// `object_store` keeps this to itself. The clients that this adapter opens put it among the
/// sources of their errors; whoever wraps a store can do the same.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Trouble {
    /// The server answered with this status, and with this text.
    Answered(u16, String),
    /// The request was sent, at least in part, and no answer came.
    Silent(String),
    /// The request was never sent: there was no connection.
    Unsent(String),
}

/// What is known of a request that failed, from harmless to bad.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Doubt {
    /// It had no effect, and will have none.
    None,
    /// It is over. Whether it had an effect shows when one looks.
    Settled,
    /// It may still be under way.
    Open,
}

/// What to make of an error.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Verdict {
    /// The same request may do better in a while.
    pub(crate) again: bool,
    pub(crate) doubt: Doubt,
    pub(crate) cause: Cause,
}

impl Verdict {
    pub(crate) fn of(error: &object_store::Error) -> Self {
        let never = |cause| Self { again: false, doubt: Doubt::None, cause };
        match error {
            object_store::Error::PermissionDenied { .. }
            | object_store::Error::Unauthenticated { .. } => never(Cause::Denied),
            object_store::Error::NotFound { .. } => never(Cause::NoBucket),
            object_store::Error::AlreadyExists { .. }
            | object_store::Error::Precondition { .. } => never(Cause::Refused),
            object_store::Error::NotImplemented { .. }
            | object_store::Error::NotSupported { .. }
            | object_store::Error::InvalidPath { .. }
            | object_store::Error::UnknownConfigurationKey { .. } => never(Cause::Refused),
            error => match trouble(error) {
                Some(trouble) => trouble.verdict(),
                // An answer that broke off, or one that makes no sense.
                None => Self { again: true, doubt: Doubt::Open, cause: Cause::Silent },
            },
        }
    }
}

impl Trouble {
    const fn verdict(&self) -> Verdict {
        let (again, doubt, cause) = match self {
            Self::Answered(408 | 429 | 500 | 503, _) => (true, Doubt::Settled, Cause::Failing),
            Self::Answered(401 | 403, _) => (false, Doubt::None, Cause::Denied),
            Self::Answered(404, _) => (false, Doubt::None, Cause::NoBucket),
            Self::Answered(501, _) => (false, Doubt::None, Cause::NoFence),
            // A gateway gave up waiting, and the server behind it may have not.
            Self::Answered(502 | 504.., _) => (true, Doubt::Open, Cause::Failing),
            Self::Answered(..) => (false, Doubt::None, Cause::Refused),
            Self::Silent(_) => (true, Doubt::Open, Cause::Silent),
            Self::Unsent(_) => (true, Doubt::None, Cause::Silent),
        };
        Verdict { again, doubt, cause }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answered(status, text) => write!(f, "status {status}: {text}"),
            Self::Silent(text) => write!(f, "no answer: {text}"),
            Self::Unsent(text) => write!(f, "no connection: {text}"),
        }
    }
}

impl Error for Trouble {}

fn trouble(error: &object_store::Error) -> Option<&Trouble> {
    let mut source = error.source();
    while let Some(error) = source {
        if let Some(trouble) = error.downcast_ref() {
            return Some(trouble);
        }
        source = error.source();
    }
    None
}

/// Says in one line of bounded length what an error tells: code and message of the answer where
/// there are such, else its innermost source.
pub(crate) fn told(error: &object_store::Error) -> String {
    let whole = match trouble(error) {
        Some(trouble) => trouble.to_string(),
        None => innermost(error),
    };
    let element = |name: &str| {
        let (_, rest) = whole.split_once(&format!("<{name}>"))?;
        Some(rest.split_once(&format!("</{name}>"))?.0)
    };
    let told = match (element("Code"), element("Message")) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(code), None) => code.to_owned(),
        _ => whole.split_once('<').map_or(&*whole, |(before, _)| before).to_owned(),
    };
    let words: Vec<_> = told.split_whitespace().collect();
    let line = words.join(" ");
    let line = line.trim_end_matches([':', '.', ';']);
    line.chars().filter(|letter| !letter.is_control()).take(TOLD_CHARS).collect()
}

fn innermost(error: &dyn Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

/// Enough for the message of any known store.
const TOLD_CHARS: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    fn generic(trouble: Trouble) -> object_store::Error {
        object_store::Error::Generic { store: "test", source: Box::new(trouble) }
    }

    #[test]
    fn what_was_never_sent_is_in_no_doubt_and_what_was_not_answered_is() {
        let doubt = |trouble| Verdict::of(&generic(trouble)).doubt;
        assert_eq!(doubt(Trouble::Unsent(String::new())), Doubt::None);
        assert_eq!(doubt(Trouble::Answered(400, String::new())), Doubt::None);
        assert_eq!(doubt(Trouble::Answered(503, String::new())), Doubt::Settled);
        assert_eq!(doubt(Trouble::Answered(504, String::new())), Doubt::Open);
        assert_eq!(doubt(Trouble::Silent(String::new())), Doubt::Open);
    }

    #[test]
    fn an_answer_in_xml_is_told_by_its_code_and_message() {
        let xml = "<?xml version=\"1.0\"?>\n<Error><Code>SlowDown</Code>\n\
                   <Message>Please reduce\nyour rate.</Message></Error>";
        let error = generic(Trouble::Answered(503, xml.to_owned()));
        assert_eq!(told(&error), "SlowDown: Please reduce your rate");
        let error = generic(Trouble::Answered(502, "<html>bad gateway</html>".to_owned()));
        assert_eq!(told(&error), "status 502");
        let long = generic(Trouble::Silent("x".repeat(1000)));
        assert_eq!(told(&long).chars().count(), TOLD_CHARS);
    }
}
