//! The page at /, as a browser shows it.

use std::env;
use std::process::Command;

use holdwater_system::place::Place;

use crate::server::Server;

const LACKING: &str = "a browser is missing: run 'apt-get install chromium'";

/// Returns the page as it is once its script has run; none, which is told, where no browser is.
fn shown(url: &str) -> Option<String> {
    let place = tempfile::tempdir().unwrap();
    let profile = format!("--user-data-dir={}", place.path().display());
    let browser = Command::new("chromium")
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
        .args(["--virtual-time-budget=8000", "--dump-dom", &profile, url])
        .output();
    match browser {
        Ok(shown) if shown.status.success() => Some(String::from_utf8(shown.stdout).unwrap()),
        Ok(failed) => panic!("{}", String::from_utf8_lossy(&failed.stderr)),
        Err(_) => {
            assert!(env::var_os("HOLDWATER_NO_SKIP").is_none(), "{LACKING}");
            eprintln!("{LACKING}");
            None
        }
    }
}

#[test]
fn the_page_shows_checkpoints_states_and_the_sizes_of_their_key_groups() {
    let (place, rows) = Place::with_flights();
    let job = "run --input flights.csv --key origin --agg count distinct:destination \
               --output out.csv --checkpoints dir --checkpoint-every 1h --parallelism 2 \
               --key-groups 16";
    place.run_in_parts(job, "flights.csv", &rows, 3);
    let server = Server::start(&place, "serve dir --listen 127.0.0.1:0");
    let Some(page) = shown(&format!("http://{}/", server.address)) else { return };
    let newest = place.checkpoints("dir").last().unwrap().id.clone();
    let has = |text: &str| assert!(page.contains(text), "lacks {text}: {page}");
    has(&format!("checkpoint {newest}, "));
    for seen in server.found("/v1/checkpoints")["checkpoints"].as_array().unwrap() {
        let id = seen["id"].as_str().unwrap();
        has(&format!("data-checkpoint=\"{id}\""));
        has(&format!("<td>{}</td>", seen["kind"].as_str().unwrap()));
        has(&format!("<title>{id}: "));
    }
    for state in server.found("/v1/states")["states"].as_array().unwrap() {
        let name = format!("aggregate/{}", state["state"].as_str().unwrap());
        let (_, section) = page.split_once(&format!("data-state=\"{name}\"")).unwrap();
        let section = section.split("</section>").next().unwrap();
        let groups = server.found(&format!("/v1/groups?state={name}"));
        let groups = groups["groups"].as_array().unwrap();
        assert!(!groups.is_empty());
        for group in groups {
            let (rows, bytes) = (&group["rows"], &group["bytes"]);
            let title = format!("<title>group {}: {rows} rows, {bytes} bytes", group["group"]);
            assert!(section.contains(&title), "{section}");
        }
        assert_eq!(section.matches("<rect").count(), 16);
    }
}

#[test]
fn the_page_asks_for_the_token_before_it_shows_anything() {
    let (place, _) = Place::with_flights();
    let job = "run --input flights.csv --key origin --agg count --output out.csv --checkpoints dir";
    place.holdwater(job).succeed();
    place.write("token", "0123456789abcdef\n");
    let server = Server::start(&place, "serve dir --listen 127.0.0.1:0 --token-file token");
    let Some(page) = shown(&format!("http://{}/", server.address)) else { return };
    assert!(page.contains("<form id=\"access\" style=\"display: block;\">"), "{page}");
    assert!(page.contains("show the token"), "{page}");
    assert!(!page.contains("data-state"), "{page}");
}
