use proptest::prelude::*;

use super::*;

fn secret() -> EnrolmentSecret {
    EnrolmentSecret::new([7; 32])
}

fn token(secret: &EnrolmentSecret, domain: &str, intent: &str, seconds: i64) -> String {
    let expires_at = Timestamp::from_second(seconds).unwrap();
    let token =
        EnrolmentToken::derive(secret, &domain.parse().unwrap(), &intent.parse().unwrap(), expires_at)
            .unwrap();
    token.to_text().expose_secret().to_owned()
}

#[test]
fn the_mac_is_hmac_sha_256() {
    // RFC 4231, test case 2 has a shorter key; its key padded to 32 bytes with zeros is the same key to HMAC.
    let mut key = [0; 32];
    key[..4].copy_from_slice(b"Jefe");
    let tag = mac(&key, b"what do ya want for nothing?").finalize().into_bytes();
    assert_eq!(hex::encode(tag), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

#[test]
fn the_same_intent_has_the_same_token_again() {
    let one = token(&secret(), "shop.production", "i1", 2_000_000_000);
    assert_eq!(one, token(&secret(), "shop.production", "i1", 2_000_000_000));
    assert!(one.starts_with("tidegate-enrol-1.2000000000."));
}

#[test]
fn the_bytes_never_change() {
    // Computed by another implementation. A controller of one version derives the token of a droplet that another made.
    let digits = "78a6bab6dfc61ac6ae91a9a080fc5f988f8aca28b4c46bc6cb3974aa9d2f97c4";
    let token = token(&secret(), "shop.production", "i1", 2_000_000_000);
    assert_eq!(token, format!("tidegate-enrol-1.2000000000.{digits}"));
}

#[test]
fn whatever_differs_the_token_differs() {
    let one = token(&secret(), "shop.production", "i1", 2_000_000_000);
    let key = one.rsplit('.').next().unwrap();
    for other in [
        token(&EnrolmentSecret::new([8; 32]), "shop.production", "i1", 2_000_000_000),
        token(&secret(), "shop.staging", "i1", 2_000_000_000),
        token(&secret(), "blog.production", "i1", 2_000_000_000),
        token(&secret(), "shop.production", "i2", 2_000_000_000),
        token(&secret(), "shop.production", "i1", 2_000_000_001),
    ] {
        assert!(!other.ends_with(key), "{other}");
    }
}

#[test]
fn it_runs_out() {
    let expires_at = Timestamp::from_second(2_000_000_000).unwrap();
    let token =
        EnrolmentToken::from_text(&token(&secret(), "shop.production", "i1", 2_000_000_000).into()).unwrap();
    assert!(token.check(Timestamp::from_second(1_999_999_999).unwrap()).is_ok());
    assert_eq!(token.check(expires_at), Err(TokenError::Expired { expires_at }));
    assert!(token.check(Timestamp::from_second(2_000_000_001).unwrap()).is_err());
}

#[test]
fn other_texts_are_refused() {
    let good = token(&secret(), "shop.production", "i1", 2_000_000_000);
    assert!(EnrolmentToken::from_text(&good.clone().into()).is_ok());
    for bad in [
        String::new(),
        good.replace("-1.", "-2."),
        good.replace(".2000000000.", ".02000000000."),
        good.replace(".2000000000.", ".+2000000000."),
        good.replace(".2000000000.", ".-2000000000."),
        good.replace(".2000000000.", ".99999999999999999999."),
        good.replace(".2000000000.", "."),
        format!("{good}00"),
        format!("{good}\n"),
        good.chars().take(good.len() - 1).collect(),
        good.to_uppercase(),
    ] {
        assert!(EnrolmentToken::from_text(&bad.clone().into()).is_err(), "{bad}");
    }
}

#[test]
fn debug_output_hides_secrets() {
    let text = token(&secret(), "shop.production", "i1", 2_000_000_000);
    let shown = format!("{:?} {:?}", secret(), EnrolmentToken::from_text(&text.clone().into()).unwrap());
    assert!(!shown.contains(text.rsplit('.').next().unwrap()) && !shown.contains("0707"), "{shown}");
}

#[test]
fn the_secret_survives_its_text() {
    let again = EnrolmentSecret::from_text(&secret().to_text()).unwrap();
    assert_eq!(again.to_text().expose_secret(), secret().to_text().expose_secret());
    assert!(EnrolmentSecret::from_text(&"07".into()).is_err());
    assert!(EnrolmentSecret::from_text(&"zz".repeat(32).into()).is_err());
}

proptest! {
    #[test]
    fn any_text_is_judged_without_a_panic(text in ".{0,120}") {
        prop_assert!(EnrolmentToken::from_text(&text.into()).is_err());
    }

    #[test]
    fn what_is_read_is_written_the_same(seconds in 1_i64..10_000_000_000, secret in any::<[u8; 32]>()) {
        let text = token(&EnrolmentSecret::new(secret), "a.b", "i", seconds);
        let again = EnrolmentToken::from_text(&text.clone().into()).unwrap();
        let again = again.to_text();
        prop_assert_eq!(again.expose_secret(), &text);
    }
}
