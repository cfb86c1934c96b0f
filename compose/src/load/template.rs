//! Variable references in text: `$NAME`, `${NAME}` and the operators `:-` `-` `:?` `?` `:+` `+`, nested.
//!
//! Pure text work over a lookup function; used for Compose values and for env files. What is not the start of a
//! reference (`$5`, a `$` at the end) stays as it is, `$$` is a `$`.

/// What is wrong with a reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// `${` is not followed by a reference.
    #[error(
        "invalid variable reference in {text:?}; write `$$` for a literal `$`, or `${{NAME}}` with one of :- - :? ? :+ + after the name"
    )]
    Invalid {
        /// The text, cut when it is long.
        text: String,
    },
    /// A required variable is unset, or empty.
    #[error("required variable {name} is missing a value{}{reason}", if .reason.is_empty() { "" } else { ": " })]
    Required {
        /// The variable.
        name: String,
        /// What the file says about it.
        reason: String,
    },
    /// The result is larger than any value needs to be.
    #[error("the value becomes larger than {limit} bytes when its variables are filled in")]
    TooLarge {
        /// The limit.
        limit: usize,
    },
    /// Defaults within defaults, deeper than anyone writes them.
    #[error("variable references are nested deeper than {limit} levels")]
    TooDeep {
        /// The limit.
        limit: usize,
    },
}

const MAX_BYTES: usize = 1 << 20;
const MAX_DEPTH: usize = 60;

/// Where values come from, and what is told about them.
pub trait Lookup {
    /// The value of a variable.
    fn get(&self, name: &str) -> Option<String>;
    /// A variable without a value and without an operator was filled in as empty.
    fn unset(&self, name: &str);
}

/// Fills in the variables of a text.
///
/// # Errors
/// When a reference is malformed, a required variable is missing, or the result is too large.
pub fn substitute(text: &str, lookup: &dyn Lookup) -> Result<String, TemplateError> {
    if !text.contains('$') {
        return Ok(text.to_owned());
    }
    let mut out = String::new();
    fill(text, (lookup, 0), &mut out)?;
    Ok(out)
}

type Context<'a> = (&'a dyn Lookup, usize);

fn fill(text: &str, context: Context<'_>, out: &mut String) -> Result<(), TemplateError> {
    if context.1 > MAX_DEPTH {
        return Err(TemplateError::TooDeep { limit: MAX_DEPTH });
    }
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        rest = if let Some(after) = after.strip_prefix('$') {
            out.push('$');
            after
        } else if let Some(body) = after.strip_prefix('{') {
            braced(body, (text, context), out)?
        } else {
            let (name, after) = name(after);
            if name.is_empty() {
                out.push('$');
            } else {
                out.push_str(&plain(name, context.0));
            }
            after
        };
        if out.len() > MAX_BYTES {
            return Err(TemplateError::TooLarge { limit: MAX_BYTES });
        }
    }
    out.push_str(rest);
    if out.len() > MAX_BYTES { Err(TemplateError::TooLarge { limit: MAX_BYTES }) } else { Ok(()) }
}

fn plain(name: &str, lookup: &dyn Lookup) -> String {
    lookup.get(name).unwrap_or_else(|| {
        lookup.unset(name);
        String::new()
    })
}

/// Splits the longest variable name off the front.
fn name(text: &str) -> (&str, &str) {
    let first = text.starts_with(|c: char| c == '_' || c.is_ascii_alphabetic());
    let end = text.find(|c: char| c != '_' && !c.is_ascii_alphanumeric()).unwrap_or(text.len());
    text.split_at_checked(if first { end } else { 0 }).unwrap_or(("", text))
}

/// Handles what follows `${` and gives the text after the reference.
fn braced<'t>(
    body: &'t str,
    (whole, context): (&str, Context<'_>),
    out: &mut String,
) -> Result<&'t str, TemplateError> {
    let invalid = || TemplateError::Invalid { text: whole.to_owned() };
    let (name, after) = name(body);
    if name.is_empty() {
        return Err(invalid());
    }
    if let Some(after) = after.strip_prefix('}') {
        out.push_str(&plain(name, context.0));
        return Ok(after);
    }
    let operator = [":-", ":?", ":+", "-", "?", "+"]
        .into_iter()
        .find(|operator| after.starts_with(operator))
        .ok_or_else(invalid)?;
    let after = after.strip_prefix(operator).unwrap_or(after);
    let (operand, after) = operand(after).ok_or_else(invalid)?;
    let mut filled = String::new();
    fill(operand, (context.0, context.1 + 1), &mut filled)?;
    let value = context.0.get(name);
    let present = match operator {
        ":-" | ":?" | ":+" => value.as_deref().is_some_and(|value| !value.is_empty()),
        _ => value.is_some(),
    };
    match (operator, present) {
        (":-" | "-", false) | (":+" | "+", true) => out.push_str(&filled),
        (":?" | "?", false) => {
            return Err(TemplateError::Required { name: name.to_owned(), reason: filled });
        }
        _ => out.push_str(value.as_deref().unwrap_or_default()),
    }
    Ok(after)
}

/// Splits the operand from what follows its closing brace. Braces are matched by counting; where they do not match, the
/// last one of the line closes. A reference never goes over the end of a line.
fn operand(text: &str) -> Option<(&str, &str)> {
    let mut open = 1_usize;
    let mut skip = false;
    let mut last = None;
    for (index, byte) in text.bytes().enumerate() {
        let skipped = std::mem::take(&mut skip);
        match byte {
            b'\n' => break,
            b'}' => {
                last = Some(index);
                // Right after an opening brace one character is passed over, also when it closes.
                if !skipped {
                    open -= 1;
                }
                if open == 0 {
                    break;
                }
            }
            b'{' if !skipped => {
                open += 1;
                skip = true;
            }
            _ => {}
        }
    }
    split_around(text, last?)
}

fn split_around(text: &str, index: usize) -> Option<(&str, &str)> {
    let (operand, rest) = text.split_at_checked(index)?;
    Some((operand, rest.strip_prefix('}')?))
}

#[cfg(test)]
#[path = "template_tests.rs"]
mod tests;
