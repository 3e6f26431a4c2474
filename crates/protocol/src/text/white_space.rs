//! Words, as Python's `str.split` finds them.

/// What separates words: Unicode's white space and the four information separators.
pub(super) fn is_white_space(character: char) -> bool {
    character.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&character)
}

/// The first word, which is empty only if there is none, and what follows the white space after it;
/// nothing if that is nothing. White space at the end of what follows stays.
pub(super) fn split_word(text: &str) -> (&str, Option<&str>) {
    let text = text.trim_start_matches(is_white_space);
    let Some(end) = text.find(is_white_space) else {
        return (text, None);
    };
    let rest = text[end..].trim_start_matches(is_white_space);
    (&text[..end], (!rest.is_empty()).then_some(rest))
}

/// Whether the text is one word and nothing else.
pub(super) fn is_word(text: &str) -> bool {
    !text.is_empty() && !text.contains(is_white_space)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_as_python_splits_them() {
        // Each is `text.split(maxsplit=1)` of Python 3.11.
        for (text, split) in [
            ("", ("", None)),
            (" \t\n", ("", None)),
            ("HELLO", ("HELLO", None)),
            ("HELLO ", ("HELLO", None)),
            (" \r\nHELLO\t a  b ", ("HELLO", Some("a  b "))),
            ("a\u{1c}b\u{1f}", ("a", Some("b\u{1f}"))),
            ("a\u{a0}\u{3000}\u{85}b", ("a", Some("b"))),
            ("a\u{200b}b \u{feff}", ("a\u{200b}b", Some("\u{feff}"))),
        ] {
            assert_eq!(split_word(text), split, "{text:?}");
        }
    }
}
