//! A message as mail, in plain text.

use super::{AlertMessage, Since, line};

/// Subject and text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// One line.
    pub subject: String,
    /// Lines, each with its end.
    pub text: String,
}

/// Servers cut or refuse longer lines of a header.
const LONGEST_SUBJECT: usize = 200;

impl From<&AlertMessage> for Mail {
    fn from(message: &AlertMessage) -> Self {
        let mut text = format!(
            "{} of {}/{}, {}\n",
            line(&message.droplet),
            message.fleet,
            message.environment,
            message.at
        );
        for (section, items) in message.sections() {
            for item in items {
                text.push_str(&format!("\n{} {}\n", section.mark(item.level), line(&item.what)));
                text.push_str(&format!("  {}\n", line(&item.why)));
                if !item.hint.is_empty() {
                    text.push_str(&format!("  hint: {}\n", line(&item.hint)));
                }
                text.push_str(&format!("  {}, {}\n", item.id, Since(section, item)));
            }
        }
        for remark in message.remarks() {
            text.push_str(&format!("\n{remark}\n"));
        }
        Self { subject: line(&message.title()).chars().take(LONGEST_SUBJECT).collect(), text }
    }
}
