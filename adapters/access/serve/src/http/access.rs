//! Who may ask, and how large a request may be (docs/serve.md 2, 3).

use std::fmt;
use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use holdwater_processor::failure::Failure;
use subtle::ConstantTimeEq;

use super::refusal::Refusal;

/// What everybody has to show who asks.
#[derive(Clone)]
pub struct Token(Vec<u8>);

impl Token {
    /// Reads the token that a file holds in one line.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let shown = path.display();
        let text = fs::read_to_string(path)
            .map_err(|error| Failure::io(format!("cannot read {shown}"), error))?;
        let token = text.strip_suffix('\n').unwrap_or(&text);
        let token = token.strip_suffix('\r').unwrap_or(token);
        if token.len() < TOKEN_BYTES_MIN || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Failure::Usage(format!(
                "{shown}: a token is one line of at least {TOKEN_BYTES_MIN} characters, ASCII and \
                 no blanks"
            )));
        }
        Ok(Self(token.as_bytes().to_vec()))
    }

    /// Returns what to show: the value of the header `Authorization`.
    pub fn shown(&self) -> String {
        format!("Bearer {}", String::from_utf8_lossy(&self.0))
    }

    /// Returns whether a head shows it. How long that takes tells its length at most.
    fn is_shown(&self, headers: &HeaderMap) -> bool {
        let shown = headers.get(AUTHORIZATION).map(HeaderValue::as_bytes);
        let Some((scheme, token)) = shown.and_then(|shown| shown.split_at_checked(7)) else {
            return false;
        };
        scheme.eq_ignore_ascii_case(b"bearer ") && bool::from(self.0.ct_eq(token))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

/// Lets a request through, or refuses it.
pub(super) async fn admit(
    State(token): State<Arc<Option<Token>>>,
    request: Request,
    next: Next,
) -> Result<Response, Refusal> {
    check_size(&request)?;
    let path = request.uri().path();
    match &*token {
        Some(_) if path == "/" || path == "/health" => {}
        Some(token) if token.is_shown(request.headers()) => {}
        Some(_) => {
            let why = "show the token: Authorization: Bearer TOKEN";
            return Err(Refusal::new(StatusCode::UNAUTHORIZED, why));
        }
        None if is_loopback(request.headers()) => {}
        None => {
            let why = "ask for localhost, or give the server a token for other names";
            return Err(Refusal::new(StatusCode::FORBIDDEN, why));
        }
    }
    Ok(next.run(request).await)
}

fn check_size(request: &Request) -> Result<(), Refusal> {
    let headers = request.headers();
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    if target > TARGET_BYTES_MAX {
        let why = format!("the target has more than {TARGET_BYTES_MAX} bytes; ask for less");
        return Err(Refusal::new(StatusCode::URI_TOO_LONG, why));
    }
    let head: usize =
        headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if head > HEAD_BYTES_MAX {
        let why = format!("the head has more than {HEAD_BYTES_MAX} bytes; leave some away");
        return Err(Refusal::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, why));
    }
    let has_body = headers.contains_key(TRANSFER_ENCODING)
        || headers.get(CONTENT_LENGTH).is_some_and(|length| length != "0");
    if has_body {
        let why = "a request has no body; leave it away";
        return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, why));
    }
    Ok(())
}

/// Returns whether the name that was asked for is this machine's own for itself: a page of the web
/// may have its own name resolved to here, but cannot ask for another.
fn is_loopback(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(HOST) else { return true };
    let Ok(host) = host.to_str() else { return false };
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map_or("", |(name, _)| name),
        None => host.split_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost")
        || name.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

const TOKEN_BYTES_MIN: usize = 16;

const TARGET_BYTES_MAX: usize = 8 << 10;

const HEAD_BYTES_MAX: usize = 16 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn head(name: &'static str, value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        headers
    }

    #[test]
    fn the_token_alone_opens() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("token");
        fs::write(&path, "0123456789abcdef\n").unwrap();
        let token = Token::read(&path).unwrap();
        let shown = |value| token.is_shown(&head("authorization", value));
        assert!(shown("Bearer 0123456789abcdef") && shown("bearer 0123456789abcdef"));
        for other in ["", "Bearer", "Bearer ", "0123456789abcdef", "Basic 0123456789abcdef"] {
            assert!(!shown(other), "{other}");
        }
        assert!(!shown("Bearer 0123456789abcdeg") && !shown("Bearer 0123456789abcdef0"));
        for text in ["", "short\n", "0123456789 abcdef\n", "0123456789abcdef\n\n"] {
            fs::write(&path, text).unwrap();
            assert_eq!(Token::read(&path).unwrap_err().exit_code(), 2, "{text}");
        }
    }

    #[test]
    fn names_of_loopback_are_told_from_those_that_resolve_to_it() {
        for host in ["localhost", "LOCALHOST:80", "127.0.0.1:7411", "127.1.2.3", "[::1]:7411"] {
            assert!(is_loopback(&head("host", host)), "{host}");
        }
        for host in ["evil.example", "localhost.evil.example:80", "10.0.0.1", "[::2]", "", "[::1"] {
            assert!(!is_loopback(&head("host", host)), "{host}");
        }
    }
}
