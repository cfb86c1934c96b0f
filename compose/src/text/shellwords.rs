//! Splitting a command line into words as docker compose does: quotes and backslashes, no operators.
//!
//! An operator (`;`, `&`, `|`, `<`, `>`) outside quotes ends the line there, as in the original; nothing is expanded.

/// The command line has an open quote, a backslash at its end, or an open parenthesis.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "invalid command line {text:?}: a quote or parenthesis is not closed; close it or write the command as a list"
)]
pub struct CommandLineError {
    text: String,
}

#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "the kinds of quotes open and close independently")]
struct Splitter {
    words: Vec<String>,
    word: String,
    got: bool,
    escaped: bool,
    double: bool,
    single: bool,
    back: bool,
    dollar: bool,
}

enum Step {
    Go,
    Stop,
    Invalid,
}

/// Splits a command line into words.
///
/// # Errors
/// When a quote is left open.
pub fn split(text: &str) -> Result<Vec<String>, CommandLineError> {
    let fail = || CommandLineError { text: text.to_owned() };
    let mut state = Splitter::default();
    for letter in text.chars() {
        match state.step(letter) {
            Step::Go => {}
            Step::Stop => break,
            Step::Invalid => return Err(fail()),
        }
    }
    if state.got {
        state.words.push(std::mem::take(&mut state.word));
    }
    if state.escaped || state.is_quoted() {
        return Err(fail());
    }
    Ok(state.words)
}

impl Splitter {
    fn step(&mut self, letter: char) -> Step {
        if self.escaped {
            self.word.push(letter);
            self.escaped = false;
            self.got = true;
            return Step::Go;
        }
        match letter {
            '\\' if self.single => self.word.push('\\'),
            '\\' => self.escaped = true,
            ' ' | '\t' | '\r' | '\n' => self.blank(letter),
            '`' if !self.single && !self.double && !self.dollar => {
                self.back = !self.back;
                self.word.push('`');
                self.got = true;
            }
            ')' if !self.single && !self.double && !self.back => {
                self.dollar = !self.dollar;
                self.word.push(')');
                self.got = true;
            }
            '(' if !self.single && !self.double && !self.back => {
                if self.dollar || !self.word.ends_with('$') {
                    return Step::Invalid;
                }
                self.dollar = true;
                self.word.push('(');
            }
            '"' if !self.single && !self.dollar => {
                // An empty pair of quotes is a word too.
                self.got |= self.double;
                self.double = !self.double;
            }
            '\'' if !self.double && !self.dollar => {
                self.got |= self.single;
                self.single = !self.single;
            }
            ';' | '&' | '|' | '<' | '>' if !self.is_quoted() => {
                // A digit before `>` names a file descriptor, not a word.
                if letter == '>' && self.word.starts_with(|c: char| c.is_ascii_digit()) {
                    self.got = false;
                }
                return Step::Stop;
            }
            other => {
                self.word.push(other);
                self.got = true;
            }
        }
        Step::Go
    }

    fn is_quoted(&self) -> bool {
        self.single || self.double || self.back || self.dollar
    }

    fn blank(&mut self, letter: char) {
        if self.is_quoted() {
            self.word.push(letter);
        } else if self.got {
            self.words.push(std::mem::take(&mut self.word));
            self.got = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_quotes_and_operators() {
        for (text, words) in [
            ("", vec![]),
            ("a  b\tc", vec!["a", "b", "c"]),
            ("sh -c 'a b' \"c d\"", vec!["sh", "-c", "a b", "c d"]),
            ("a\\ b '' \"\"", vec!["a b", "", ""]),
            ("a; b", vec!["a"]),
            ("a 2>x", vec!["a"]),
            ("a b>x", vec!["a", "b"]),
            ("echo $(a b) `c d`", vec!["echo", "$(a b)", "`c d`"]),
            ("'a\\b'", vec!["a\\b"]),
        ] {
            assert_eq!(split(text).unwrap(), words, "{text}");
        }
    }

    #[test]
    fn what_is_left_open_is_refused() {
        for text in ["'a", "\"a", "a\\", "(a)", "a )", "`a"] {
            assert!(split(text).is_err(), "{text}");
        }
    }
}
