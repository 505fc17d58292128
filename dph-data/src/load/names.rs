//! Unique names for documents.

use std::collections::HashMap;

/// Gives every document a unique name.
#[derive(Default)]
pub(super) struct Names {
    taken: HashMap<String, usize>,
}

impl Names {
    pub(super) fn unique(&mut self, id: Option<String>, number: usize) -> String {
        let id = id.unwrap_or_else(|| number.to_string());
        match self.taken.get_mut(&id) {
            None => {
                self.taken.insert(id.clone(), 1);
                id
            }
            Some(times) => {
                *times += 1;
                let again = format!("{id}#{times}");
                // The recursion repeats only if the file itself has such an id.
                self.unique(Some(again), number)
            }
        }
    }
}
