//! URLs of places in object stores, and the clients that they ask for.

use std::sync::Arc;

use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path;

use crate::error::{Cause, ObjectsError, Step};
use crate::remote::{Parts, Patience, Remote};

/// Returns whether `text` is a URL, of whatever scheme, rather than a path.
pub fn is_url(text: &str) -> bool {
    scheme(text).is_some()
}

/// Returns the scheme of a URL.
fn scheme(text: &str) -> Option<&str> {
    let (scheme, _) = text.split_once("://")?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    (!scheme.is_empty() && scheme.bytes().all(plain)).then_some(scheme)
}

/// A place that was opened: a store, and the prefix in it.
pub(crate) struct Location {
    pub(crate) remote: Remote,
    pub(crate) prefix: Path,
}

impl Location {
    /// Opens the store that a URL names, with the settings of the environment.
    pub(crate) fn open(url: &str) -> Result<Self, ObjectsError> {
        let unusable = |told: &str| failed(url, Cause::Unusable, told);
        let (Some(scheme), Some((_, rest))) = (scheme(url), url.split_once("://")) else {
            return Err(unusable("it is no URL"));
        };
        if rest.contains(['?', '#']) {
            return Err(unusable("what stands behind ? or # is not understood"));
        }
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let prefix = Path::from_url_path(path).map_err(|error| unusable(&error.to_string()))?;
        let remote = match (scheme, host) {
            ("file", "") => return Self::of_files(url, path),
            ("file", _) => return Err(unusable("a file has no host: give file:///path")),
            ("memory", "") => Remote::of(Arc::new(InMemory::new())),
            ("az" | "gs" | "s3", "") => return Err(unusable("it names no bucket")),
            ("az" | "gs" | "s3", _) => cloud::open(url, scheme, host)?,
            _ => return Err(unusable("no store goes by that scheme")),
        };
        Ok(Self { remote, prefix })
    }

    /// Opens a directory, which is made. Its objects are made durable one by one.
    fn of_files(url: &str, path: &str) -> Result<Self, ObjectsError> {
        let unusable = |told: String| failed(url, Cause::Unusable, &told);
        let prefix = Path::from_url_path(path).map_err(|error| unusable(error.to_string()))?;
        let directory = format!("/{prefix}");
        std::fs::create_dir_all(&directory).map_err(|error| unusable(error.to_string()))?;
        let files = LocalFileSystem::new_with_prefix(&directory)
            .map_err(|error| unusable(error.to_string()))?
            .with_fsync(true);
        let (store, parts) = (Arc::new(files) as _, None);
        // A disk that failed is not asked again, and what it holds is as it says.
        let remote = Remote { store, parts, marks: false, patience: Patience::NONE };
        Ok(Self { remote, prefix: Path::default() })
    }
}

impl Remote {
    /// Takes a store that has parts and marks.
    pub(crate) fn of<S>(store: Arc<S>) -> Self
    where
        S: object_store::ObjectStore + object_store::multipart::MultipartStore,
    {
        let parts = Some(Parts(Arc::clone(&store) as _));
        Self { store, parts, marks: true, patience: Patience::default() }
    }
}

fn failed(url: &str, cause: Cause, told: &str) -> ObjectsError {
    ObjectsError { step: Step::Open, url: url.to_owned(), cause, told: told.to_owned() }
}

#[cfg(not(feature = "cloud"))]
mod cloud {
    use super::{Cause, ObjectsError, Remote, failed};

    pub(super) fn open(url: &str, _: &str, _: &str) -> Result<Remote, ObjectsError> {
        Err(failed(url, Cause::NotBuilt, "this build has no client for it"))
    }
}

#[cfg(feature = "cloud")]
use crate::cloud;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_told_from_a_path() {
        for url in ["s3://bucket/path", "file:///tmp", "memory:///", "x+y-1.z://"] {
            assert!(is_url(url), "{url}");
        }
        for path in ["checkpoints", "/a/b", "a:/b", "://x", "a/b://c", ""] {
            assert!(!is_url(path), "{path}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_url_is_told_with_what_to_give() {
        for (url, told) in [
            ("checkpoints", "it is no URL"),
            ("ftp://host/path", "no store goes by that scheme"),
            ("s3:///path", "it names no bucket"),
            ("file://host/path", "a file has no host: give file:///path"),
            ("s3://bucket/path?versionId=1", "what stands behind ? or # is not understood"),
        ] {
            let error = Location::open(url).map(drop).unwrap_err();
            assert_eq!((error.cause, &*error.told), (Cause::Unusable, told), "{url}");
        }
    }

    #[test]
    #[cfg(not(feature = "cloud"))]
    fn a_build_without_clients_says_how_to_get_them() {
        let error = Location::open("s3://bucket/path").map(drop).unwrap_err();
        assert_eq!(error.cause, Cause::NotBuilt);
        assert!(error.to_string().contains("--features objects"), "{error}");
    }
}
