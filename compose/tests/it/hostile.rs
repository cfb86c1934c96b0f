//! Files made to hurt: each is about 1 MB and must be refused, or read, in less than a second.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use super::{load_files, load_text};

/// The aim of a second holds for an optimised build; an unoptimised one beside other tests only has to end.
const LIMIT: Duration = Duration::from_secs(if cfg!(debug_assertions) { 40 } else { 1 });

/// The most memory that a load may ever hold, in KiB; the text of the file itself is in it.
const MEMORY: u64 = 200 << 10;

fn refused(text: &str) -> String {
    refused_files(&[("compose.yaml", text)])
}

fn refused_files(files: &[(&str, &str)]) -> String {
    let start = Instant::now();
    let errors = load_files(files).map(|_| ()).unwrap_err();
    let took = start.elapsed();
    println!("refused in {took:?}");
    assert!(took < LIMIT, "took {took:?}");
    assert_memory();
    errors.errors[0].message.clone()
}

/// The peak of this process is that of the test where each test has a process of its own.
fn assert_memory() {
    let alone = std::env::var_os("NEXTEST_EXECUTION_MODE").is_some_and(|mode| mode == "process-per-test");
    let Ok(status) = fs_err::read_to_string("/proc/self/status") else { return };
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
    let peak: u64 = peak.map_or(0, |kib| kib.parse().unwrap());
    println!("peak {} MiB", peak >> 10);
    assert!(!alone || peak < MEMORY, "{peak} KiB");
}

fn quick(text: &str) {
    let start = Instant::now();
    drop(load_text(text));
    let took = start.elapsed();
    println!("read in {took:?}");
    assert!(took < LIMIT, "took {took:?}");
    assert_memory();
}

#[test]
fn an_alias_bomb() {
    let mut text = String::from("x-0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n");
    for level in 1..12 {
        let aliases = vec![format!("*a{}", level - 1); 9].join(", ");
        writeln!(text, "x-{level}: &a{level} [{aliases}]").unwrap();
    }
    text.push_str("services: {}\n");
    assert!(refused(&text).contains("aliases"));
}

#[test]
fn a_wide_alias_bomb_of_strings() {
    let mut text = format!("x-a: &a {}\nx-b:\n", "x".repeat(500_000));
    for _ in 0..100_000 {
        text.push_str("- *a\n");
    }
    quick(&text);
}

#[test]
fn deep_nesting_in_both_styles() {
    assert!(refused(&format!("x: {}", "[".repeat(1_000_000))).contains("YAML"));
    let mut text = String::new();
    for level in 0..1400 {
        writeln!(text, "{}a:", " ".repeat(level)).unwrap();
    }
    refused(&text);
}

#[test]
fn ranges_of_ports() {
    let mut text = String::from("services:\n  a:\n    image: x\n    ports:\n");
    for _ in 0..40_000 {
        text.push_str("    - \"1-65535:1-65535\"\n");
    }
    // The same text again is the same port.
    quick(&text);
    let mut text = String::from("services:\n  a:\n    image: x\n    ports:\n");
    for address in 0..40_000 {
        writeln!(text, "    - \"10.{}.{}.1:1-65535:1-65535\"", address / 256, address % 256).unwrap();
    }
    assert!(refused(&text).contains("ports"));
}

#[test]
fn references_in_references_and_long_lines() {
    let deep = format!("x-a: \"{}{}\"", "${A:-".repeat(150_000), "}".repeat(150_000));
    assert!(refused(&deep).contains("nested"));
    quick(&format!("x-a: \"{}\"", "${A:-x}".repeat(140_000)));
    quick(&format!("x-a: \"{}\"", "${A:-".repeat(180_000)));
    quick(&format!("x-a: \"{}\"", "${A} ".repeat(180_000)));
}

#[test]
fn long_chains_of_services() {
    let mut text = String::from("services:\n  s0: {image: x}\n");
    for number in 1..9_999 {
        writeln!(text, "  s{number}: {{extends: s{}}}", number - 1).unwrap();
    }
    quick(&text);
    let mut text = String::from("services:\n");
    for number in 0..9_999 {
        writeln!(text, "  s{number}: {{image: x, depends_on: [s{}]}}", number + 1).unwrap();
    }
    assert!(!refused(&text).is_empty());
}

#[test]
fn a_hundred_thousand_services() {
    let mut text = String::from("services:\n");
    for number in 0..100_000 {
        writeln!(text, "  s{number}: {{}}").unwrap();
    }
    assert!(refused(&text).contains("services"));
}

#[test]
fn many_keys_items_and_problems() {
    let mut text = String::from("services:\n  a:\n    image: x\n    environment:\n");
    for number in 0..50_000 {
        writeln!(text, "    - K{number}=v").unwrap();
    }
    quick(&text);
    let mut text = String::from("services:\n  a:\n    image: x\n");
    for number in 0..50_000 {
        writeln!(text, "    wrong{number}: 1").unwrap();
    }
    assert!(refused(&text).contains("unknown"));
}

