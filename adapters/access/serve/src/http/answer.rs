//! Answers as JSON (docs/serve.md 1).

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use holdwater::manifest::{Manifest, StateEntry};
use holdwater::schema::Schema;
use holdwater::state::Kind;
use holdwater_processor::StateReader;
use holdwater_processor::row::Row;
use serde_json::{Value, json};

use crate::checkpoints::Seen;
use crate::view::{Size, View};
use crate::words::Shown;

/// Makes an answer of JSON.
pub(super) fn json(body: String) -> Response {
    text(body, "application/json")
}

/// Makes an answer of text.
pub(super) fn text(body: String, kind: &'static str) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::OK;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// Begins an answer with the checkpoint that it is consistent with.
pub(super) fn begin(view: &View) -> String {
    format!("{{\"checkpoint\":{}", named(view.manifest()))
}

/// Names a checkpoint.
pub(super) fn named(manifest: &Manifest) -> Value {
    let Manifest { id, created_ms, .. } = manifest;
    json!({
        "id": id.to_string(),
        "number": id.checkpoint,
        "epoch": id.epoch,
        "created_ms": created_ms,
    })
}

/// Writes text as JSON.
pub(super) fn quote(text: &str) -> String {
    Value::from(text).to_string()
}

/// Shows a checkpoint that was seen.
pub(super) fn seen(seen: &Seen) -> Value {
    json!({
        "id": seen.id.to_string(),
        "number": seen.id.checkpoint,
        "epoch": seen.id.epoch,
        "kind": seen.kind,
        "created_ms": seen.created_ms,
        "bytes": seen.bytes,
        "new_bytes": seen.new_bytes,
        "duration_ms": seen.duration.map(|duration| duration.as_secs_f64() * 1e3),
        "kept": seen.is_kept,
    })
}

/// Shows a state.
pub(super) fn state(operator: &str, entry: &StateEntry) -> Value {
    let Size { rows, bytes, has_deltas } = Size::of_state(entry);
    let words = |bytes: &[u8]| {
        let words = Schema::parse(bytes).map(|schema| schema.to_string());
        words.map_or(Value::Null, Value::from)
    };
    let schema = &entry.schema;
    let kind = Kind::from_code(schema.kind);
    let field = kind.is_some_and(|kind| kind.rows() == Kind::Map).then(|| words(&schema.field));
    json!({
        "operator": operator,
        "state": entry.name,
        "kind": kind.map_or_else(|| format!("kind {}", schema.kind), |kind| kind.to_string()),
        "key": words(&schema.key),
        "field": field,
        "value": words(&schema.value),
        "ttl_ms": schema.expiry.map(|expiry| expiry.duration_ms),
        "rows": rows,
        "rows_are_exact": !has_deltas,
        "bytes": bytes,
        "groups": entry.chains.len(),
    })
}

/// Writes a row; one that is longer than `bytes_max` without its value.
pub(super) fn write_row(row: Row, shown: &dyn Shown, bytes_max: usize, out: &mut String) {
    out.push_str("{\"key\":");
    row.key.write_json(out);
    if let Some(window) = row.window {
        out.push_str(&format!(",\"{}\":", shown.window_name()));
        shown.window(window).write_json(out);
    }
    let mut value = String::new();
    shown.value(row.held).write_json(&mut value);
    match value.len() > bytes_max {
        true => out.push_str(&format!(",\"too_large\":{}}}", value.len())),
        false => out.push_str(&format!(",\"value\":{value}}}")),
    }
}

/// Names a state, as a part of an answer.
pub(super) fn of_state(state: &StateReader<'_>) -> String {
    format!("\"operator\":{},\"state\":{}", quote(state.operator()), quote(state.name()))
}
