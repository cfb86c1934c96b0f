use std::cell::RefCell;
use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

#[derive(Default)]
struct Vars {
    values: BTreeMap<&'static str, &'static str>,
    unset: RefCell<Vec<String>>,
}

impl Lookup for Vars {
    fn get(&self, name: &str) -> Option<String> {
        self.values.get(name).map(|value| (*value).to_owned())
    }
    fn unset(&self, name: &str) {
        self.unset.borrow_mut().push(name.to_owned());
    }
}

fn vars() -> Vars {
    Vars { values: [("SET", "val"), ("EMPTY", "")].into(), ..Vars::default() }
}

#[test]
fn all_forms() {
    for (text, result) in [
        ("$SET ${SET}x", "val valx"),
        ("${SET:-d} ${SET-d} ${EMPTY:-d} ${EMPTY-d} ${NO:-d} ${NO-d}", "val val d  d d"),
        ("${SET:+a} ${SET+a} ${EMPTY:+a} ${EMPTY+a} ${NO:+a}${NO+a}", "a a  a "),
        ("${SET:?m}${EMPTY?m}", "val"),
        ("$$SET $5 $ {SET}", "$SET $5 $ {SET}"),
        ("${NO:-${EMPTY:-${SET}}}/${SET}", "val/val"),
        ("${NO:-{\"a\":{\"b\":1}}} x", "{\"a\":{\"b\":1}} x"),
        ("${NO:-a-b:-c}", "a-b:-c"),
        ("$SET-$SET.$SET", "val-val.val"),
    ] {
        assert_eq!(substitute(text, &vars()).as_deref(), Ok(result), "{text}");
    }
}

#[test]
fn malformed_and_required() {
    for text in ["${", "${}", "${1x}", "${SET:foo}", "${SET", "${NO:-a\nb}"] {
        let error = substitute(text, &vars()).unwrap_err();
        assert!(matches!(error, TemplateError::Invalid { .. }), "{text}: {error}");
    }
    let error = substitute("${EMPTY:?must be $SET}", &vars()).unwrap_err();
    assert_eq!(error.to_string(), "required variable EMPTY is missing a value: must be val");
}

#[test]
fn unset_variables_are_told_once_per_use() {
    let vars = vars();
    substitute("$NO ${NO} ${NO:-x}", &vars).unwrap();
    assert_eq!(*vars.unset.borrow(), ["NO", "NO"]);
}

#[test]
fn bombs_are_refused() {
    let deep = format!("{}x{}", "${A:-".repeat(5000), "}".repeat(5000));
    assert!(matches!(substitute(&deep, &vars()), Err(TemplateError::TooDeep { .. })));
}

/// A reference as a tree, with its value computed the plain way.
#[derive(Debug, Clone)]
enum Part {
    Text(String),
    Dollar,
    Var(&'static str),
    Op(&'static str, &'static str, Vec<Part>),
}

fn render(parts: &[Part]) -> String {
    parts
        .iter()
        .map(|part| match part {
            Part::Text(text) => text.clone(),
            Part::Dollar => "$$".to_owned(),
            Part::Var(name) => format!("${{{name}}}"),
            Part::Op(name, op, operand) => format!("${{{name}{op}{}}}", render(operand)),
        })
        .collect()
}

fn reference(parts: &[Part], vars: &Vars) -> String {
    parts
        .iter()
        .map(|part| match part {
            Part::Text(text) => text.clone(),
            Part::Dollar => "$".to_owned(),
            Part::Var(name) => vars.get(name).unwrap_or_default(),
            Part::Op(name, op, operand) => {
                let value = vars.get(name);
                let filled = reference(operand, vars);
                let strict = op.starts_with(':');
                let has = value.as_ref().is_some_and(|value| !strict || !value.is_empty());
                match (op.ends_with('-'), has) {
                    (true, true) | (false, false) => value.unwrap_or_default(),
                    (true, false) | (false, true) => filled,
                }
            }
        })
        .collect()
}

fn parts() -> impl Strategy<Value = Vec<Part>> {
    let names = prop::sample::select(vec!["SET", "EMPTY", "NO"]);
    let leaf = prop_oneof![
        "[a-z :?+/.-]{1,6}".prop_map(Part::Text),
        Just(Part::Dollar),
        names.clone().prop_map(Part::Var),
    ];
    let part = leaf.prop_recursive(4, 24, 4, move |inner| {
        (names.clone(), prop::sample::select(vec![":-", "-", ":+", "+"]), prop::collection::vec(inner, 0..4))
            .prop_map(|(name, op, operand)| Part::Op(name, op, operand))
    });
    prop::collection::vec(part, 0..6)
}

proptest! {
    #[test]
    fn agrees_with_a_simple_reference(parts in parts()) {
        let vars = vars();
        prop_assert_eq!(substitute(&render(&parts), &vars), Ok(reference(&parts, &vars)));
    }

    #[test]
    fn never_panics(text in "[${}A:?+a\n-]{0,40}") {
        prop_assert!(substitute(&text, &vars()).is_ok_and(|out| out.len() < 1000) || text.contains('$'));
    }
}
