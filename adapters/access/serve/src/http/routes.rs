//! What is answered to which request.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::http::header::{CONTENT_SECURITY_POLICY, HeaderValue};
use axum::http::{StatusCode, Uri};
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use axum::routing::get;
use holdwater::manifest::{CheckpointId, StateEntry};
use holdwater_processor::StateReader;
use holdwater_processor::datum::Datum;
use holdwater_processor::failure::Failure;
use holdwater_processor::row::{Row, key_of_cells};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::access::{Token, admit};
use super::answer::{begin, json, named, of_state, quote, seen, state, text, write_row};
use super::figures;
use super::parameters::Parameters;
use super::refusal::Refusal;
use crate::checkpoints::{Checkpoints, NONE_YET};
use crate::scan::{Position, Room, Wanted};
use crate::view::{Size, View};

type Answer = Result<Response, Refusal>;

/// What requests are answered from.
#[derive(Clone, Debug)]
struct Source {
    checkpoints: Arc<Checkpoints>,
    reads: Arc<Semaphore>,
}

pub(super) fn router(checkpoints: Arc<Checkpoints>, token: Option<Token>) -> Router {
    let source = Source { checkpoints, reads: Arc::new(Semaphore::new(READS_MAX)) };
    let no_path =
        || async { Refusal::not_found("there is no such path; docs/serve.md lists them") };
    let no_method =
        || async { Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "ask with the method GET") };
    Router::new()
        .route("/", get(page))
        .route("/health", get(health))
        .route("/metrics", get(metrics))
        .route("/v1/checkpoints", get(checkpoints_seen))
        .route("/v1/groups", get(groups))
        .route("/v1/key", get(key))
        .route("/v1/rows", get(rows))
        .route("/v1/states", get(states))
        .fallback(no_path)
        .method_not_allowed_fallback(no_method)
        .layer(from_fn_with_state(Arc::new(token), admit))
        .with_state(source)
}

impl Source {
    /// Reads on a thread that may wait for files, once there is one.
    async fn read(
        self,
        read: impl FnOnce(&Checkpoints) -> Result<String, Refusal> + Send + 'static,
    ) -> Answer {
        let busy = || Refusal::busy("too many requests read at once; try again");
        let Self { checkpoints, reads } = self;
        let permit = timeout(WAIT, reads.acquire_owned()).await;
        let permit = permit.ok().and_then(Result::ok).ok_or_else(busy)?;
        let reading = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            read(&checkpoints)
        });
        match timeout(READ_TIME, reading).await {
            Ok(Ok(body)) => body.map(json),
            Ok(Err(_)) => {
                let why = "the request could not be answered; holdwater verify looks for damage";
                Err(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, why))
            }
            Err(_) => Err(Refusal::busy("reading takes longer than it may; try again")),
        }
    }
}

/// Reads from a checkpoint; what `read` refuses has nothing to do with the checkpoint's files.
fn from(
    checkpoints: &Checkpoints,
    id: Option<CheckpointId>,
    read: impl FnMut(&View) -> Result<Result<String, Refusal>, Failure>,
) -> Result<String, Refusal> {
    match checkpoints.read(id, read) {
        Ok(answer) => answer,
        Err(failure) => Err(Refusal::of(&failure, id.is_some())),
    }
}

/// Opens a state in a reader, or returns from it with why there is none.
macro_rules! open {
    ($view:expr, $name:expr) => {
        match $view.checkpoint().state($name) {
            Err(Failure::Data(text)) => return Ok(Err(Refusal::not_found(text))),
            opened => opened?,
        }
    };
}

async fn page() -> Response {
    let mut page = text(PAGE.to_owned(), "text/html; charset=utf-8");
    let policy = "default-src 'none'; connect-src 'self'; script-src 'unsafe-inline'; \
                  style-src 'unsafe-inline'; frame-ancestors 'none'";
    page.headers_mut().insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    page
}

async fn health(State(source): State<Source>) -> Answer {
    let view = source.checkpoints.newest().ok_or_else(|| Refusal::busy(NONE_YET))?;
    let mut body = begin(&view);
    if let Some(trouble) = source.checkpoints.trouble() {
        body.push_str(&format!(",\"trouble\":{}", quote(&trouble)));
    }
    body.push('}');
    Ok(json(body))
}

