//! Secrets and configs that are no files, as the tar archive that is unpacked in a container. Pure.

use tar::{Builder, Header};
use tidegate_compose::{Project, Service, model::FileReference};

use super::body::{config_target, secret_target};

/// The archive, if the service uses such secrets or configs. Order and times are fixed: equal contents, equal bytes.
///
/// # Errors
/// When a target is too long for an archive.
pub fn files(project: &Project, service: &Service) -> std::io::Result<Option<Vec<u8>>> {
    let mut builder = Builder::new(Vec::new());
    let mut is_empty = true;
    for (reference, target, content) in contents(project, service) {
        let mut header = Header::new_gnu();
        header.set_size(u64::try_from(content.len()).unwrap_or(0));
        header.set_mode(reference.mode.and_then(|mode| u32::try_from(mode.0).ok()).unwrap_or(0o444));
        header.set_uid(reference.uid.parse().unwrap_or(0));
        header.set_gid(reference.gid.parse().unwrap_or(0));
        header.set_mtime(0);
        builder.append_data(&mut header, target.trim_start_matches('/'), content.as_bytes())?;
        is_empty = false;
    }
    if is_empty { Ok(None) } else { builder.into_inner().map(Some) }
}

/// What the archive holds: reference, target and content.
pub fn contents<'p>(
    project: &'p Project,
    service: &'p Service,
) -> impl Iterator<Item = (&'p FileReference, String, &'p str)> {
    let secrets = service.secrets.iter().filter_map(|reference| {
        let secret = project.secrets.get(&reference.source)?;
        let content = secret.content.0.as_deref().filter(|_| secret.file.is_empty())?;
        Some((reference, secret_target(reference), content))
    });
    let configs = service.configs.iter().filter_map(|reference| {
        let config = project.configs.get(&reference.source)?;
        let content = config.resolved.0.as_deref().filter(|_| config.file.is_empty())?;
        Some((reference, config_target(reference), content))
    });
    secrets.chain(configs)
}
