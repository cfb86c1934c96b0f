//! No secret where it should not be: everything that is written down is searched for the secrets of this test.

use std::path::Path;

use super::{
    shop::{PASSWORD, Shop},
    world::PASSPHRASE,
};

pub fn none_is_where_it_should_not_be(shop: &Shop) {
    let token = shop.world.token().to_owned();
    let secrets = [PASSPHRASE, PASSWORD, &token];
    // On this machine: the state directory, the project as tidegate left it, and the arguments of all processes.
    for secret in secrets {
        for place in ["state", "project"] {
            let found = holding(&shop.world.root.join(place), secret);
            let found: Vec<_> = found.iter().filter(|path| !path.ends_with(".env.production")).collect();
            assert!(found.is_empty(), "{secret} stands in {found:?}");
        }
        assert!(!arguments().contains(secret), "{secret} is an argument of a process");
    }
    // On the droplet: user data, the agent's state, logs, arguments and what Docker tells.
    // What is searched for stands in a file, else each search would find itself among the arguments.
    let script = format!(
        "umask 077; wanted=/run/wanted
         for s in {PASSPHRASE} {PASSWORD} {token}; do
           printf '%s\\n' \"$s\" >$wanted
           journalctl --no-pager -q | grep -c -F -f $wanted | sed 's/^/journal /'
           grep -c -a -F -f $wanted /var/lib/cloud/instance/user-data.txt | sed 's/^/user-data /'
           grep -l -a -r -F -f $wanted /var/log /etc/tidegate /var/lib/tidegate 2>/dev/null | sed 's/^/file /'
           cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ' | grep -a -o -F -f $wanted | wc -l | sed 's/^/arguments /'
         done
         rm $wanted"
    );
    // Through standard input, so that the search itself puts nothing into arguments.
    let said =
        shop.world.tidegate_stdin(&["exec", "--host", "--", "sh", "-s"], script.as_bytes()).ok("the search");
    for line in said.stdout.lines() {
        let allowed = line.ends_with(" 0")
            || line.starts_with("file /var/lib/tidegate/releases/")
            || line.starts_with("file /var/lib/tidegate/apps/shop/.env.production");
        assert!(allowed, "a secret stands where it should not: {line}\nall:\n{}", said.stdout);
    }
    // The one-time token is worth nothing and stands in no file any more, except in cloud-init's own copy.
    assert_eq!(
        shop.on_host(&["sh", "-c", "ls /etc/tidegate/enrolment.json 2>/dev/null | wc -l"]).trim(),
        "0"
    );
    let inspect = shop.on_host(&["sh", "-c", "docker inspect $(docker ps -aq)"]);
    assert!(!inspect.contains(&token) && !inspect.contains(PASSPHRASE));
    // Labels and arguments are shown everywhere; the environment is the app's own.
    let labels =
        shop.on_host(&["sh", "-c", "docker inspect -f '{{.Config.Labels}} {{.Args}}' $(docker ps -aq)"]);
    assert!(!labels.contains(PASSWORD));
}

/// Files below a directory that hold a text.
fn holding(directory: &Path, text: &str) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    let Ok(entries) = fs_err::read_dir(directory) else { return found };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(holding(&path, text));
        } else if let Ok(bytes) = fs_err::read(&path)
            && bytes.windows(text.len()).any(|window| window == text.as_bytes())
        {
            found.push(path);
        }
    }
    found
}

fn arguments() -> String {
    let mut all = String::new();
    for entry in fs_err::read_dir("/proc").unwrap() {
        let path = entry.unwrap().path().join("cmdline");
        all.push_str(&String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()));
        all.push('\n');
    }
    all
}
