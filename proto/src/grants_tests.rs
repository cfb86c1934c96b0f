use proptest::prelude::*;

use super::*;

fn any_grant() -> impl Strategy<Value = Grant> {
    let apps = prop_oneof![
        Just(AppScope::All),
        proptest::collection::btree_set(
            "[a-z][a-z0-9-]{0,30}".prop_map(|name| AppName::new(name).unwrap()),
            1..4
        )
        .prop_map(AppScope::Only),
    ];
    let role = prop_oneof![Just(Role::Viewer), Just(Role::Deployer), Just(Role::Operator), Just(Role::Admin)];
    ("[a-z][a-z0-9-]{0,30}", apps, role).prop_map(|(environment, apps, role)| Grant {
        environment: EnvironmentName::new(environment).unwrap(),
        apps,
        role,
    })
}

proptest! {
    #[test]
    fn grants_survive_their_bytes(grants in proptest::collection::vec(any_grant(), 0..8)) {
        prop_assert_eq!(decode(&encode(&grants).unwrap()).unwrap(), grants);
    }

    #[test]
    fn any_bytes_are_refused_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(decode(&bytes).is_err());
    }

    #[test]
    fn cut_bytes_are_refused(grants in proptest::collection::vec(any_grant(), 0..3), cut in 1_usize..40) {
        let bytes = encode(&grants).unwrap();
        let kept = bytes.len().saturating_sub(cut);
        prop_assert!(decode(&bytes[..kept]).is_err());
    }
}

fn der(json: &str) -> Vec<u8> {
    utf8_string_der(json.as_bytes()).unwrap()
}

#[test]
fn the_bytes_are_as_documented() {
    let grant =
        Grant { environment: "production".parse().unwrap(), apps: AppScope::All, role: Role::Deployer };
    let json = r#"{"version":1,"grants":[{"environment":"production","apps":"all","role":"deployer"}]}"#;
    assert_eq!(encode(&[grant]).unwrap(), der(json));
}

#[test]
fn what_an_older_agent_cannot_judge_is_refused() {
    for json in [
        r#"{"version":2,"grants":[]}"#,
        r#"{"version":1,"grants":[{"environment":"p","apps":"all","role":"admin","until":"noon"}]}"#,
        r#"{"version":1,"grants":[],"deny":[]}"#,
        r#"{"version":1,"grants":[{"environment":"p","apps":"ALL","role":"admin"}]}"#,
        r#"{"version":1,"grants":[{"environment":"p","apps":[],"role":"admin"}]}"#,
        r#"{"version":1,"grants":[{"environment":"p","role":"admin"}]}"#,
        r#"{"version":1,"grants":[{"environment":"p","apps":"all","role":"owner"}]}"#,
        r#"{"version":1,"grants":[{"environment":"p","apps":["../x"],"role":"admin"}]}"#,
        r#"{"version":1}"#,
    ] {
        assert!(decode(&der(json)).is_err(), "{json}");
    }
    assert!(matches!(decode(&der(r#"{"version":2,"more":1}"#)), Err(GrantsError::Version { found: 2 })));
}

#[test]
fn the_bounds_hold() {
    let grant = Grant { environment: "p".parse().unwrap(), apps: AppScope::All, role: Role::Viewer };
    assert!(encode(&vec![grant.clone(); MAX_GRANTS]).is_ok());
    assert!(matches!(encode(&vec![grant; MAX_GRANTS + 1]), Err(GrantsError::TooLarge)));
    let apps = (0..=MAX_APPS).map(|n| AppName::new(format!("a{n}")).unwrap()).collect();
    let wide = Grant { environment: "p".parse().unwrap(), apps: AppScope::Only(apps), role: Role::Viewer };
    assert!(matches!(encode(&[wide]), Err(GrantsError::TooLarge)));
    assert!(matches!(decode(&vec![b' '; MAX_GRANTS_BYTES + 1]), Err(GrantsError::TooLarge)));
}

#[test]
fn roles_are_ordered() {
    assert!(Role::Viewer < Role::Deployer && Role::Deployer < Role::Operator && Role::Operator < Role::Admin);
}
