//! Names in error texts.

use std::fmt;

/// Writes a text as Python writes it (`repr`), because the original server does so in its errors: in single
/// quotes, or in double ones where it holds single ones only, and what cannot be printed escaped.
pub(super) struct Literal<'a>(pub(super) &'a str);

impl fmt::Display for Literal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write;

        let quote = if self.0.contains('\'') && !self.0.contains('"') {
            '"'
        } else {
            '\''
        };
        f.write_char(quote)?;
        for character in self.0.chars() {
            match character {
                '\\' => f.write_str("\\\\")?,
                '\t' => f.write_str("\\t")?,
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                _ if character == quote => write!(f, "\\{quote}")?,
                ' '..='~' => f.write_char(character)?,
                _ if is_printable(character) => f.write_char(character)?,
                '\0'..='\u{ff}' => write!(f, "\\x{:02x}", u32::from(character))?,
                '\u{100}'..='\u{ffff}' => write!(f, "\\u{:04x}", u32::from(character))?,
                _ => write!(f, "\\U{:08x}", u32::from(character))?,
            }
        }
        f.write_char(quote)
    }
}

/// Whether a character beyond ASCII can be printed; Rust and Python agree on which can. Within a text
/// Rust does not escape characters that extend those before them.
fn is_printable(character: char) -> bool {
    let mut text = String::from("a");
    text.push(character);
    text.escape_debug().nth(1) == Some(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_written_as_python_writes_them() {
        // Each is `repr(text)` of Python 3.11.
        for (text, written) in [
            ("", "''"),
            ("nobody", "'nobody'"),
            ("it's", "\"it's\""),
            ("say \"hi\"", "'say \"hi\"'"),
            ("'\"", r#"'\'"'"#),
            ("a\\b", r"'a\\b'"),
            ("\t\r\n\0\u{7f}\u{1b}[1m", r"'\t\r\n\x00\x7f\x1b[1m'"),
            ("\u{85}\u{a0}\u{ad}ÿ", r"'\x85\xa0\xadÿ'"),
            ("Zoë 日本 😀 e\u{301}", "'Zoë 日本 😀 e\u{301}'"),
            (
                "\u{200b}\u{2028}\u{feff}\u{e000}",
                r"'\u200b\u2028\ufeff\ue000'",
            ),
            ("\u{e0001}", r"'\U000e0001'"),
        ] {
            assert_eq!(Literal(text).to_string(), written);
        }
    }
}
