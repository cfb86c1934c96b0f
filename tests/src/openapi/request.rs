//! A client's requests: path, query and body.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{OpenApi, Operation, Violation, schema, violation};

impl OpenApi {
    /// Judges a request; `query` is as in the URL, without its question mark.
    ///
    /// # Errors
    /// When the operation is unknown, a parameter is unknown, missing or of the wrong kind, or the body is wrong.
    pub fn check_request(
        &self,
        method: &str,
        path: &str,
        query: &str,
        body: Option<&Value>,
    ) -> Result<(), Violation> {
        let (operation, in_path) = self.find(method, path)?;
        let fail = |problem: String| violation(method, path, problem);
        let in_query: BTreeMap<String, String> =
            url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        for (place, given) in [("path", &in_path), ("query", &in_query)] {
            self.check_parameters(operation, place, given).map_err(fail)?;
        }
        let content =
            operation.definition.get("requestBody").map(|body| schema::resolve(&self.components, body));
        let schema =
            content.as_ref().and_then(|content| content.pointer("/content/application~1json/schema"));
        match (schema, body) {
            (_, None) if method == "GET" => Ok(()),
            (None, None) => Ok(()),
            (None, Some(body)) => Err(fail(format!("it takes no body, but here is one: {body}"))),
            (Some(_), None) => Err(fail("it lacks its body".to_owned())),
            (Some(schema), Some(body)) => self.judge(&schema::translate(schema.clone()), body).map_err(fail),
        }
    }

    fn check_parameters(
        &self,
        operation: &Operation,
        place: &str,
        given: &BTreeMap<String, String>,
    ) -> Result<(), String> {
        let known: Vec<(&str, &Value)> = operation
            .parameters
            .iter()
            .filter(|parameter| parameter.get("in").and_then(Value::as_str) == Some(place))
            .filter_map(|parameter| Some((parameter.get("name")?.as_str()?, parameter)))
            .collect();
        for name in given.keys() {
            if !known.iter().any(|(known, _)| known == name) {
                return Err(format!("{place} parameter {name:?} is not in the document"));
            }
        }
        for (name, parameter) in known {
            let required = parameter.get("required").and_then(Value::as_bool) == Some(true);
            let Some(text) = given.get(name) else {
                if required {
                    return Err(format!("{place} parameter {name:?} is missing"));
                }
                continue;
            };
            let schema = schema::translate(parameter.get("schema").cloned().unwrap_or_else(|| json!({})));
            // In a URL everything is a text: it may be right as one or as what it looks like.
            let as_json = serde_json::from_str(text).unwrap_or(Value::Null);
            if let Err(problem) = self.judge(&schema, &Value::String(text.clone())) {
                self.judge(&schema, &as_json)
                    .map_err(|_| format!("{place} parameter {name:?}: {problem}"))?;
            }
        }
        Ok(())
    }
}
