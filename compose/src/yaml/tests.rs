use super::*;

fn value(text: &str) -> String {
    let tree = Json::Object(vec![("k".into(), Json::Str(text.into()))]);
    to_text(&tree, Compatibility::V2_40).strip_prefix("k: ").unwrap().trim_end_matches('\n').to_owned()
}

#[test]
fn what_reads_back_as_text_stays_plain() {
    for text in [
        "a",
        "1.2.3",
        "1e",
        ".",
        "+",
        "0x",
        "tRUE",
        "_1",
        "<<",
        "=",
        "?x",
        ":x",
        "-x",
        "x,y",
        "a'b",
        "a\"b",
        "a#b",
        "0.0.0.0:80",
        "a  b",
        "é",
        "\u{a0}",
        "12:99",
        "2024-02-30",
        "a{b}",
        "C:\\x",
        "~a",
    ] {
        assert_eq!(value(text), text);
    }
}

#[test]
fn what_reads_back_as_something_else_stands_in_double_quotes() {
    for text in [
        "",
        "~",
        "null",
        "NULL",
        "true",
        "False",
        "y",
        "N",
        "yes",
        "No",
        "on",
        "OFF",
        "1",
        "-1",
        "+1",
        "010",
        "08",
        "0x1f",
        "0o17",
        "0b11",
        "1_000",
        "1.",
        ".5",
        "1e3",
        "-.5e3",
        ".nan",
        ".inf",
        "-.INF",
        "+.inf",
        "1:20",
        "12:30:45.6",
        "2001-01-01",
        "2001-1-1 1:2:3",
        "2001-12-14T21:59:43.10-05:00",
        "18446744073709551615",
    ] {
        assert_eq!(value(text), format!("\"{text}\""));
    }
}

#[test]
fn what_has_a_meaning_in_yaml_stands_in_single_quotes() {
    for text in [
        " a", "a ", "  ", "a: b", "a:", "#a", "a #b", "- a", "-", "?", "? a", ": a", "%a", "@a", "`a", "{",
        "}a", "[a", "]", ",a", "&a", "*a", "!a", "|", ">", "\"a", "...", "---x",
    ] {
        assert_eq!(value(text), format!("'{text}'"));
    }
    assert_eq!(value("'x'"), "'''x'''");
    assert_eq!(value("a\u{2028}b"), "'a\u{2028}  b'");
}

#[test]
fn what_cannot_be_seen_is_escaped() {
    for (text, written) in [
        ("a\tb", "a\\tb"),
        ("a\rb", "a\\rb"),
        ("\u{1b}[0m", "\\e[0m"),
        ("\u{1}\u{0}\u{7f}", "\\x01\\0\\x7F"),
        ("\u{feff}", "\\uFEFF"),
        ("\u{85}x", "\\Nx"),
        ("\u{1f600}", "\\U0001F600"),
        ("a \nb", "a \\nb"),
        ("a\nb ", "a\\nb "),
        ("\"\\\t", "\\\"\\\\\\t"),
    ] {
        assert_eq!(value(text), format!("\"{written}\""));
    }
}

#[test]
fn lines_become_a_block() {
    let lines = ["a\nb\n", "a\nb", " a\nb", "a\n\n", "\n", "\n\nx\n\n", "a\n  b", "a\tb\nc", "a: b\n# c\n"];
    let fields =
        lines.iter().enumerate().map(|(index, text)| (format!("k{index}"), Json::Str((*text).into())));
    let tree = Json::Object(vec![("outer".into(), Json::Object(fields.collect()))]);
    insta::assert_snapshot!("blocks_2_40", to_text(&tree, Compatibility::V2_40));
    insta::assert_snapshot!("blocks_2_26", to_text(&tree, Compatibility::V2_26));
}

#[test]
fn collections_nest_and_keys_are_quoted_like_values() {
    let text = |text: &str| Json::Str(text.into());
    let object = |fields: Vec<(&str, Json)>| {
        Json::Object(fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
    };
    let long = "k".repeat(129);
    let tree = object(vec![
        ("list", Json::Array(vec![object(vec![("a", Json::Int(1)), ("b", text("x\ny"))]), Json::Null])),
        ("lists", Json::Array(vec![Json::Array(vec![text("a"), text("b")]), Json::Array(vec![])])),
        ("yes", Json::Bool(true)),
        ("a: b", object(vec![])),
        ("", Json::Array(vec![])),
        (&long, text("v")),
        (&long, object(vec![("a", Json::Null), ("b", Json::Null)])),
        ("two\nlines", text("v")),
        ("time", Json::Timestamp("2001-01-01T00:00:00Z".into())),
    ]);
    insta::assert_snapshot!(to_text(&tree, Compatibility::V2_40));
}

#[test]
fn floats_are_those_of_go() {
    for (number, text) in [
        (0.5, "0.5"),
        (1.0, "1"),
        (100_000.5, "100000.5"),
        (1e6, "1e+06"),
        (1_234_567.0, "1.234567e+06"),
        (1e-4, "0.0001"),
        (1e-5, "1e-05"),
        (-2.5e10, "-2.5e+10"),
        (0.0, "0"),
        (f64::INFINITY, ".inf"),
        (f64::NEG_INFINITY, "-.inf"),
        (f64::NAN, ".nan"),
    ] {
        assert_eq!(to_text(&Json::Float64(number), Compatibility::V2_40).trim_end(), text);
    }
    assert_eq!(to_text(&Json::Float32(0.1), Compatibility::V2_40), "0.1\n");
}
