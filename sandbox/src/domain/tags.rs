//! Tags: compared without regard to case, kept in their first spelling.

use super::Refusal;
use crate::account::state::{State, Tag};

const LONGEST: usize = 255;

/// What makes two spellings the same tag.
pub fn fold(name: &str) -> String {
    name.to_ascii_lowercase()
}

/// The tag of this name, made if it is new.
///
/// # Errors
/// When the name holds a character that no tag may have.
pub fn ensure(state: &mut State, name: &str) -> Result<Tag, Refusal> {
    check(name)?;
    let tag =
        state.tags.entry(fold(name)).or_insert_with(|| Tag { name: name.to_owned(), last_droplet: None });
    Ok(tag.clone())
}

fn check(name: &str) -> Result<(), Refusal> {
    let allowed = |character: char| character.is_ascii_alphanumeric() || matches!(character, '_' | '-' | ':');
    if name.is_empty() {
        return Err(Refusal::BadTag("Error validating resource tag: a tag name can't be blank".to_owned()));
    }
    if name.len() > LONGEST {
        return Err(Refusal::BadTag(format!(
            "Error validating resource tag: a tag name has at most {LONGEST} characters"
        )));
    }
    if !name.chars().all(allowed) {
        return Err(Refusal::BadTag(format!(
            "Error validating resource tag: {name:?} contains invalid characters"
        )));
    }
    Ok(())
}

/// The tag of this name.
///
/// # Errors
/// When there is none.
pub fn find<'a>(state: &'a State, name: &str) -> Result<&'a Tag, Refusal> {
    state.tags.get(&fold(name)).ok_or(Refusal::NotFound)
}

/// Removes a tag from the account and from everything that carries it.
///
/// # Errors
/// When there is none.
pub fn delete(state: &mut State, name: &str) -> Result<(), Refusal> {
    let tag = state.tags.remove(&fold(name)).ok_or(Refusal::NotFound)?;
    for droplet in state.droplets.values_mut() {
        droplet.tags.retain(|carried| *carried != tag.name);
    }
    for firewall in state.firewalls.values_mut() {
        firewall.tags.retain(|carried| *carried != tag.name);
    }
    Ok(())
}

/// Something to tag, as requests name it.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct Resource {
    /// Its id; a number or a text.
    pub resource_id: serde_json::Value,
    /// Its kind.
    pub resource_type: String,
}

/// Whether a tag is put on or taken off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tagging {
    /// Put on.
    Tag,
    /// Taken off.
    Untag,
}

/// Puts a tag on resources or takes it off; all or none.
///
/// # Errors
/// When there is no such tag or resource, or the kind cannot be tagged.
pub fn apply(state: &mut State, name: &str, resources: &[Resource], tagging: Tagging) -> Result<(), Refusal> {
    let tag = find(state, name)?.name.clone();
    let ids = resources.iter().map(|resource| droplet_id(state, resource)).collect::<Result<Vec<_>, _>>()?;
    for id in ids {
        match tagging {
            Tagging::Tag => put_on(state, &tag, id),
            Tagging::Untag => {
                if let Some(droplet) = state.droplets.get_mut(&id) {
                    droplet.tags.retain(|carried| *carried != tag);
                }
            }
        }
    }
    Ok(())
}

/// Puts an existing tag on a droplet.
pub fn put_on(state: &mut State, tag: &str, droplet_id: u64) {
    let Some(droplet) = state.droplets.get_mut(&droplet_id) else {
        return;
    };
    if droplet.tags.iter().any(|carried| carried == tag) {
        return;
    }
    droplet.tags.push(tag.to_owned());
    if let Some(tag) = state.tags.get_mut(&fold(tag)) {
        tag.last_droplet = Some(droplet_id);
    }
}

/// Only droplets exist here to be tagged; the other kinds are known, and none of them is ever found.
fn droplet_id(state: &State, resource: &Resource) -> Result<u64, Refusal> {
    match resource.resource_type.as_str() {
        "droplet" => {}
        "image" | "volume" | "volume_snapshot" | "database" => return Err(Refusal::NotFound),
        other => {
            return Err(Refusal::unprocessable(format!("{other:?} is not a taggable resource type")));
        }
    }
    let id = match &resource.resource_id {
        serde_json::Value::Number(number) => number.as_u64(),
        serde_json::Value::String(text) => text.parse().ok(),
        _ => None,
    };
    id.filter(|id| state.droplets.get(id).is_some_and(|droplet| droplet.deleted_at.is_none()))
        .ok_or(Refusal::NotFound)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::fixture;

    #[test]
    fn the_first_spelling_wins() {
        let mut state = fixture::state();
        assert_eq!(ensure(&mut state, "MY-Tag").unwrap().name, "MY-Tag");
        assert_eq!(ensure(&mut state, "my-tag").unwrap().name, "MY-Tag");
        assert_eq!(state.tags.len(), 1);
        assert_eq!(find(&state, "my-TAG").unwrap().name, "MY-Tag");
    }

    #[test]
    fn only_some_characters_are_allowed() {
        let mut state = fixture::state();
        for bad in ["", "a b", "a/b", "ä", "a.b", &"x".repeat(256)] {
            assert!(matches!(ensure(&mut state, bad), Err(Refusal::BadTag(_))), "{bad}");
        }
        ensure(&mut state, "tidegate:shop:production_1-x").unwrap();
    }

    #[test]
    fn deleting_a_tag_untags_everything() {
        let mut state = fixture::state();
        let droplet = fixture::droplet(&mut state, "web-1", &["web"]);
        delete(&mut state, "WEB").unwrap();
        assert!(state.droplets[&droplet].tags.is_empty());
        assert!(matches!(delete(&mut state, "web"), Err(Refusal::NotFound)));
    }

    #[test]
    fn tagging_is_all_or_none() {
        let mut state = fixture::state();
        let droplet = fixture::droplet(&mut state, "web-1", &[]);
        ensure(&mut state, "blue").unwrap();
        let resource =
            |id: u64| Resource { resource_id: id.to_string().into(), resource_type: "droplet".to_owned() };
        let both = [resource(droplet), resource(1)];
        assert!(matches!(apply(&mut state, "blue", &both, Tagging::Tag), Err(Refusal::NotFound)));
        assert!(state.droplets[&droplet].tags.is_empty());
        apply(&mut state, "Blue", &[resource(droplet)], Tagging::Tag).unwrap();
        assert_eq!(state.droplets[&droplet].tags, ["blue"]);
        apply(&mut state, "blue", &[resource(droplet)], Tagging::Untag).unwrap();
        assert!(state.droplets[&droplet].tags.is_empty());
    }
}