async fn metrics(State(source): State<Source>) -> Answer {
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    Ok(text(figures::text(&source.checkpoints), kind))
}

async fn checkpoints_seen(State(source): State<Source>, uri: Uri) -> Answer {
    Parameters::read(&uri, &[])?;
    let view = source.checkpoints.newest().ok_or_else(|| Refusal::busy(NONE_YET))?;
    let all: Vec<_> = source.checkpoints.seen().iter().map(seen).collect();
    let of = named(view.manifest());
    Ok(json(serde_json::json!({ "checkpoint": of, "checkpoints": all }).to_string()))
}

async fn states(State(source): State<Source>, uri: Uri) -> Answer {
    let id = Parameters::read(&uri, &["checkpoint"])?.checkpoint()?;
    let answer = |view: &View| {
        let all: Vec<_> =
            view.checkpoint().states().map(|(operator, entry)| state(operator, entry)).collect();
        let (of, groups) = (named(view.manifest()), view.manifest().key_groups);
        let answer = serde_json::json!({ "checkpoint": of, "key_groups": groups, "states": all });
        Ok(Ok(answer.to_string()))
    };
    source.read(move |checkpoints| from(checkpoints, id, answer)).await
}

async fn groups(State(source): State<Source>, uri: Uri) -> Answer {
    let given = Parameters::read(&uri, &["state", "count", "page", "checkpoint"])?;
    let name = given.needed("state")?.to_owned();
    let is_counted = given.parsed("count", "true or false")?.unwrap_or(false);
    let (id, page) = (given.checkpoint()?, page_of(&given)?);
    let answer = move |view: &View| {
        let state = open!(view, &name);
        let begin_at = page.as_ref().map_or(0, |page| page.group);
        let until = Instant::now() + PAGE_TIME;
        let (mut all, mut next) = (Vec::new(), None);
        for group in state.groups().skip_while(|group| *group < begin_at) {
            if is_counted && !all.is_empty() && Instant::now() >= until {
                next = Some(Position { checkpoint: view.id(), group, behind: None });
                break;
            }
            let Size { rows, bytes, has_deltas } = Size::of_group(state.entry(), group);
            let mut shown = serde_json::json!({
                "group": group, "rows": rows, "rows_are_exact": !has_deltas, "bytes": bytes
            });
            if is_counted {
                shown["keys"] = view.group(&state, group)?.len().into();
            }
            all.push(shown);
        }
        let (of, next) = (of_state(&state), quoted(next.as_ref()));
        let groups = serde_json::Value::from(all);
        Ok(Ok(format!("{},{of},\"groups\":{groups},\"next\":{next}}}", begin(view))))
    };
    source.read(move |checkpoints| go_on(checkpoints, id, page_id(&given), answer)).await
}

async fn key(State(source): State<Source>, uri: Uri) -> Answer {
    let given = Parameters::read(&uri, KEY)?;
    let cells = given.fields("key")?.ok_or_else(|| Refusal::bad("give key="))?;
    let id = given.checkpoint()?;
    given.one("window")?;
    given.one("map_key")?;
    let is_live = given.parsed("live", "true or false")?.unwrap_or(false);
    if is_live && id.is_some() {
        return Err(Refusal::bad("what is live is in no checkpoint: leave checkpoint= away"));
    }
    if !is_live
        && id.is_none()
        && let Some(answer) = at_hand(&source.checkpoints, &given, &cells)
    {
        return answer.map(json);
    }
    source
        .read(move |checkpoints| {
            let live = is_live.then(|| checkpoints.live().ok_or_else(no_job)).transpose()?;
            from(checkpoints, id, |view| {
                of_key(view, live.is_some(), &given, &cells, |asked| match live {
                    Some(live) => view.live(live, asked),
                    None => asked.iter().map(|(state, key)| view.key(state, key)).collect(),
                })
            })
        })
        .await
}

