//! Where the cells of tables begin, in tables of tables.

/// The tables that are open, and the cell that is open in each. Cells outside of tables are cells, too.
#[derive(Default)]
pub(super) struct Cells {
    /// Those of the tables around the innermost.
    around: Vec<Option<usize>>,
    /// That of the innermost table.
    cell: Option<usize>,
}

impl Cells {
    pub(super) fn open_table(&mut self) {
        self.around.push(self.cell.take());
    }

    pub(super) fn close_table(&mut self) {
        self.cell = self.around.pop().flatten();
    }

    /// A row begins or ends, and with it the cell that nobody ended.
    pub(super) fn row(&mut self) {
        self.cell = None;
    }

    /// A cell begins behind so many octets of the text.
    pub(super) fn open_cell(&mut self, at: usize) {
        self.cell = Some(at);
    }

    /// The cell that is open ends: where it began.
    pub(super) fn close_cell(&mut self) -> Option<usize> {
        self.cell.take()
    }
}
