//! How one scalar is written: plain where it reads back as the same text, else in single or double quotes.

use crate::load::resolves_to_text;

/// Writes a text that is not a literal block.
pub(super) fn write(text: &str, indent: usize, out: &mut String) {
    let facts = Facts::of(text);
    let lines = text.contains('\n');
    if lines || !plain_means_text(text) || facts.needs_escapes {
        double_quoted(text, out);
    } else if facts.needs_quotes {
        single_quoted(text, indent, out);
    } else {
        out.push_str(text);
    }
}

/// Whether a text with line breaks can stand in a block.
pub(super) fn may_be_literal(text: &str) -> bool {
    let hidden = text.chars().any(|c| c != '\t' && !is_printable(c));
    !hidden && !text.ends_with(' ') && !text.contains(" \n")
}

/// A float as Go's `%g` with the shortest digits: exponents below 1e-4 and from 1e6 on.
pub(super) fn float(number: f64, exponent_form: &str) -> String {
    if number.is_nan() {
        return ".nan".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { ".inf" } else { "-.inf" }.to_owned();
    }
    let (digits, power) = exponent_form.split_once('e').unwrap_or((exponent_form, "0"));
    let power: i32 = power.parse().unwrap_or(0);
    if (-4..6).contains(&power) {
        return crate::json::expand(&format!("{digits}e{power}"));
    }
    let sign = if power < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", power.unsigned_abs())
}

/// Whether a reader takes the text, unquoted, for text. Old words and forms for booleans and numbers count as such.
fn plain_means_text(text: &str) -> bool {
    const OLD_BOOLEANS: &[&str] =
        &["y", "Y", "yes", "Yes", "YES", "on", "On", "ON", "n", "N", "no", "No", "NO", "off", "Off", "OFF"];
    resolves_to_text(text) && !OLD_BOOLEANS.contains(&text) && !is_base_60(text)
}

/// `[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?`
fn is_base_60(text: &str) -> bool {
    let body = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (body, fraction) = body.split_once('.').unwrap_or((body, ""));
    let mut parts = body.split(':');
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit() || b == b'_');
    let whole = parts.next().unwrap_or_default();
    let mut count = 0_usize;
    let sixties = parts.all(|part| {
        count += 1;
        let number = part.parse::<u8>().is_ok_and(|number| number < 60);
        number && part.len() <= 2 && part.bytes().all(|b| b.is_ascii_digit())
    });
    whole.starts_with(|c: char| c.is_ascii_digit())
        && digits(whole)
        && sixties
        && count > 0
        && digits(fraction)
}

/// What of a text decides about its quotes.
struct Facts {
    /// It may not stand plain.
    needs_quotes: bool,
    /// It may not stand in single quotes.
    needs_escapes: bool,
}

impl Facts {
    fn of(text: &str) -> Self {
        let letters: Vec<char> = text.chars().collect();
        let mut quotes = text.starts_with("---") || text.starts_with("...");
        let mut escapes = false;
        let mut before = ' ';
        for (index, &letter) in letters.iter().enumerate() {
            let next = letters.get(index + 1).copied().unwrap_or(' ');
            let blank_next = matches!(next, ' ' | '\t') || is_break(next);
            quotes |= match letter {
                '?' | '-' => index == 0 && blank_next,
                ':' => blank_next,
                '#' => index == 0 || matches!(before, ' ' | '\t') || is_break(before),
                ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@' | '`' => {
                    index == 0
                }
                ' ' => index == 0 || index + 1 == letters.len() || is_break(before),
                other => is_break(other),
            };
            escapes |= !is_printable(letter) || (letter == ' ' && is_break(before));
            escapes |= is_break(letter) && before == ' ' && index > 0;
            before = letter;
        }
        Self { needs_quotes: quotes, needs_escapes: escapes }
    }
}

fn is_break(letter: char) -> bool {
    matches!(letter, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// The characters that the library writes as they are.
fn is_printable(letter: char) -> bool {
    matches!(letter, '\n' | ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}')
        && letter != '\u{feff}'
}

fn single_quoted(text: &str, indent: usize, out: &mut String) {
    out.push('\'');
    let mut broken = false;
    for letter in text.chars() {
        if broken && !is_break(letter) {
            // The library indents what follows a line separator, though it stays on the line.
            out.extend(std::iter::repeat_n(' ', indent));
        }
        broken = is_break(letter);
        if letter == '\'' {
            out.push('\'');
        }
        out.push(letter);
    }
    out.push('\'');
}

fn double_quoted(text: &str, out: &mut String) {
    out.push('"');
    for letter in text.chars() {
        let short = match letter {
            '\0' => '0',
            '\u{7}' => 'a',
            '\u{8}' => 'b',
            '\t' => 't',
            '\n' => 'n',
            '\u{b}' => 'v',
            '\u{c}' => 'f',
            '\r' => 'r',
            '\u{1b}' => 'e',
            '"' => '"',
            '\\' => '\\',
            '\u{85}' => 'N',
            '\u{2028}' => 'L',
            '\u{2029}' => 'P',
            plain if is_printable(plain) => {
                out.push(plain);
                continue;
            }
            other => {
                let code = u32::from(other);
                out.push_str(&match code {
                    ..=0xff => format!("\\x{code:02X}"),
                    0x100..=0xffff => format!("\\u{code:04X}"),
                    _ => format!("\\U{code:08X}"),
                });
                continue;
            }
        };
        out.push('\\');
        out.push(short);
    }
    out.push('"');
}
