//! Env files: `KEY=value` lines with quotes, escapes, comments and variables; and the raw form without any of it.
//!
//! Pure text work over a lookup. Errors carry the line; values never appear in them.

use std::collections::BTreeMap;

use super::template::{self, Lookup};

/// What is wrong with an env file, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct EnvFileError {
    /// The line, from 1.
    pub line: u32,
    /// What is wrong.
    pub message: String,
}

/// Reads a file into `vars`; `outer` answers first for variables, then what was read before.
///
/// # Errors
/// At the first line that is not `KEY=value`, has an open quote or a malformed variable.
pub fn parse(
    text: &str,
    outer: &dyn Lookup,
    vars: &mut BTreeMap<String, String>,
) -> Result<(), EnvFileError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut parser = Parser { line: 1, outer };
    let mut rest = parser.statement(text);
    while !rest.is_empty() {
        let (key, after, inherited) = parser.key(rest)?;
        if key.contains(' ') {
            return Err(parser.fail("the key contains a space".to_owned()));
        }
        let after = if inherited {
            if let Some(value) = outer.get(&key).or_else(|| vars.get(&key).cloned()) {
                vars.insert(key, value);
            }
            after
        } else {
            let (value, after) = parser.value(after, vars)?;
            vars.insert(key, value);
            after
        };
        rest = parser.statement(after);
    }
    Ok(())
}

/// Reads a file of plain lines: everything after the first `=` is the value.
///
/// # Errors
/// At the first line without a key or with white space in it.
pub fn parse_raw(
    text: &str,
    outer: &dyn Lookup,
    vars: &mut BTreeMap<String, String>,
) -> Result<(), EnvFileError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (index, line) in text.lines().enumerate() {
        let line = line.trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let fail = |message: &str| EnvFileError {
            line: u32::try_from(index + 1).unwrap_or(u32::MAX),
            message: message.to_owned(),
        };
        let (key, value) = match line.split_once('=') {
            Some((key, value)) => (key, Some(value)),
            None => (line, None),
        };
        if key.is_empty() {
            return Err(fail("the line has no variable name"));
        }
        if key.contains([' ', '\t']) {
            return Err(fail("the variable name contains white space"));
        }
        if let Some(value) = value.map(str::to_owned).or_else(|| outer.get(key)) {
            vars.insert(key.to_owned(), value);
        }
    }
    Ok(())
}

struct Parser<'a> {
    line: u32,
    outer: &'a dyn Lookup,
}

/// White space within a line.
fn is_blank(c: char) -> bool {
    matches!(c, '\t' | '\u{b}' | '\u{c}' | '\r' | ' ' | '\u{85}' | '\u{a0}')
}

impl Parser<'_> {
    fn fail(&self, message: String) -> EnvFileError {
        EnvFileError { line: self.line, message }
    }

    fn count_lines(&mut self, text: &str) {
        let lines = text.bytes().filter(|byte| *byte == b'\n').count();
        self.line = self.line.saturating_add(u32::try_from(lines).unwrap_or(u32::MAX));
    }

    /// Skips white space and comments.
    fn statement<'t>(&mut self, mut text: &'t str) -> &'t str {
        loop {
            let rest = text.trim_start();
            let skipped = text.len() - rest.len();
            self.count_lines(text.get(..skipped).unwrap_or_default());
            if !rest.starts_with('#') {
                return rest;
            }
            let Some((_, after)) = rest.split_once('\n') else {
                return "";
            };
            self.line = self.line.saturating_add(1);
            text = after;
        }
    }

    /// The key, what follows it, and whether the line is a bare key.
    fn key<'t>(&mut self, text: &'t str) -> Result<(String, &'t str, bool), EnvFileError> {
        let exported = text.strip_prefix("export").filter(|rest| rest.starts_with(char::is_whitespace));
        let text = exported.map_or(text, |rest| rest.trim_start_matches(is_blank));
        for (index, letter) in text.char_indices() {
            match letter {
                '=' | ':' | '\n' => {
                    let key = text.get(..index).unwrap_or_default();
                    let after = text.get(index + 1..).unwrap_or_default();
                    let inherited = letter == '\n';
                    if inherited && !key.contains(' ') {
                        self.line = self.line.saturating_add(1);
                    }
                    let key = key.trim_end().to_owned();
                    return Ok((key, after.trim_start_matches(is_blank), inherited));
                }
                '_' | '.' | '-' | '[' | ']' => {}
                c if is_blank(c) || c.is_alphabetic() || c.is_numeric() => {}
                c => {
                    return Err(self.fail(format!("unexpected character {c:?} in a variable name")));
                }
            }
        }
        // A bare key in a last line without an end is taken for a value without a key, as in the original.
        Ok((String::new(), text, false))
    }

    fn value<'t>(
        &mut self,
        text: &'t str,
        vars: &BTreeMap<String, String>,
    ) -> Result<(String, &'t str), EnvFileError> {
        if let Some(quote @ ('"' | '\'')) = text.chars().next() {
            return self.quoted(text, quote, vars);
        }
        let (line, rest) = text.split_once('\n').unwrap_or((text, ""));
        let value = line.split_once(" #").map_or(line, |(value, _)| value).trim_end();
        let value = self.expand(value, vars)?;
        self.line = self.line.saturating_add(1);
        Ok((value, rest))
    }

    fn quoted<'t>(
        &mut self,
        text: &'t str,
        quote: char,
        vars: &BTreeMap<String, String>,
    ) -> Result<(String, &'t str), EnvFileError> {
        let start = self.line;
        let mut value = String::new();
        let mut escaped = false;
        for (index, letter) in text.char_indices().skip(1) {
            if letter == '\n' {
                self.line = self.line.saturating_add(1);
            }
            if letter != quote {
                if !escaped && letter == '\\' {
                    escaped = true;
                    continue;
                }
                if std::mem::take(&mut escaped) {
                    value.push('\\');
                }
                value.push(letter);
            } else if std::mem::take(&mut escaped) {
                value.push(letter);
            } else {
                let value = if quote == '"' { self.expand(&escapes(&value), vars)? } else { value };
                return Ok((value, text.get(index + 1..).unwrap_or_default()));
            }
        }
        self.line = start;
        Err(self.fail("a quoted value is not closed".to_owned()))
    }

    fn expand(&self, text: &str, vars: &BTreeMap<String, String>) -> Result<String, EnvFileError> {
        let lookup = Layered { outer: self.outer, vars };
        template::substitute(text, &lookup).map_err(|error| self.fail(error.to_string()))
    }
}

