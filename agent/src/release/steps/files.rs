//! The project's files in their one place on the droplet. Written before new containers start, so that what they mount is
//! there; taken back from the input of the release that serves.

use std::{
    collections::BTreeSet,
    fs::Permissions,
    io,
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::{Component, Path, PathBuf},
};

use tidegate_compose::{Project, Service};

use crate::{
    release::{DeployInput, Failure, SourceFile, context::Context},
    store::atomic_replace,
};

/// Brings the project directory to this input. Files of `other` that are not in it go.
pub(super) fn lay(
    context: &Context,
    input: &DeployInput,
    other: Option<&DeployInput>,
) -> Result<(), Failure> {
    let folder = context.paths.project(&context.id.app);
    write(&folder, input, other).map_err(|error| {
        Failure::caused_by("the project's files could not be written", &error)
            .at(folder.display().to_string())
            .hint("see that the droplet has space: `tidegate info`")
    })
}

/// Brings the project directory back to the release before this one, if there is one: before a container of it is started
/// again, which would mount what is there then.
pub(super) fn restore(context: &Context) -> Result<(), Failure> {
    context.former.as_ref().map_or(Ok(()), |former| lay(context, former, Some(&context.input)))
}

/// Whether the project directory has all files of this input as they are.
pub(in crate::release) fn is_laid(folder: &Path, input: &DeployInput) -> bool {
    let same = |file: &SourceFile| {
        inside(folder, &file.path).is_ok_and(|path| is_same(&path, file, mode_of(input, file)))
    };
    input.files.iter().all(same)
}

/// Environment files hold secrets; whatever mode they had on the workstation, here they are the project's alone.
fn mode_of(input: &DeployInput, file: &SourceFile) -> u32 {
    let is_env = input.env_files.contains(&file.path)
        || Path::new(&file.path).file_name().is_some_and(|name| name == ".env");
    if is_env { 0o600 } else { file.mode & 0o777 }
}

/// Removes what came with a release that had no predecessor. What containers wrote there stays.
pub(super) fn clear(context: &Context, input: &DeployInput) -> Result<(), Failure> {
    let folder = context.paths.project(&context.id.app);
    let removed = remove(&folder, input.files.iter()).and_then(|()| remove_empty(&folder));
    removed.map_err(|error| Failure::caused_by("the project's files could not be removed", &error))
}

fn write(folder: &Path, input: &DeployInput, other: Option<&DeployInput>) -> io::Result<()> {
    make_folder(folder)?;
    for file in &input.files {
        let path = inside(folder, &file.path)?;
        let mode = mode_of(input, file);
        make_folders(folder, &path)?;
        if is_same(&path, file, mode) {
            continue;
        }
        atomic_replace(&path, &file.content, mode).map_err(io::Error::other)?;
    }
    let kept: BTreeSet<&str> = input.files.iter().map(|file| file.path.as_str()).collect();
    let gone = other.iter().flat_map(|other| &other.files).filter(|file| !kept.contains(file.path.as_str()));
    remove(folder, gone)
}

fn is_same(path: &Path, file: &SourceFile, mode: u32) -> bool {
    let content = fs_err::read(path).is_ok_and(|content| content == file.content);
    content && fs_err::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o777 == mode)
}

fn remove<'f>(folder: &Path, files: impl Iterator<Item = &'f SourceFile>) -> io::Result<()> {
    for file in files {
        match fs_err::remove_file(inside(folder, &file.path)?) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Removes the folder and those in it, as far as they are empty.
fn remove_empty(folder: &Path) -> io::Result<()> {
    let entries = match fs_err::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() && !path.is_symlink() {
            remove_empty(&path)?;
        }
    }
    match fs_err::remove_dir(folder) {
        Err(error) if error.kind() != io::ErrorKind::DirectoryNotEmpty => Err(error),
        _ => Ok(()),
    }
}

/// The path below the folder; one that would leave it was refused before, and is refused again. A symbolic link on the
/// way, which a container with a bind mount could have put there, is refused too.
fn inside(folder: &Path, relative: &str) -> io::Result<PathBuf> {
    let mut path = folder.to_owned();
    for component in Path::new(relative).components() {
        let Component::Normal(name) = component else {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{relative} leaves the project directory"),
            ));
        };
        if path.is_symlink() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{} is a symbolic link", path.display()),
            ));
        }
        path.push(name);
    }
    Ok(path)
}