#[test]
fn files_in_files() {
    let mut circle = String::from("include:\n");
    let mut many = String::from("include:\n");
    let mut extending = String::from("services:\n");
    for number in 0..20_000 {
        circle.push_str("- compose.yaml\n");
        many.push_str("- large.yaml\n");
        writeln!(extending, "  s{number}: {{extends: {{file: large.yaml, service: a}}}}").unwrap();
    }
    assert!(refused(&circle).contains("circle"));
    let large = format!("services: {{a: {{image: x}}}}\nx-a: {}\n", "x".repeat(500_000));
    assert!(refused_files(&[("compose.yaml", &many), ("large.yaml", &large)]).contains("MiB"));
    refused_files(&[("compose.yaml", &extending), ("large.yaml", &large)]);
}

#[test]
fn problems_everywhere() {
    let mut text = String::from("services:\n");
    for number in 0..4_500 {
        writeln!(text, "  s{number}: {{image: \"${{A{number}:?x}}\", ports: [\"x\"], extends: gone, tyt: 1, networks: [n{number}]}}").unwrap();
    }
    refused(&text);
    refused_files(&[
        ("compose.yaml", &text),
        ("compose.override.yaml", &text.replace("ports: [", "ports: {a: ").replace("\"x\"]", "b}")),
    ]);
}

#[test]
fn variables_that_double() {
    let mut env = String::from("A0=0123456789012345678901234567890123456789\n");
    for number in 1..60 {
        writeln!(env, "A{number}=$A{0}$A{0}", number - 1).unwrap();
    }
    let start = Instant::now();
    let files = [(".env", env.as_str()), ("compose.yaml", "services: {}")];
    let errors = load_files(&files).map(|_| ()).unwrap_err();
    assert_eq!(errors.errors[0].class.name(), "env-file");
    assert!(start.elapsed() < LIMIT);
}

#[test]
fn a_thousand_services() {
    let mut text = String::new();
    text.push_str("services:\n");
    for number in 0..1000 {
        writeln!(
            text,
            "  s{number}:\n    image: registry.example.com/s:{number}\n    command: [run, --port, \"80\"]\n    environment:\n      A: \"{number}\"\n      B: x\n    ports:\n    - \"{}:80\"\n    volumes:\n    - data:/data\n    - ./conf:/conf:ro\n    healthcheck:\n      test: [CMD, run]\n      interval: 5s\n    depends_on:\n      s{}:\n        condition: service_started\n    deploy:\n      resources:\n        limits: {{cpus: \"0.5\", memory: 64m}}\n",
            10_000 + number,
            (number + 1).min(999) * usize::from(number < 999) + usize::from(number == 999) * 1000,
        )
        .unwrap();
    }
    text.push_str("  s1000: {image: x}\nvolumes:\n  data:\n");
    let start = Instant::now();
    let loaded = load_text(&text).unwrap();
    let compat = loaded.project.compatibility;
    let hashes: usize = loaded
        .project
        .services
        .values()
        .map(|service| tidegate_compose::hash::service(service, compat).len())
        .sum();
    let took = start.elapsed();
    println!("1000 services read, normalised and hashed in {took:?}");
    assert_eq!(hashes, 1001 * 64);
    assert!(took < LIMIT);
}

/// Pieces of Compose files, to be put together without sense.
const PIECES: &[&str] = &[
    "services",
    "networks",
    "volumes",
    "a",
    "b",
    "image",
    "build",
    "ports",
    "environment",
    "extends",
    "include",
    "depends_on",
    "deploy",
    "x-a",
    "name",
    ": ",
    ":\n",
    "\n",
    "\n  ",
    "\n    ",
    "- ",
    "[",
    "]",
    "{",
    "}",
    ", ",
    "\"",
    "'",
    "&x ",
    "*x",
    "<<: ",
    "!reset ",
    "!override ",
    "---\n",
    "$",
    "${",
    "${A:-",
    "}",
    "80",
    "80-90:80",
    "1.5",
    "true",
    "null",
    "|\n",
    ">\n",
    "#",
    "é",
    "\t",
    "./a:/b",
    "file",
    "service",
    "~",
];

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(2000))]
    #[test]
    fn nonsense_is_answered(pieces in proptest::collection::vec(proptest::sample::select(PIECES), 0..40)) {
        let text = pieces.concat();
        for text in [text.clone(), format!("services:\n  a:\n    image: x\n    {text}"), format!("services: {{a: {{image: x}}}}\n{text}")] {
            if let Err(errors) = load_text(&text) {
                proptest::prop_assert!(!errors.errors.is_empty());
            }
        }
    }
}
