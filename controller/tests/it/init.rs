//! `init`: without prompts, without overwriting, without leavings.

use crate::world::{World, init_args};

#[test]
fn everything_is_made_once_and_kept_private() {
    let world = World::without_project();
    let said = world.run(&init_args());
    assert_eq!(said.code, 0, "{}", said.err);
    let text = fs_err::read_to_string(world.project().join("tidegate.toml")).unwrap();
    insta::assert_snapshot!(text);
    let root = fs_err::read(world.state().join("shop/root.age")).unwrap();
    assert!(root.starts_with(b"age-encryption.org/v1"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        for (path, mode) in [
            ("shop", 0o700),
            ("shop/production", 0o700),
            ("shop/root.age", 0o600),
            ("shop/production/issuer.key", 0o600),
            ("shop/production/users/jane.key", 0o600),
            ("shop/production/enrolment.secret", 0o600),
            ("shop/production/ssh_ed25519", 0o600),
        ] {
            let found = fs_err::metadata(world.state().join(path)).unwrap().permissions().mode() & 0o777;
            assert_eq!(found, mode, "{path}");
        }
    }
    let again = world.run(&init_args());
    assert_eq!(again.code, 2);
    assert!(again.err.contains("initialised already"), "{}", again.err);
}

#[test]
fn a_failure_leaves_nothing_behind() {
    let world = World::without_project();
    for (args, why) in [
        (vec!["init", "--fleet=shop"], "--admin-address"),
        (vec!["init", "--fleet=shop", "--admin-address=nonsense"], "not an address"),
        (vec!["init", "--fleet=shop", "--admin-address=1.2.3.4", "--passphrase-file=missing"], "passphrase"),
        (vec!["init", "--fleet=shop", "--admin-address=1.2.3.4", "--user=Bad Name"], "--user"),
    ] {
        let said = world.run(&args);
        assert_eq!(said.code, 2, "{args:?}: {}", said.err);
        assert!(said.err.contains(why), "{args:?}: {}", said.err);
        assert_eq!(fs_err::read_dir(world.project()).unwrap().count(), 0, "{args:?}");
        assert!(!world.state().join("shop").exists(), "{args:?}");
    }
    let short = world.command(&init_args()).env("TIDEGATE_CA_PASSPHRASE", "short").output().unwrap();
    assert!(!short.status.success());
    assert_eq!(fs_err::read_dir(world.project()).unwrap().count(), 0);
}

#[tokio::test]
async fn another_environment_joins_the_same_root() {
    let world = World::new().await;
    let path = world.project().join("tidegate.toml");
    let text = fs_err::read_to_string(&path).unwrap();
    fs_err::write(
        &path,
        format!("{text}\n[environment.staging]\ndroplet.web = {{ size = \"s-1vcpu-1gb\" }}\n"),
    )
    .unwrap();
    let wrong = world
        .command(&["-e", "staging", "init"])
        .env("TIDEGATE_CA_PASSPHRASE", "another one")
        .output()
        .unwrap();
    assert_eq!(wrong.status.code(), Some(2));
    assert!(!world.state().join("shop/staging").exists());
    let said = world.run(&["-e", "staging", "init"]);
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(world.state().join("shop/staging/issuer.pem").exists());
    let plan = world.run(&["-e", "staging", "plan"]);
    assert_eq!(plan.code, 0, "{}", plan.err);
    assert!(plan.out.contains("shop-staging-web-1"), "{}", plan.out);
}

#[test]
fn dot_env_is_made_of_its_example() {
    let world = World::without_project();
    fs_err::write(world.project().join(".env.example"), "DIGITALOCEAN_TOKEN=\nTAG=1\n").unwrap();
    assert_eq!(world.run(&init_args()).code, 0);
    let text = fs_err::read_to_string(world.project().join(".env")).unwrap();
    assert_eq!(text, "DIGITALOCEAN_TOKEN=\nTAG=1\n");
}
