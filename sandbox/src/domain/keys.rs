//! Public ssh keys: one per key material, found by id or by fingerprint.

use base64::{Engine, prelude::BASE64_STANDARD};
use md5::{Digest, Md5};

use super::Refusal;
use crate::account::state::{SshKey, State};

/// Adds a key.
///
/// # Errors
/// When it has no name, is not a public key in OpenSSH format, or is there already.
pub fn create(state: &mut State, name: &str, public_key: &str) -> Result<SshKey, Refusal> {
    if name.trim().is_empty() {
        return Err(Refusal::unprocessable("Name can't be blank"));
    }
    let fingerprint = fingerprint(public_key).ok_or_else(|| {
        Refusal::unprocessable("Key invalid, key should be of the format `type key comment`")
    })?;
    if state.keys.values().any(|key| key.fingerprint == fingerprint) {
        return Err(Refusal::unprocessable("SSH Key is already in use on your account"));
    }
    state.counters.key = state.counters.key.saturating_add(1);
    let key = SshKey {
        id: state.counters.key,
        name: name.to_owned(),
        public_key: public_key.trim().to_owned(),
        fingerprint,
    };
    state.keys.insert(key.id, key.clone());
    Ok(key)
}

/// The key of this id or fingerprint.
///
/// # Errors
/// When there is none.
pub fn find<'a>(state: &'a State, id_or_fingerprint: &str) -> Result<&'a SshKey, Refusal> {
    if let Ok(id) = id_or_fingerprint.parse::<u64>() {
        return state.keys.get(&id).ok_or(Refusal::NotFound);
    }
    state
        .keys
        .values()
        .find(|key| key.fingerprint.eq_ignore_ascii_case(id_or_fingerprint))
        .ok_or(Refusal::NotFound)
}

/// Renames a key.
///
/// # Errors
/// When there is none, or the name is empty.
pub fn rename(state: &mut State, id_or_fingerprint: &str, name: &str) -> Result<SshKey, Refusal> {
    let id = find(state, id_or_fingerprint)?.id;
    if name.trim().is_empty() {
        return Err(Refusal::unprocessable("Name can't be blank"));
    }
    let key = state.keys.get_mut(&id).ok_or(Refusal::NotFound)?;
    name.clone_into(&mut key.name);
    Ok(key.clone())
}

/// Removes a key. Droplets made with it keep it.
///
/// # Errors
/// When there is none.
pub fn delete(state: &mut State, id_or_fingerprint: &str) -> Result<(), Refusal> {
    let id = find(state, id_or_fingerprint)?.id;
    state.keys.remove(&id);
    Ok(())
}

/// MD5 of the key's bytes in pairs of digits; `None` if this is not a public key.
fn fingerprint(public_key: &str) -> Option<String> {
    let mut words = public_key.split_whitespace();
    let (kind, encoded) = (words.next()?, words.next()?);
    let bytes = BASE64_STANDARD.decode(encoded).ok()?;
    // The bytes begin with the kind again, after its length: anything else is no key.
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    let (inner_kind, material) = rest.split_at_checked(length)?;
    if inner_kind != kind.as_bytes() || material.is_empty() {
        return None;
    }
    let digest = Md5::digest(&bytes);
    let pairs: Vec<String> = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    Some(pairs.join(":"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::fixture;

    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE3VXxtfKqDgsnRvbeCR92AnfJhnTW5Mq9AmicYEk3IF ops@example";

    #[test]
    fn the_fingerprint_is_the_one_ssh_keygen_prints() {
        // ssh-keygen -l -E md5 -f key.pub
        assert_eq!(fingerprint(KEY).unwrap(), "e4:d2:d8:5c:d5:36:fa:79:7c:fc:88:03:47:58:f4:60");
    }

    #[test]
    fn the_same_key_is_refused_under_any_name_and_found_both_ways() {
        let mut state = fixture::state();
        let key = create(&mut state, "a", KEY).unwrap();
        let again = create(&mut state, "b", KEY).unwrap_err();
        assert_eq!(again.to_string(), "SSH Key is already in use on your account");
        assert_eq!(find(&state, &key.id.to_string()).unwrap(), &key);
        assert_eq!(find(&state, &key.fingerprint.to_uppercase()).unwrap(), &key);
        delete(&mut state, &key.fingerprint).unwrap();
        assert!(matches!(find(&state, &key.id.to_string()), Err(Refusal::NotFound)));
        assert!(create(&mut state, "c", KEY).unwrap().id > key.id);
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for text in ["", "ssh-ed25519", "ssh-ed25519 ???", "ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAICkX", "x AAAA"] {
            assert!(fingerprint(text).is_none(), "{text}");
        }
    }
}