/// Answers at once where nothing has to be read for that: to hand the question to another thread
/// takes longer.
fn at_hand(
    checkpoints: &Checkpoints,
    given: &Parameters,
    cells: &[String],
) -> Option<Result<String, Refusal>> {
    let (view, mut is_at_hand) = (checkpoints.newest()?, true);
    let answer = of_key(&view, false, given, cells, |asked| {
        let held = asked.iter().map(|(state, key)| view.key_at_hand(state, key));
        let held: Option<_> = held.collect::<Result<_, _>>()?;
        is_at_hand = held.is_some();
        Ok(held.unwrap_or_default())
    });
    answer.ok().filter(|_| is_at_hand)
}

/// Answers what states hold of a key, which `read` reads.
fn of_key(
    view: &View,
    is_live: bool,
    given: &Parameters,
    cells: &[String],
    read: impl FnOnce(&[(StateReader<'_>, Datum)]) -> Result<Vec<Vec<Row>>, Failure>,
) -> Result<Result<String, Refusal>, Failure> {
    let names: Vec<String> = given.all("state").map(str::to_owned).collect();
    let own = |(operator, entry): (&str, &StateEntry)| format!("{operator}/{}", entry.name);
    let all = || view.checkpoint().states().map(own).collect();
    let (is_every, names) = (names.is_empty(), if names.is_empty() { all() } else { names });
    let mut asked = Vec::new();
    for name in &names {
        let state = open!(view, name);
        match key_of_cells(state.key_schema(), cells) {
            Ok(_) if is_every && is_live && !state.has_known_groups() => {}
            Ok(key) => asked.push((state, key)),
            Err(_) if is_every => {}
            Err(unfit) => return Ok(Err(Refusal::bad(format!("key: {unfit}")))),
        }
    }
    let held = read(&asked)?;
    let begin = if is_live { "{\"live\":true".to_owned() } else { begin(view) };
    let mut body = format!("{begin},\"states\":[");
    let (mut shown, mut found) = (0, false);
    for ((state, _), rows) in asked.iter().zip(held) {
        let rows = match picked(view, state, rows, given) {
            Ok(rows) => rows,
            Err(_) if is_every => continue,
            Err(refusal) => return Ok(Err(refusal)),
        };
        found |= !rows.is_empty();
        if shown > 0 {
            body.push(',');
        }
        shown += 1;
        body.push_str(&format!("{{{},\"rows\":[", of_state(state)));
        for (index, row) in rows.into_iter().enumerate() {
            if index > 0 {
                body.push(',');
            }
            write_row(row, view.shown(state), BYTES_MAX, &mut body);
            if body.len() > BYTES_MAX + BYTES_MAX {
                let why = "the key has more rows than an answer may; give window=, or fewer states";
                return Ok(Err(Refusal::bad(why)));
            }
        }
        body.push_str("]}");
    }
    if !found {
        let (names, key) = (names.join(", "), cells.join(","));
        let place =
            if is_live { "the job".to_owned() } else { format!("checkpoint {}", view.id()) };
        let why = format!("no state of {names} has the key {key:?} in {place}");
        return Ok(Err(Refusal::not_found(why)));
    }
    body.push_str("]}");
    Ok(Ok(body))
}

fn no_job() -> Refusal {
    let why = "no job is here to be asked: live=true is for a server beside one that runs on \
               threads, run --serve; leave it away to read checkpoints";
    Refusal::new(StatusCode::CONFLICT, why)
}

/// Keeps the rows of the window and below the key of a map that are asked for.
fn picked(
    view: &View,
    state: &StateReader<'_>,
    mut rows: Vec<Row>,
    given: &Parameters,
) -> Result<Vec<Row>, Refusal> {
    if let Some(text) = given.all("window").next() {
        if state.window_schema().is_none() {
            let why = format!("state {} has no windows; leave window= away", state.name());
            return Err(Refusal::bad(why));
        }
        let shown = view.shown(state);
        rows.retain(|row| row.window.as_ref().is_some_and(|own| shown.is_window(own, text)));
    }
    if let Some(text) = given.all("map_key").next() {
        let Some(schema) = state.field_schema() else {
            let why = format!("state {} is no map; leave map_key= away", state.name());
            return Err(Refusal::bad(why));
        };
        let field = Datum::from_cell(schema, text);
        let field = field.map_err(|unfit| Refusal::bad(format!("map_key: {unfit}")))?;
        let under = |row: Row| Some(Row { held: row.held.under(&field)?, ..row });
        rows = rows.into_iter().filter_map(under).collect();
    }
    Ok(rows)
}

async fn rows(State(source): State<Source>, uri: Uri) -> Answer {
    let known = ["state", "prefix", "from", "to", "limit", "page", "checkpoint"];
    let given = Parameters::read(&uri, &known)?;
    let name = given.needed("state")?.to_owned();
    let (prefix, from, to) = (given.fields("prefix")?, given.fields("from")?, given.fields("to")?);
    let limit = given.parsed("limit", "a number of rows")?.unwrap_or(LIMIT);
    if !(1..=LIMIT_MAX).contains(&limit) {
        return Err(Refusal::bad(format!("limit: expected 1 to {LIMIT_MAX}")));
    }
    let (id, page) = (given.checkpoint()?, page_of(&given)?);
    let answer = move |view: &View| {
        let state = open!(view, &name);
        let bounds = [&from, &to].map(|fields| fields.as_deref().unwrap_or_default());
        let mut wanted = Wanted::between(&state, bounds[0], bounds[1])?;
        wanted.prefix = prefix.clone().unwrap_or_default();
        let (mut shown, mut count) = (String::new(), 0);
        let take = |row: Row| {
            let before = shown.len();
            shown.push_str(if count > 0 { "," } else { "" });
            write_row(row, view.shown(&state), BYTES_MAX, &mut shown);
            if count > 0 && shown.len() > BYTES_MAX {
                shown.truncate(before);
                return Room::TooLittle;
            }
            count += 1;
            if count == limit { Room::None } else { Room::Left }
        };
        let until = Instant::now() + PAGE_TIME;
        let next = view.scan(&state, &wanted, page.as_ref(), until, take)?;
        let (of, next) = (of_state(&state), quoted(next.as_ref()));
        Ok(Ok(format!("{},{of},\"rows\":[{shown}],\"next\":{next}}}", begin(view))))
    };
    source.read(move |checkpoints| go_on(checkpoints, id, page_id(&given), answer)).await
}

/// Reads a page of the checkpoint of those before, while it is there, else of the newest.
fn go_on(
    checkpoints: &Checkpoints,
    id: Option<CheckpointId>,
    before: Option<CheckpointId>,
    mut answer: impl FnMut(&View) -> Result<Result<String, Refusal>, Failure>,
) -> Result<String, Refusal> {
    let Some(before) = before else { return from(checkpoints, id, answer) };
    match checkpoints.read(Some(before), &mut answer) {
        Err(Failure::Missing(_)) if id.is_none() => from(checkpoints, None, answer),
        Err(failure) => Err(Refusal::of(&failure, true)),
        Ok(answer) => answer,
    }
}

fn page_of(given: &Parameters) -> Result<Option<Position>, Refusal> {
    given.parsed("page", "what the page before gave as next")
}

fn page_id(given: &Parameters) -> Option<CheckpointId> {
    page_of(given).ok().flatten().map(|page| page.checkpoint)
}

fn quoted(next: Option<&Position>) -> String {
    next.map_or_else(|| "null".to_owned(), |next| quote(&next.to_string()))
}

const PAGE: &str = include_str!("page.html");

/// What can be given with a key.
const KEY: &[&str] = &["key", "state", "window", "map_key", "checkpoint", "live"];

/// How many requests read files at once.
pub(super) const READS_MAX: usize = 8;

/// How long a request waits until it may read.
const WAIT: Duration = Duration::from_secs(10);

/// How long it may read then: a key group that is not kept may be large.
const READ_TIME: Duration = Duration::from_secs(30);

/// How long rows are looked for that fill a page.
const PAGE_TIME: Duration = Duration::from_secs(2);

/// How many rows a page has unless asked for more.
const LIMIT: usize = 100;

const LIMIT_MAX: usize = 10_000;

/// How large a page or a row becomes.
const BYTES_MAX: usize = 4 << 20;
