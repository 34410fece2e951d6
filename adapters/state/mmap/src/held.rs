//! What all kinds of state share, whatever their rows hold.

/// Implements `State` for a type with a `table` and `load_row`, and perhaps with `settle`, which
/// follows a change of the rows.
macro_rules! state {
    ($state:ident<$($type:ident: $bound:path),+> $(, clears $beside:ident)?) => {
        impl<$($type: $bound),+> holdwater::state::State for $state<$($type),+> {
            type Error = MmapError;
            type Frozen = MmapFrozen;

            fn description(&self) -> &holdwater::state::Description {
                &self.table.layout.description
            }

            fn groups(&self) -> holdwater::key::KeyGroups {
                self.table.groups
            }

            fn freeze(&mut self, cut: &holdwater::state::Cut) -> Result<MmapFrozen, MmapError> {
                self.table.freeze(cut)
            }

            fn completed(&mut self, checkpoint: u64) {
                self.table.completed(checkpoint);
            }

            fn aborted(&mut self, checkpoint: u64) {
                self.table.aborted(checkpoint);
            }

            fn load(
                &mut self,
                group: KeyGroup,
                change: Change<'_>,
                form: &Form<'_>,
            ) -> Result<(), LoadError<MmapError>> {
                self.load_row(group, change, form)
            }

            fn adopt(
                &mut self,
                group: KeyGroup,
                part: &holdwater::state::PlacedPart<'_>,
            ) -> Result<bool, LoadError<MmapError>> {
                self.table.adopt(group, part)
            }

            fn loaded(&mut self, checkpoint: u64) {
                self.table.loaded(checkpoint);
            }

            fn clear(&mut self) -> Result<(), MmapError> {
                self.table.clear();
                $(self.$beside.clear();)?
                Ok(())
            }

            fn sweep(&mut self, now: i64, steps: usize) -> Result<usize, MmapError> {
                self.table.sweep(now, steps)
            }

            fn show(
                &self,
                group: KeyGroup,
                key: Option<&[u8]>,
                moment: holdwater::state::Moment,
                out: &mut holdwater::state::RowWriter<'_>,
            ) -> Result<(), holdwater::state::SaveError<MmapError>> {
                self.table.show(group, key, moment, out)
            }

            fn bytes(&self) -> u64 {
                self.table.bytes()
            }

            fn rows(&self) -> u64 {
                self.table.rows()
            }
        }
    };
}

pub(crate) use state;
