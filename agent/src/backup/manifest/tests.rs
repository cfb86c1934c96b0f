//! The manifest's file, whole and damaged.

use super::*;
use crate::backup::{ByteCount, sample};

#[test]
fn what_is_written_is_read() {
    let manifest = sample::manifest();
    let file = manifest.write().unwrap();
    assert_eq!(Manifest::read(&file).unwrap(), manifest);
    let text = String::from_utf8(file).unwrap();
    assert!(text.starts_with("tidegate-backup 1 ") && text.ends_with("}\n"), "{text}");
    assert!(text.contains("\"kind\": \"postgres-dump\""), "{text}");
}

/// The format is settled: a later agent has to read what this one wrote.
#[test]
fn the_first_format_is_still_written_and_read() {
    let golden = include_str!("golden/1.manifest");
    assert_eq!(Manifest::read(golden.as_bytes()).unwrap(), sample::manifest());
    assert_eq!(String::from_utf8(sample::manifest().write().unwrap()).unwrap(), golden);
}

#[test]
fn every_flipped_byte_is_noticed() {
    let file = sample::manifest().write().unwrap();
    for place in 0..file.len() {
        for flip in [0x01, 0x80] {
            let mut damaged = file.clone();
            damaged[place] ^= flip;
            let error = Manifest::read(&damaged).unwrap_err();
            let fits = match error {
                ManifestError::NotOurs | ManifestError::Changed => true,
                ManifestError::Version { .. } => (16..=17).contains(&place),
                ManifestError::CutOff => place >= file.len() - 3,
                _ => false,
            };
            assert!(fits, "byte {place} ^ {flip:#x}: {error}");
        }
    }
}

#[test]
fn every_cut_tail_is_noticed() {
    let file = sample::manifest().write().unwrap();
    for length in 0..file.len() {
        let error = Manifest::read(&file[..length]).unwrap_err();
        assert!(matches!(error, ManifestError::CutOff), "{length} bytes: {error}");
    }
}

#[test]
fn something_added_is_noticed() {
    let mut file = sample::manifest().write().unwrap();
    file.extend(b"{}\n");
    assert!(matches!(Manifest::read(&file), Err(ManifestError::Changed)));
}

#[test]
fn unknown_fields_and_newer_versions_are_refused() {
    let file = String::from_utf8(sample::manifest().write().unwrap()).unwrap();
    let (_, json) = file.split_once('\n').unwrap();
    let json = json.replacen('{', "{\n  \"mood\": \"good\",", 1);
    let digest = crate::backup::Sha256Digest::of(json.as_bytes());
    let newer = format!("tidegate-backup 1 {digest}\n{json}");
    assert!(matches!(Manifest::read(newer.as_bytes()), Err(ManifestError::Unknown(_))));
    let newer = file.replacen("tidegate-backup 1", "tidegate-backup 2", 1);
    let error = Manifest::read(newer.as_bytes()).unwrap_err().to_string();
    assert!(error.contains("\"2\"") && error.contains("newer agent"), "{error}");
}

#[test]
fn a_huge_file_is_refused_unread() {
    let huge = vec![b'x'; LARGEST_MANIFEST.to_usize() + 1];
    assert!(matches!(Manifest::read(&huge), Err(ManifestError::TooLarge { .. })));
    let mut manifest = sample::manifest();
    manifest.migration = Some("x".repeat(LARGEST_MANIFEST.to_usize()));
    let Err(ManifestError::TooLarge { found }) = manifest.write() else { panic!("written") };
    assert!(found > ByteCount::mebibytes(4));
}

#[test]
fn parts_have_names_of_their_own() {
    let mut manifest = sample::manifest();
    manifest.parts.push(manifest.parts[0].clone());
    assert!(matches!(manifest.write(), Err(ManifestError::TwoParts(_))));
    manifest.parts.clear();
    assert!(matches!(manifest.write(), Err(ManifestError::NoPart)));
}