/// A container that may write to a folder of the project can leave a symbolic link there; a later bind mount through it
/// would lead anywhere on the droplet. The policy looked at names only, this looks at the disk.
pub(super) fn stays_inside(folder: &Path, project: &Project, service: &Service) -> Result<(), Failure> {
    let Ok(real_folder) = fs_err::canonicalize(folder) else { return Ok(()) };
    let volumes = service.volumes.iter().filter(|volume| volume.kind == "bind").map(|volume| &volume.source);
    let secrets = service.secrets.iter().filter_map(|r| project.secrets.get(&r.source)).map(|s| &s.file);
    let configs = service.configs.iter().filter_map(|r| project.configs.get(&r.source)).map(|c| &c.file);
    let named = service.volumes.iter().filter_map(|volume| project.volumes.get(&volume.source));
    let devices = named.filter_map(|volume| volume.driver_opts.0.get("device"));
    let volumes = volumes.chain(devices);
    for source in
        volumes.chain(secrets).chain(configs).map(Path::new).filter(|source| source.starts_with(folder))
    {
        // Of what is not there yet, the nearest folder that is there decides.
        let real = source.ancestors().find_map(|path| fs_err::canonicalize(path).ok());
        if real.is_some_and(|real| !real.starts_with(&real_folder)) {
            let what = format!(
                "service {} mounts {}, which leads out of the project directory",
                service.name,
                source.display()
            );
            return Err(Failure::new(what, "there is a symbolic link on the way")
                .at(source.display().to_string())
                .hint("remove the link on the droplet"));
        }
    }
    Ok(())
}

/// The folders from the project's own to that of `file`.
fn make_folders(folder: &Path, file: &Path) -> io::Result<()> {
    let below: Vec<&Path> = file.ancestors().skip(1).take_while(|path| *path != folder).collect();
    below.into_iter().rev().try_for_each(make_folder)
}

fn make_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    std::fs::DirBuilder::new().recursive(true).mode(0o755).create(folder)?;
    // Containers run as other users and read what is mounted; the folder above keeps everybody else out. The agent's own
    // umask would take these bits away.
    fs_err::set_permissions(folder, Permissions::from_mode(0o755))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apps::AppName;

    fn input(files: &[(&str, &str)]) -> DeployInput {
        let file = |(path, content): &(&str, &str)| SourceFile {
            path: (*path).into(),
            content: content.as_bytes().to_vec(),
            mode: 0o644,
        };
        DeployInput {
            files: files.iter().map(file).collect(),
            ..DeployInput::of(AppName::new("shop").unwrap())
        }
    }

    #[test]
    fn files_follow_the_release_and_foreign_ones_stay() {
        let folder = tempfile::tempdir().unwrap();
        let project = folder.path().join("shop");
        let (old, new) = (input(&[("a", "1"), ("conf/b", "1")]), input(&[("a", "2")]));
        write(&project, &old, None).unwrap();
        fs_err::write(project.join("written-by-a-container"), "x").unwrap();
        write(&project, &new, Some(&old)).unwrap();
        assert_eq!(fs_err::read_to_string(project.join("a")).unwrap(), "2");
        assert!(!project.join("conf/b").exists());
        write(&project, &old, Some(&new)).unwrap();
        assert_eq!(fs_err::read_to_string(project.join("conf/b")).unwrap(), "1");
        remove(&project, old.files.iter()).unwrap();
        remove_empty(&project).unwrap();
        assert!(project.join("written-by-a-container").exists());
        assert!(!project.join("conf").exists());
    }

    #[test]
    fn folders_are_open_to_the_users_of_containers_and_files_have_their_own_mode() {
        let outer = tempfile::tempdir().unwrap();
        let project = outer.path().join("shop");
        let mut odd = input(&[("conf/deep/b", "1")]);
        odd.files.iter_mut().for_each(|file| file.mode = 0o646);
        write(&project, &odd, None).unwrap();
        let mode = |path: &str| fs_err::metadata(project.join(path)).unwrap().permissions().mode() & 0o777;
        assert_eq!([mode(""), mode("conf"), mode("conf/deep")], [0o755; 3]);
        // Bits that a usual umask takes.
        assert_eq!(mode("conf/deep/b"), 0o646);
    }

    #[test]
    fn a_mount_through_a_link_is_refused() {
        use tidegate_compose::model::VolumeMount;
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/etc", folder.path().join("link")).unwrap();
        let service = |source: &str| {
            let source = folder.path().join(source).display().to_string();
            let mount = VolumeMount { kind: "bind".into(), source, ..VolumeMount::default() };
            Service { volumes: vec![mount], ..Service::default() }
        };
        let project = Project::default();
        for (source, fits) in
            [("new/folder", true), ("link", false), ("link/ssl", false), ("link/none", false)]
        {
            assert_eq!(stays_inside(folder.path(), &project, &service(source)).is_ok(), fits, "{source}");
        }
        // A volume that is a folder is no way around it.
        let device = ("device".to_owned(), folder.path().join("link").display().to_string());
        let volume = tidegate_compose::model::Volume {
            driver_opts: tidegate_compose::model::Options([device].into()),
            ..tidegate_compose::model::Volume::default()
        };
        let project = Project { volumes: [("data".to_owned(), volume)].into(), ..Project::default() };
        let mount = VolumeMount { kind: "volume".into(), source: "data".into(), ..VolumeMount::default() };
        let service = Service { volumes: vec![mount], ..Service::default() };
        assert!(stays_inside(folder.path(), &project, &service).is_err());
    }

    #[test]
    fn no_path_leaves_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/etc", folder.path().join("link")).unwrap();
        for path in ["../x", "/etc/x", "a/../../x", "link/x"] {
            assert!(inside(folder.path(), path).is_err(), "{path}");
        }
    }
}
