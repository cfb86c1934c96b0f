//! What containers take, from the kernel's own files: no question to Docker.
//!
//! Owns where Docker puts containers (`/sys/fs/cgroup`): version 2 or 1, made by systemd or by Docker itself. Of a container with
//! a `cgroup_parent` of its own nothing is told.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

/// What a container takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Memory that cannot be taken from it without a loss: what it uses, without files that are in memory but not in use. In bytes.
    pub memory: Option<u64>,
    /// Processor time since its start.
    pub cpu: Option<Duration>,
}

/// Of these containers, by id; one that is not found takes nothing.
pub fn look(root: &Path, ids: &[String]) -> BTreeMap<String, Usage> {
    let read = if root.join("cgroup.controllers").exists() { version_2 } else { version_1 };
    ids.iter().map(|id| (id.clone(), read(root, id))).collect()
}

fn version_2(root: &Path, id: &str) -> Usage {
    let Some(folder) = find(root, id) else { return Usage::default() };
    let memory = number(&folder.join("memory.current"));
    let cpu = keyed(&folder.join("cpu.stat"), "usage_usec").map(Duration::from_micros);
    Usage { memory: without_idle(memory, keyed(&folder.join("memory.stat"), "inactive_file")), cpu }
}

fn version_1(root: &Path, id: &str) -> Usage {
    let memory = find(&root.join("memory"), id).and_then(|folder| {
        let used = number(&folder.join("memory.usage_in_bytes"));
        without_idle(used, keyed(&folder.join("memory.stat"), "total_inactive_file"))
    });
    let cpu = find(&root.join("cpuacct"), id).and_then(|folder| number(&folder.join("cpuacct.usage")));
    Usage { memory, cpu: cpu.map(Duration::from_nanos) }
}

fn find(root: &Path, id: &str) -> Option<PathBuf> {
    let folders = [root.join(format!("system.slice/docker-{id}.scope")), root.join("docker").join(id)];
    folders.into_iter().find(|folder| folder.is_dir())
}

fn without_idle(used: Option<u64>, idle: Option<u64>) -> Option<u64> {
    Some(used?.saturating_sub(idle.unwrap_or_default()))
}

fn number(path: &Path) -> Option<u64> {
    fs_err::read_to_string(path).ok()?.trim().parse().ok()
}

fn keyed(path: &Path, key: &str) -> Option<u64> {
    let text = fs_err::read_to_string(path).ok()?;
    text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' ')?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(root: &Path, file: &str, text: &str) {
        let path = root.join(file);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    }

    #[test]
    fn both_versions_tell_what_a_container_takes() {
        let expected = Usage { memory: Some(3000), cpu: Some(Duration::from_micros(1500)) };
        let ids = ["a1".to_owned(), "gone".to_owned()];
        let two = tempfile::tempdir().unwrap();
        write(two.path(), "cgroup.controllers", "cpu memory\n");
        write(two.path(), "system.slice/docker-a1.scope/memory.current", "5000\n");
        write(two.path(), "system.slice/docker-a1.scope/memory.stat", "anon 2\ninactive_file 2000\n");
        write(two.path(), "system.slice/docker-a1.scope/cpu.stat", "usage_usec 1500\nuser_usec 1000\n");
        let one = tempfile::tempdir().unwrap();
        write(one.path(), "memory/docker/a1/memory.usage_in_bytes", "5000\n");
        write(one.path(), "memory/docker/a1/memory.stat", "inactive_file 7\ntotal_inactive_file 2000\n");
        write(one.path(), "cpuacct/docker/a1/cpuacct.usage", "1500000\n");
        for root in [two, one] {
            let found = look(root.path(), &ids);
            assert_eq!(found["a1"], expected);
            assert_eq!(found["gone"], Usage::default());
        }
    }
}
