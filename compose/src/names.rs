//! Names that docker compose gives, and paths as the model keeps them.
//!
//! Pure string functions; the separator of names is the one of compose v2 (`-`).

/// The container name of replica `number` (from 1) of a service; a service's `container_name` wins over it.
pub fn container_name(project: &str, service: &str, number: u32) -> String {
    format!("{project}-{service}-{number}")
}

/// The name of a one-off container; `slug` is 64 random hex digits of which twelve are used.
pub fn one_off_name(project: &str, service: &str, slug: &str) -> String {
    let short: String = slug.chars().take(12).collect();
    format!("{project}-{service}-run-{short}")
}

/// The temporary name of a container that replaces `old_id` until that one is gone.
pub fn replacement_name(old_id: &str, name: &str) -> String {
    let short: String = old_id.chars().take(12).collect();
    format!("{short}_{name}")
}

/// The name of a network, volume, secret or config that states none.
pub fn resource_name(project: &str, key: &str) -> String {
    format!("{project}_{key}")
}

/// The image name of a service that is built and names none.
pub fn built_image(project: &str, service: &str) -> String {
    format!("{project}-{service}")
}

/// Brings a `name:` or directory name to a project name: lower case, other characters dropped, no leading `_` or `-`.
pub fn normalize_project(name: &str) -> String {
    let kept: String =
        name.to_lowercase().chars().filter(|c| matches!(c, 'a'..='z' | '0'..='9' | '_' | '-')).collect();
    kept.trim_start_matches(['_', '-']).to_owned()
}

/// Cleans a `/`-separated path lexically: no `.`, no `..` that can be taken back, no double or trailing slash.
pub fn clean_path(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => match parts.last() {
                Some(&last) if last != ".." => {
                    parts.pop();
                }
                _ if rooted => {}
                _ => parts.push(".."),
            },
            name => parts.push(name),
        }
    }
    let joined = parts.join("/");
    match (rooted, joined.is_empty()) {
        (true, _) => format!("/{joined}"),
        (false, true) => ".".to_owned(),
        (false, false) => joined,
    }
}

/// Joins a path to a base and cleans it; an absolute path stands for itself.
pub fn join_path(base: &str, path: &str) -> String {
    if path.starts_with('/') { clean_path(path) } else { clean_path(&format!("{base}/{path}")) }
}

/// Joins as Go's `filepath.Join` does: an absolute second part is appended all the same.
pub(crate) fn append_path(base: &str, path: &str) -> String {
    match (base.is_empty(), path.is_empty()) {
        (true, true) => String::new(),
        (true, false) => clean_path(path),
        (false, true) => clean_path(base),
        (false, false) => clean_path(&format!("{base}/{path}")),
    }
}

/// The directory of a path, cleaned; `.` for a bare name.
pub fn parent_path(path: &str) -> String {
    match path.rsplit_once('/') {
        Some(("", _)) => "/".to_owned(),
        Some((parent, _)) => clean_path(parent),
        None => ".".to_owned(),
    }
}

/// The last part of a path.
pub fn base_name(path: &str) -> &str {
    path.trim_end_matches('/').rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn project_names_are_normalised() {
        assert_eq!(normalize_project("My_Proj"), "my_proj");
        assert_eq!(normalize_project("-bad!"), "bad");
    }

    #[test]
    fn paths_clean_like_go() {
        for (path, clean) in [
            ("/a/../b", "/b"),
            ("a/..", "."),
            ("../a/./b/", "../a/b"),
            ("/..", "/"),
            ("", "."),
            ("a/../../b", "../b"),
        ] {
            assert_eq!(clean_path(path), clean);
        }
        assert_eq!(join_path("/p", "./x/../y"), "/p/y");
        assert_eq!(join_path("/p", "/y"), "/y");
        assert_eq!(parent_path("/a"), "/");
        assert_eq!(parent_path("a"), ".");
    }
}
