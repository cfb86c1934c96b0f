//! What differs between an OpenAPI 3.0 document and JSON Schema, and how its parts are found.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// Follows a `$ref` into `components`.
pub(super) fn resolve(components: &Value, value: &Value) -> Value {
    let target = value
        .get("$ref")
        .and_then(Value::as_str)
        .and_then(|reference| reference.strip_prefix("#/components"))
        .and_then(|pointer| components.pointer(pointer));
    match target {
        Some(target) => resolve(components, target),
        None => value.clone(),
    }
}

/// Makes JSON Schema (draft 4) of it: `nullable`, which only OpenAPI has, becomes an alternative; all else is the same.
pub(super) fn translate(value: Value) -> Value {
    match value {
        Value::Array(list) => Value::Array(list.into_iter().map(translate).collect()),
        Value::Object(object) => translate_object(object),
        other => other,
    }
}

fn translate_object(mut object: Map<String, Value>) -> Value {
    let nullable = object.get("nullable") == Some(&Value::Bool(true));
    // A property may be called `nullable` too; then it is a schema and stays.
    if object.get("nullable").is_some_and(Value::is_boolean) {
        object.remove("nullable");
    }
    let object = object.into_iter().map(|(key, value)| (key, translate(value))).collect();
    if nullable { json!({"anyOf": [{"type": "null"}, Value::Object(object)]}) } else { Value::Object(object) }
}

/// The parameters in a path that fits a template.
pub(super) fn match_path(template: &str, path: &str) -> Option<BTreeMap<String, String>> {
    let mut parameters = BTreeMap::new();
    let mut segments = path.trim_end_matches('/').split('/');
    for wanted in template.split('/') {
        let segment = segments.next()?;
        match wanted.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
            Some(name) if !segment.is_empty() => {
                parameters.insert(name.to_owned(), decode(segment));
            }
            None if wanted == segment => {}
            _ => return None,
        }
    }
    segments.next().is_none().then_some(parameters)
}

/// Undoes percent-encoding; a form decoder would also turn `+` into a space, which is not one in a path.
fn decode(segment: &str) -> String {
    let kept = segment.replace('+', "%2B");
    url::form_urlencoded::parse(kept.as_bytes()).map(|(name, _)| name.into_owned()).collect()
}
