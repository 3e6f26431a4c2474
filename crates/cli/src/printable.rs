//! Text of strangers on a terminal: it must neither do anything there nor look like something else.

#[cfg(any(feature = "list", feature = "load"))]
use std::fmt::Write as _;

use unicode_width::UnicodeWidthChar;

/// Marks without a width of their own that one letter may carry; heaps of them run over other lines.
const MAX_MARKS: usize = 2;

/// Of an error or a change, which are a line each.
const MAX_LINE: usize = 1_000;

/// A text as one line for people: breaks are spaces, and the rest is [`printable`].
pub(crate) fn line(text: &str) -> String {
    printable(&text.trim_end().replace('\n', " "), MAX_LINE)
}

/// A text in one line, in so many columns at the most; what is too long ends with an ellipsis. What would act on the
/// terminal, change the direction of writing or not be seen is shown by its number.
pub(crate) fn printable(text: &str, max_columns: usize) -> String {
    let mut shown = String::new();
    let mut columns = 0;
    let mut marks = 0;
    for letter in text.chars() {
        let width = letter.width().unwrap_or(0);
        marks = if width == 0 { marks + 1 } else { 0 };
        let (piece, width) = if acts_or_hides(letter) || marks > MAX_MARKS {
            let number = letter.escape_unicode().to_string();
            let width = number.len();
            (number, width)
        } else {
            (letter.to_string(), width)
        };
        if columns + width > max_columns {
            return shortened(shown, max_columns);
        }
        columns += width;
        shown.push_str(&piece);
    }
    shown
}

/// JSON that means the same, with everything that acts on a terminal written as escapes: it only stands in texts.
#[cfg(any(feature = "list", feature = "load"))]
pub(crate) fn printable_json(json: &str) -> String {
    let mut shown = String::with_capacity(json.len());
    for letter in json.chars() {
        if acts_or_hides(letter) {
            for unit in letter.encode_utf16(&mut [0; 2]) {
                // Writing to a text does not fail.
                let _ = write!(shown, "\\u{unit:04x}");
            }
        } else {
            shown.push(letter);
        }
    }
    shown
}

/// How many columns a text takes that is fit to be shown.
pub(crate) fn columns(text: &str) -> usize {
    text.chars().map(|letter| letter.width().unwrap_or(0)).sum()
}

/// A text in exactly so many columns.
#[cfg(any(feature = "list", feature = "monitor"))]
pub(crate) fn padded(text: &str, width: usize) -> String {
    let mut shown = printable(text, width);
    let missing = width.saturating_sub(columns(&shown));
    shown.extend(std::iter::repeat_n(' ', missing));
    shown
}

fn shortened(mut shown: String, max_columns: usize) -> String {
    while columns(&shown) >= max_columns && shown.pop().is_some() {}
    if max_columns > 0 {
        shown.push('…');
    }
    shown
}

fn acts_or_hides(letter: char) -> bool {
    letter.is_control()
        || matches!(
            letter,
            // Soft hyphen, marks and overrides of direction (Unicode, UAX 9), joiners and other signs that are not
            // seen, separators of lines, variation selectors, annotations, tags.
            '\u{ad}'
                | '\u{61c}'
                | '\u{115f}'
                | '\u{1160}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{3164}'
                | '\u{fe00}'..='\u{fe0f}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_acts_on_a_terminal_is_shown_by_its_number() {
        assert_eq!(printable("\x1b[2Jx", 40), "\\u{1b}[2Jx");
        assert_eq!(printable("a\nb\u{9b}31m", 40), "a\\u{a}b\\u{9b}31m");
        assert_eq!(printable("\u{202e}gpj.exe", 40), "\\u{202e}gpj.exe");
        assert_eq!(printable("a\u{200b}b\u{feff}", 40), "a\\u{200b}b\\u{feff}");
    }

    #[test]
    fn a_text_takes_no_more_columns_than_it_has() {
        assert_eq!(printable("front door", 10), "front door");
        assert_eq!(printable("front doors", 10), "front doo…");
        assert_eq!(printable("前門前門", 5), "前門…");
        assert_eq!(printable("abc\x1b", 6), "abc…");
        assert_eq!(printable("abc", 0), "");
        #[cfg(any(feature = "list", feature = "monitor"))]
        assert_eq!(padded("前門", 6), "前門  ");
        let heap = format!("a{}", "\u{301}".repeat(1000));
        let shown = printable(&heap, 12);
        assert_eq!(
            shown.chars().filter(|letter| *letter == '\u{301}').count(),
            MAX_MARKS
        );
        assert!(columns(&shown) <= 12, "{shown}");
        assert_eq!(printable("Tür für Ömer, 東京", 40), "Tür für Ömer, 東京");
    }

    #[test]
    fn an_error_is_one_line() {
        assert_eq!(line("not found:\n\u{9b}2J\n"), "not found: \\u{9b}2J");
        assert!(line(&"x".repeat(9_999)).len() < 1_010);
    }

    #[cfg(any(feature = "list", feature = "load"))]
    #[test]
    fn json_means_the_same_and_does_nothing() {
        let json = "{\"a\":\"\u{9b}\u{202e}\u{e0041}ü\"}";
        let shown = printable_json(json);
        assert_eq!(shown, r#"{"a":"\u009b\u202e\udb40\udc41ü"}"#);
    }
}
