//! What can fail in an object store, and where.

use std::error::Error;
use std::fmt;

/// A step that an object store failed to take.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ObjectsError {
    /// What was to be done.
    pub step: Step,
    /// To which object or place: its URL.
    pub url: String,
    /// What kind of failure it was.
    pub cause: Cause,
    /// What the store or its client says.
    pub told: String,
}

/// What an [`ObjectsError`] was about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Step {
    /// Making sense of a URL and of the settings that go with it.
    Open,
    /// Listing what is below a prefix.
    List,
    /// Creating a manifest.
    Publish,
    /// Reading an object or its length.
    Read,
    /// Removing an object.
    Remove,
    /// Creating an object, whole or in parts.
    Write,
}

/// Why a step failed, as far as it tells what to do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Cause {
    /// The credentials are none, or may not do this.
    Denied,
    /// The store answers that it cannot now: overloaded or broken.
    Failing,
    /// There is no such bucket or container.
    NoBucket,
    /// The store does not keep two processes from creating one object.
    NoFence,
    /// This build has no client for the store.
    NotBuilt,
    /// The store refuses the request.
    Refused,
    /// The store does not answer.
    Silent,
    /// No URL of an object store, or settings that do not go together.
    Unusable,
}

impl Cause {
    /// Returns what to do about it.
    pub const fn advice(self) -> &'static str {
        match self {
            Self::Denied => "check the credentials, and that they may get, put, list and delete",
            Self::Failing => "try again once the store recovers",
            Self::NoBucket => "create the bucket, or check the URL",
            Self::NoFence => "choose a store that honours If-None-Match",
            Self::NotBuilt => {
                "build with object stores (cargo build --release -p holdwater-cli --features \
                 objects)"
            }
            Self::Refused => "check the URL, the region and the settings of the store",
            Self::Silent => "check the endpoint and the network, then try again",
            Self::Unusable => {
                "give a URL such as s3://bucket/path, gs://bucket/path or az://container/path"
            }
        }
    }
}

/// Writes one line, with what the store says and what to do.
impl fmt::Display for ObjectsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { step, url, cause, told } = self;
        write!(f, "cannot {step} {url}: {told}; {}", cause.advice())
    }
}

impl Error for ObjectsError {}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "open",
            Self::List => "list",
            Self::Publish => "publish",
            Self::Read => "read",
            Self::Remove => "remove",
            Self::Write => "write",
        })
    }
}
