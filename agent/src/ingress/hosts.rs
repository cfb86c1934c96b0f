//! The hosts file that Caddy reads: which address a service's name leads to. Pure, but for the one write.
//!
//! # Format
//! An ordinary hosts file of fixed-width lines, 128 bytes each with the line feed, padded with spaces; unused lines are
//! empty but for the padding. It is as long as a whole number of pages and never gets shorter, so that a rewrite is almost
//! always one write of equal length, and no reader sees half a name. It is rewritten in place, because it is bind-mounted:
//! a rename would leave the old file mounted.

use std::{
    collections::BTreeSet, fs::Permissions, io, net::Ipv4Addr, os::unix::fs::PermissionsExt as _, path::Path,
};

use fs_err::{
    OpenOptions,
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
};

/// Where a service without a container leads: a connection to it fails at once. A name that is not in the file would be
/// asked of Docker's DNS, where another app's container could bear it.
pub const NOWHERE: Ipv4Addr = Ipv4Addr::BROADCAST;

/// The name that always stands there.
const LOCAL: &str = "localhost";
const WIDTH: usize = 128;
const PAGE: usize = 4096;

/// The file for these names, at least as long as it was.
pub fn render(entries: &[(Ipv4Addr, String)], former_length: usize) -> Vec<u8> {
    let mut text = Vec::new();
    line(&mut text, &format!("{} {LOCAL}", Ipv4Addr::LOCALHOST));
    for (address, name) in entries {
        line(&mut text, &format!("{address} {name}"));
    }
    let pages = text.len().max(former_length).max(1).div_ceil(PAGE);
    while text.len() < pages.saturating_mul(PAGE) {
        line(&mut text, "");
    }
    text
}

fn line(text: &mut Vec<u8>, content: &str) {
    // Names are at most 31 + 2 + 63 bytes; a longer one takes several widths and stays whole.
    let width = content.len().saturating_add(1).next_multiple_of(WIDTH);
    text.extend_from_slice(content.as_bytes());
    text.resize(text.len().saturating_add(width).saturating_sub(content.len()).saturating_sub(1), b' ');
    text.push(b'\n');
}

/// What a write changed for whoever has read the file before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing.
    Nothing,
    /// Addresses, or names that are gone.
    Addresses,
    /// There are names, and there were none before.
    FirstNames,
    /// A name that was not there, beside others that were.
    NewNames,
}

/// Brings the file at `path` to these names, in place; leaves it alone when it has them.
///
/// # Errors
/// When it cannot be read or written.
pub fn write(path: &Path, entries: &[(Ipv4Addr, String)]) -> io::Result<Change> {
    let mut options = OpenOptions::new();
    let file = options.read(true).write(true).create(true).truncate(false).mode(0o644).open(path)?;
    // The ingress may run as another user, and the agent's umask takes this bit away.
    file.set_permissions(Permissions::from_mode(0o644))?;
    let former = fs_err::read(path)?;
    let text = render(entries, former.len());
    if text == former {
        return Ok(Change::Nothing);
    }
    file.write_all_at(&text, 0)?;
    file.sync_all()?;
    let former = String::from_utf8_lossy(&former);
    let known: BTreeSet<&str> = former.lines().filter_map(|line| line.split_whitespace().nth(1)).collect();
    let is_known = |(_, name): &(Ipv4Addr, String)| known.contains(name.as_str());
    Ok(match entries.iter().all(is_known) {
        true => Change::Addresses,
        false if known.iter().all(|name| *name == LOCAL) => Change::FirstNames,
        false => Change::NewNames,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(last: u8, name: &str) -> (Ipv4Addr, String) {
        (Ipv4Addr::new(198, 18, 0, last), name.to_owned())
    }

    #[test]
    fn lines_have_one_width_and_the_file_whole_pages() {
        let text = render(&[entry(10, "shop--web"), entry(11, "shop--web")], 0);
        assert_eq!(text.len(), PAGE);
        let lines: Vec<&[u8]> = text.chunks(WIDTH).collect();
        assert!(lines.iter().all(|line| line.ends_with(b"\n")));
        assert!(lines[1].starts_with(b"198.18.0.10 shop--web "));
        assert!(lines[3].iter().all(|byte| *byte == b' ' || *byte == b'\n'));
    }

    #[test]
    fn a_name_that_readers_cannot_know_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hosts");
        let write = |entries: &[(Ipv4Addr, String)]| super::write(&path, entries).unwrap();
        assert_eq!(write(&[]), Change::Addresses);
        assert_eq!(write(&[]), Change::Nothing);
        assert_eq!(write(&[entry(10, "shop--web")]), Change::FirstNames);
        assert_eq!(write(&[entry(11, "shop--web"), entry(12, "shop--web")]), Change::Addresses);
        assert_eq!(write(&[entry(11, "shop--web"), entry(20, "blog--web")]), Change::NewNames);
        assert_eq!(write(&[entry(20, "blog--web")]), Change::Addresses);
        assert_eq!(write(&[entry(20, "blog--web")]), Change::Nothing);
    }

    #[test]
    fn a_rewrite_keeps_file_and_length() {
        use std::os::unix::fs::MetadataExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hosts");
        let many: Vec<_> = (0..60).map(|n| entry(n, "shop--web")).collect();
        write(&path, &many).unwrap();
        let before = fs_err::metadata(&path).unwrap();
        write(&path, &[entry(10, "shop--web")]).unwrap();
        let after = fs_err::metadata(&path).unwrap();
        assert_eq!((before.ino(), before.len()), (after.ino(), after.len()));
        assert_eq!(fs_err::read_to_string(&path).unwrap().matches("shop--web").count(), 1);
    }
}
