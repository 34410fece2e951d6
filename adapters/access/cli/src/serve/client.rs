//! `holdwater get` of a server that answers over HTTP.

use std::time::Duration;

use holdwater_serve::Token;
use serde::Deserialize;
use serde_json::value::RawValue;
use ureq::http::StatusCode;

use crate::arguments::Get;
use crate::failure::Failure;

/// What a server answers, as far as it is printed.
#[derive(Debug, Deserialize)]
struct Answer {
    states: Vec<State>,
}

#[derive(Debug, Deserialize)]
struct State {
    rows: Vec<Box<RawValue>>,
}

#[derive(Debug, Deserialize)]
struct Refused {
    error: String,
}

/// Asks a server what a state holds of a key: a line for each of its windows.
pub(crate) fn get(get: &Get) -> Result<String, Failure> {
    let url = get.checkpoint.trim_end_matches('/');
    let failed = |error: &dyn std::fmt::Display| {
        let what = "see that it serves there, and with --token-file what it expects";
        Failure::Data(format!("{url}: {error}; {what}"))
    };
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .proxy(None)
        .timeout_global(Some(PATIENCE));
    let agent: ureq::Agent = config.build().into();
    let mut request = agent.get(format!("{url}/v1/key"));
    request = request.query("key", line(&get.key)?).query("state", &get.state);
    for (name, value) in [("window", &get.window), ("map_key", &get.map_key)] {
        request = value.iter().fold(request, |request, value| request.query(name, value));
    }
    if get.live {
        request = request.query("live", "true");
    }
    if let Some(path) = &get.token_file {
        request = request.header("Authorization", Token::read(path)?.shown());
    }
    let mut answer = request.call().map_err(|error| failed(&error))?;
    let status = answer.status();
    let body = answer.body_mut().with_config().limit(BYTES_MAX).read_to_string();
    let body = body.map_err(|error| failed(&error))?;
    if status != StatusCode::OK {
        let refused = serde_json::from_str(&body);
        let error = refused.map_or_else(|_| status.to_string(), |Refused { error }| error);
        return Err(match status {
            StatusCode::BAD_REQUEST | StatusCode::CONFLICT => Failure::Usage(error),
            StatusCode::NOT_FOUND => Failure::Data(error),
            _ => failed(&error),
        });
    }
    let answer: Answer = serde_json::from_str(&body).map_err(|error| failed(&error))?;
    let rows = answer.states.iter().flat_map(|state| &state.rows);
    Ok(rows.map(|row| format!("{}\n", row.get())).collect())
}

/// Writes the fields of a key as a line of CSV.
fn line(key: &[String]) -> Result<String, Failure> {
    let mut writer = csv::WriterBuilder::new().from_writer(Vec::new());
    let written = writer.write_record(key).map_err(|error| error.to_string());
    let bytes = written.and_then(|()| writer.into_inner().map_err(|error| error.to_string()));
    let bytes = bytes.map_err(|error| Failure::Usage(format!("--key: {error}")))?;
    Ok(String::from_utf8_lossy(&bytes).trim_end_matches('\n').to_owned())
}

/// As long as a server takes at most, and the way.
const PATIENCE: Duration = Duration::from_secs(60);

/// More than a server sends.
const BYTES_MAX: u64 = 64 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::parse_key;

    #[test]
    fn a_key_is_written_as_it_was_read() {
        for text in ["ABQ", "a,b", "\"a,b\",c", "\"\",x", "\"a \"\"b\"\"\"", "\"\"", "a b"] {
            let key = parse_key(text).unwrap();
            assert_eq!(parse_key(&line(&key).unwrap()).unwrap(), key, "{text}");
        }
    }
}
