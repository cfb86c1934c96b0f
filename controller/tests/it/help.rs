//! The whole command line as one snapshot, so that a change of it is seen.

use std::process::Command;

fn help(args: &[&str]) -> String {
    let output =
        Command::new(env!("CARGO_BIN_EXE_tidegate")).args(args).arg("--help").env_clear().output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_command_line_is_as_it_was() {
    let top = help(&[]);
    let commands =
        top.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names: Vec<&str> = commands.filter_map(|line| line.split_whitespace().next()).collect();
    assert!(names.contains(&"up"), "{names:?}");
    let mut all = top.clone();
    for name in names {
        all.push_str(&format!("\n\n==== {name}\n{}", help(&[name])));
    }
    for name in ["now", "list", "show", "verify", "prune"] {
        all.push_str(&format!("\n\n==== backup {name}\n{}", help(&["backup", name])));
    }
    insta::assert_snapshot!(all);
}

#[test]
fn wrong_usage_ends_with_2() {
    for args in [&["nonsense"][..], &["plan", "--nonsense"], &["-e", "Bad_Name", "plan"]] {
        let output = Command::new(env!("CARGO_BIN_EXE_tidegate")).args(args).env_clear().output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}");
    }
}
