//! Images that are another one tomorrow.

use super::{Look, Rule};

const FLOATING: Rule = Rule {
    name: "floating-image",
    why: "what it names changes when somebody pushes: two droplets, or today and tomorrow, run different programs, and there is no way back",
};

pub(super) fn rules(look: &mut Look<'_>) {
    for (name, service) in &look.loaded.project.services {
        let image = service.image.as_str();
        let message = match tag(image) {
            None if image.is_empty() || image.contains('@') => continue,
            None => format!("{image} has no tag, so it is whatever `latest` is on the day"),
            Some("latest") => format!("{image} is whatever `latest` is on the day"),
            Some(_) => continue,
        };
        let bare = image.strip_suffix(":latest").unwrap_or(image);
        let cure = format!("name a version ({bare}:<version>) or a digest ({bare}@sha256:...)");
        look.say(&FLOATING, &format!("services.{name}.image"), (message, cure));
    }
}

/// The tag of an image that is not named by its digest.
fn tag(image: &str) -> Option<&str> {
    if image.contains('@') {
        return None;
    }
    let last = image.rsplit('/').next().unwrap_or(image);
    last.split_once(':').map(|(_, tag)| tag)
}

/// The name of an image's program: no registry, no path, no tag.
pub(crate) fn program(image: &str) -> &str {
    let plain = image.split('@').next().unwrap_or(image);
    let last = plain.rsplit('/').next().unwrap_or(plain);
    last.split(':').next().unwrap_or(last)
}
