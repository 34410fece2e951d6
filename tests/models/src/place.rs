//! Where checkpoints are kept, by all processes at once.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use holdwater::storage::{ObjectId, Reply, Request};

/// Objects by their names. The power never fails here: what is done stays.
#[derive(Clone, Debug, Default)]
pub(crate) struct Place {
    objects: BTreeMap<ObjectId, Vec<u8>>,
}

impl Place {
    /// Does a step, at once and whole.
    pub(crate) fn perform(&mut self, request: &Request) -> Reply {
        match request {
            Request::Create(id) => match self.objects.entry(*id) {
                Entry::Occupied(_) => return Reply::Exists,
                Entry::Vacant(place) => drop(place.insert(Vec::new())),
            },
            // An object that somebody removed meanwhile is written to all the same.
            Request::Write(id, bytes) => {
                if let Some(object) = self.objects.get_mut(id) {
                    object.extend(bytes);
                }
            }
            Request::Publish { draft, id } => {
                if self.objects.contains_key(id) {
                    return Reply::Exists;
                }
                let Some(content) = self.objects.remove(draft) else { return Reply::Missing };
                self.objects.insert(*id, content);
            }
            Request::List(area) => {
                let found = self.objects.keys().filter(|id| id.area() == *area);
                return Reply::Listed(found.copied().collect());
            }
            Request::Read(id) => {
                return self.objects.get(id).cloned().map_or(Reply::Missing, Reply::Content);
            }
            Request::Remove(id) => {
                if self.objects.remove(id).is_none() {
                    return Reply::Missing;
                }
            }
            Request::Sync(_) | Request::SyncArea(_) => {}
        }
        Reply::Done
    }

    /// Returns whether there is such an object.
    pub(crate) fn has(&self, id: ObjectId) -> bool {
        self.objects.contains_key(&id)
    }
}
