//! Recipients, keys and headers.

use std::io::Write as _;

use secrecy::{ExposeSecret as _, SecretString};

use super::*;

fn sealed(recipients: &Recipients, own: &OneTimeKey) -> Vec<u8> {
    let mut stored = Vec::new();
    let mut writer = recipients.encryptor(own).unwrap().wrap_output(&mut stored).unwrap();
    writer.write_all(b"rows").unwrap();
    writer.finish().unwrap();
    stored
}

fn opened(stored: &[u8], key: &OpenKey) -> Result<Vec<u8>, age::DecryptError> {
    let decryptor = age::Decryptor::new_buffered(stored)?;
    let mut reader = decryptor.decrypt(std::iter::once(key.identity()))?;
    let mut plain = Vec::new();
    std::io::Read::read_to_end(&mut reader, &mut plain).map_err(age::DecryptError::Io)?;
    Ok(plain)
}

#[test]
fn bad_recipients_are_named() {
    let good = x25519::Identity::generate().to_public().to_string();
    let error = |texts: &[&str]| Recipients::parse(texts.iter().copied()).unwrap_err();
    assert!(matches!(error(&[&good, "age1nonsense"]), RecipientError::NotAKey { number: 2, .. }));
    assert!(error(&["ssh-ed25519 AAAA"]).to_string().contains("ssh-ed25519 AAAA"));
    assert_eq!(error(&[]), RecipientError::None);
    assert!(matches!(error(&[&good, &good]), RecipientError::Twice { number: 2, .. }));
    let many: Vec<String> = (0..33).map(|_| x25519::Identity::generate().to_public().to_string()).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(error(&many), RecipientError::TooMany { count: 33 });
}

#[test]
fn a_secret_key_among_the_recipients_is_not_repeated() {
    let secret = x25519::Identity::generate().to_string();
    let error = Recipients::parse([secret.expose_secret()]).unwrap_err();
    assert_eq!(error, RecipientError::SecretKey { number: 1 });
    assert!(!format!("{error} {error:?}").contains(secret.expose_secret()));
}

#[test]
fn a_one_time_key_comes_back_from_its_text_and_shows_nothing() {
    let user = x25519::Identity::generate();
    let recipients = Recipients::parse([user.to_public().to_string().as_str()]).unwrap();
    let own = OneTimeKey::generate();
    let stored = sealed(&recipients, &own);
    let again = OneTimeKey::parse(&own.secret()).unwrap();
    assert_eq!(opened(&stored, &OpenKey::OneTime(again)).unwrap(), b"rows");
    assert_eq!(format!("{own:?}"), "OneTimeKey(..)");
    let error = OneTimeKey::parse(&SecretString::from("AGE-SECRET-KEY-1TYPO")).unwrap_err();
    assert!(!error.to_string().contains("TYPO"), "{error}");
}

#[test]
fn the_file_key_alone_opens_the_part() {
    let user = x25519::Identity::generate();
    let recipients = Recipients::parse([user.to_public().to_string().as_str()]).unwrap();
    let stored = sealed(&recipients, &OneTimeKey::generate());
    let header = Header::of(&stored).unwrap();
    // Two for the keys, and the one that age adds so that readers stay tolerant.
    assert_eq!(header.stanzas().len(), 3);
    assert!(header.bytes().len() < stored.len() && stored.starts_with(header.bytes()));

    // What travels: the header there, the file key back.
    let there = Header::of(header.bytes()).unwrap();
    let key = there.unwrap_with(&user).unwrap();
    let back = FileKey::new(key.expose()).unwrap();
    assert_eq!(opened(&stored, &OpenKey::File(back)).unwrap(), b"rows");
    assert_eq!(format!("{key:?}"), "FileKey(..)");

    let stranger = x25519::Identity::generate();
    assert!(matches!(there.unwrap_with(&stranger), Err(HeaderError::WrongKey)));
    let wrong = OpenKey::File(FileKey::new(&[7; 16]).unwrap());
    assert!(matches!(opened(&stored, &wrong), Err(age::DecryptError::InvalidMac)));
}

#[test]
fn what_is_no_header_is_refused() {
    let user = x25519::Identity::generate();
    let recipients = Recipients::parse([user.to_public().to_string().as_str()]).unwrap();
    let stored = sealed(&recipients, &OneTimeKey::generate());
    let whole = Header::of(&stored).unwrap().bytes().len();
    for length in 0..whole {
        assert!(matches!(Header::of(&stored[..length]), Err(HeaderError::NotAge(_))), "{length}");
    }
    assert!(matches!(Header::of(&vec![b'a'; 1 << 20]), Err(HeaderError::NotAge(_))));
    assert_eq!(FileKey::new(&[0; 15]).unwrap_err(), KeyError::Length { found: 15 });
}