struct Layered<'a> {
    outer: &'a dyn Lookup,
    vars: &'a BTreeMap<String, String>,
}

impl Lookup for Layered<'_> {
    fn get(&self, name: &str) -> Option<String> {
        self.outer.get(name).or_else(|| self.vars.get(name).cloned())
    }
    fn unset(&self, name: &str) {
        self.outer.unset(name);
    }
}

/// Expands the escapes of a double-quoted value; `\$` becomes `$$`, which stands for a `$` later.
fn escapes(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        out.push_str(before);
        let mut letters = after.chars();
        let plain = match letters.next() {
            Some('a') => "\u{7}",
            Some('b') => "\u{8}",
            Some('f') => "\u{c}",
            Some('n') => "\n",
            Some('r') => "\r",
            Some('t') => "\t",
            Some('v') => "\u{b}",
            Some('"') => "\"",
            Some('\\') => "\\",
            Some('$') => "$$",
            Some('0') => {
                rest = octal(after, &mut out);
                continue;
            }
            // Not an escape: the backslash stays.
            _ => {
                out.push('\\');
                rest = after;
                continue;
            }
        };
        out.push_str(plain);
        rest = letters.as_str();
    }
    out.push_str(rest);
    out
}

/// `\0` with three octal digits; with anything else the zero is lost, as in the original.
fn octal<'t>(after: &'t str, out: &mut String) -> &'t str {
    let digits: String = after.chars().skip(1).take(3).take_while(char::is_ascii_digit).collect();
    let code = (digits.len() == 3).then(|| u32::from_str_radix(&digits, 8).ok()).flatten();
    if let Some(letter) = code.filter(|code| *code < 256).and_then(char::from_u32) {
        out.push(letter);
    } else {
        out.push('\\');
        out.push_str(&digits);
    }
    after.get(1 + digits.len()..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Outer;
    impl Lookup for Outer {
        fn get(&self, name: &str) -> Option<String> {
            (name == "OS").then(|| "os".to_owned())
        }
        fn unset(&self, _: &str) {}
    }

    fn read(text: &str) -> Result<Vec<String>, (u32, String)> {
        let mut vars = BTreeMap::new();
        parse(text, &Outer, &mut vars).map_err(|error| (error.line, error.message))?;
        Ok(vars.iter().map(|(key, value)| format!("{key}={value}")).collect())
    }

    #[test]
    fn all_line_forms() {
        let text = "\u{feff}# c\nA=1 # c\nB: two\nexport C='$A x'\nD=\"$A\\n\\$A\\t\\\"\"\nOS\nNO\nE=a#b\nF=$OS-${A}\nG='m\nl'\nH=\n";
        let expected =
            vec!["A=1", "B=two", "C=$A x", "D=1\n$A\t\"", "E=a#b", "F=os-1", "G=m\nl", "H=", "OS=os"];
        assert_eq!(read(text).unwrap(), expected);
    }

    #[test]
    fn octal_escapes() {
        assert_eq!(read("A=\"\\0101\\0\\08\\0777\"\n").unwrap(), ["A=A\\\\8\\777"]);
    }

    #[test]
    fn errors_tell_the_line() {
        assert_eq!(read("A=1\n\nB C=2\n").unwrap_err().0, 3);
        assert_eq!(read("A=1\nB=\"open\n").unwrap_err().0, 2);
        assert_eq!(read("A!=1").unwrap_err().0, 1);
    }

    #[test]
    fn raw_takes_everything_literally() {
        let mut vars = BTreeMap::new();
        parse_raw("# c\nA='x' # y\n  B=$A\nOS\nNO\n", &Outer, &mut vars).unwrap();
        assert_eq!(vars.get("A").map(String::as_str), Some("'x' # y"));
        assert_eq!(vars.get("B").map(String::as_str), Some("$A"));
        assert_eq!(vars.get("OS").map(String::as_str), Some("os"));
        assert_eq!(vars.len(), 3);
        assert!(parse_raw("A B=1", &Outer, &mut vars).is_err());
    }
}
