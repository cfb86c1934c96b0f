//! A message as Slack's incoming webhooks take it, and what is compatible with them.

use serde_json::{Value, json};

use super::{AlertMessage, Item, Section, Since, line};

/// Slack cuts longer texts.
const LONGEST: usize = 3800;
/// What always has room: the last line.
const LAST: usize = 200;

/// The request's body.
pub fn slack(message: &AlertMessage) -> Value {
    let mut text = format!("*{}*", escaped(&message.title()));
    let mut omitted: usize = 0;
    for (section, items) in message.sections() {
        for item in items {
            let part = part(section, item);
            if omitted > 0 || text.chars().count().saturating_add(part.chars().count()) > LONGEST - LAST {
                omitted = omitted.saturating_add(1);
            } else {
                text.push_str(&part);
            }
        }
    }
    let omitted = omitted.saturating_add(message.omitted);
    for remark in (AlertMessage { omitted, ..message.clone() }).remarks() {
        text.push_str(&format!("\n{}", escaped(&remark)));
    }
    json!({ "text": text.chars().take(LONGEST).collect::<String>() })
}

fn part(section: Section, item: &Item) -> String {
    let mark = section.mark(item.level);
    let (what, why) = (escaped(&line(&item.what)), escaped(&line(&item.why)));
    let mut part = format!("\n*{mark}* {what}: {why} ({}, {})", escaped(&item.id), Since(section, item));
    if !item.hint.is_empty() {
        part.push_str(&format!("\n> {}", escaped(&line(&item.hint))));
    }
    part
}

/// Three characters mean something to Slack wherever they stand.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
