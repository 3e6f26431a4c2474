//! Tables of what strangers say, as plain text.

use crate::printable::{columns, padded, printable};

/// A column: its title, and how wide it may be.
pub(crate) type Column = (&'static str, usize);

/// A row whose cells are fit for a terminal and no wider than their columns.
pub(crate) fn fitted<const N: usize>(titles: &[Column; N], row: [String; N]) -> [String; N] {
    let mut widths = titles.iter();
    row.map(|cell| {
        let width = widths.next().map_or(0, |(_, width)| *width);
        printable(&cell, width)
    })
}

/// The lines of a table with its titles, each column as wide as it has to be; none if there is no row.
pub(crate) fn table<const N: usize>(
    titles: &[Column; N],
    rows: impl Iterator<Item = [String; N]>,
) -> Vec<String> {
    let mut rows: Vec<_> = rows.map(|row| fitted(titles, row)).collect();
    if rows.is_empty() {
        return Vec::new();
    }
    rows.insert(0, titles.map(|(title, _)| title.to_owned()));
    let mut widths = [0; N];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = columns(cell).max(*width);
        }
    }
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(widths);
        let cells: Vec<_> = cells.map(|(cell, width)| padded(cell, width)).collect();
        cells.join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_they_have_to_be() {
        let titles = [("ID", 4), ("NAME", 9), ("META", 9)];
        let row = |cells: [&str; 3]| cells.map(str::to_owned);
        let rows = [
            row(["1", "front door", ""]),
            row(["23456", "\x1b", "前"]),
            row(["", "", "x"]),
        ];
        let expected = [
            "ID    NAME       META",
            "1     front do…",
            "234…  \\u{1b}     前",
            "                 x",
        ];
        assert_eq!(table(&titles, rows.into_iter()), expected);
        assert!(table(&titles, std::iter::empty()).is_empty());
    }
}
