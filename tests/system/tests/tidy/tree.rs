//! The files of the repository that people write by hand.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

/// Texts by path, relative to the root of the repository, with `/` between the names.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    files: BTreeMap<String, String>,
}

impl Tree {
    /// Reads Rust, Markdown, TOML, the Makefile and scripts below `root`.
    pub(crate) fn read(root: &Path) -> io::Result<Self> {
        let mut tree = Self::default();
        tree.read_folder(root, "")?;
        Ok(tree)
    }

    /// Adds a file.
    pub(crate) fn insert(&mut self, path: &str, text: &str) {
        self.files.insert(path.to_owned(), text.to_owned());
    }

    /// Returns the text at `path`.
    pub(crate) fn file(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(String::as_str)
    }

    /// Returns all files, in the order of their paths.
    pub(crate) fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().map(|(path, text)| (path.as_str(), text.as_str()))
    }

    fn read_folder(&mut self, folder: &Path, prefix: &str) -> io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            let path = format!("{prefix}{name}");
            if entry.file_type()?.is_dir() {
                // Cargo marks what it builds with this file, whatever the folder is called.
                let built = entry.path().join("CACHEDIR.TAG").exists();
                if !built && (!name.starts_with('.') || name == ".ci") {
                    self.read_folder(&entry.path(), &format!("{path}/"))?;
                }
            } else if is_written_by_hand(&path) {
                let bytes = fs::read(entry.path())?;
                self.insert(&path, &String::from_utf8_lossy(&bytes));
            }
        }
        Ok(())
    }
}

fn is_written_by_hand(path: &str) -> bool {
    [".rs", ".md", ".toml", ".sh"].iter().any(|ending| path.ends_with(ending))
        || path == "Makefile"
        || path.starts_with(".ci/")
}
