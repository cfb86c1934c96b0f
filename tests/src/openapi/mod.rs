//! DigitalOcean's own OpenAPI document as a judge: of the sandbox's answers and of the controller's requests. The document
//! is not part of the project: the environment names it, and tests that need it say `skipped: ...` without it.

mod schema;

use std::{
    collections::{BTreeMap, BTreeSet},
    env::VarError,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use jsonschema::Validator;
use serde_json::{Value, json};

/// The environment variable that names the document.
pub const VARIABLE: &str = "TIDEGATE_OPENAPI";

/// Why there is no document.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The environment names none.
    #[error("skipped: {VARIABLE} does not name DigitalOcean's OpenAPI document")]
    NotNamed,
    /// It cannot be read.
    #[error("the OpenAPI document cannot be read")]
    Io(#[source] io::Error),
    /// It is not JSON.
    #[error("{} is not JSON", .path.display())]
    NotJson {
        /// The file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
}

/// How a message breaks the contract.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{method} {path}: {problem}")]
pub struct Violation {
    /// Method of the request.
    pub method: String,
    /// Its path.
    pub path: String,
    /// What is wrong.
    pub problem: String,
}

/// The document.
#[derive(Debug)]
pub struct OpenApi {
    /// Schemas below `components`, translated to JSON Schema.
    components: Value,
    operations: Vec<Operation>,
    judged: Mutex<BTreeSet<(String, String)>>,
    /// Schemas made ready, by their text: that is the slow part.
    validators: Mutex<BTreeMap<String, Arc<Validator>>>,
}

#[derive(Debug)]
struct Operation {
    method: String,
    template: String,
    definition: Value,
    parameters: Vec<Value>,
}

impl OpenApi {
    /// Loads the document that the environment names.
    ///
    /// # Errors
    /// When it names none, or one that cannot be used.
    pub fn load_from_env() -> Result<Self, LoadError> {
        #[expect(clippy::disallowed_methods, reason = "tests are told about their surroundings this way")]
        match std::env::var(VARIABLE) {
            Ok(path) => Self::load(Path::new(&path)),
            Err(VarError::NotPresent | VarError::NotUnicode(_)) => Err(LoadError::NotNamed),
        }
    }

    /// Loads a document.
    ///
    /// # Errors
    /// When it cannot be read or is not JSON.
    pub fn load(path: &Path) -> Result<Self, LoadError> {
        let bytes = fs_err::read(path).map_err(LoadError::Io)?;
        let document = serde_json::from_slice(&bytes)
            .map_err(|source| LoadError::NotJson { path: path.to_owned(), source })?;
        Ok(Self::new(&document))
    }

    fn new(document: &Value) -> Self {
        let components = document.get("components").cloned().unwrap_or_default();
        let mut operations = Vec::new();
        for (template, item) in document.get("paths").and_then(Value::as_object).into_iter().flatten() {
            let shared = item.get("parameters").and_then(Value::as_array).cloned().unwrap_or_default();
            for (method, definition) in item.as_object().into_iter().flatten() {
                if !matches!(method.as_str(), "get" | "post" | "put" | "patch" | "delete") {
                    continue;
                }
                let own = definition.get("parameters").and_then(Value::as_array).cloned().unwrap_or_default();
                let parameters =
                    shared.iter().chain(&own).map(|one| schema::resolve(&components, one)).collect();
                operations.push(Operation {
                    method: method.to_uppercase(),
                    template: template.clone(),
                    definition: definition.clone(),
                    parameters,
                });
            }
        }
        Self {
            components: schema::translate(components),
            operations,
            judged: Mutex::default(),
            validators: Mutex::default(),
        }
    }

    /// How many operations have had a successful answer judged and found right.
    pub fn judged(&self) -> usize {
        self.judged.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// The operations of paths that begin so, as `METHOD /path/{template}`.
    pub fn operations(&self, prefix: &str) -> Vec<String> {
        let named = self.operations.iter().filter(|operation| operation.template.starts_with(prefix));
        named.map(|operation| format!("{} {}", operation.method, operation.template)).collect()
    }

    /// The template of a request's path.
    ///
    /// # Errors
    /// When the document has no such operation.
    pub fn template(&self, method: &str, path: &str) -> Result<&str, Violation> {
        self.find(method, path).map(|(operation, _)| operation.template.as_str())
    }

    /// The scopes that a token needs for a request.
    ///
    /// # Errors
    /// When the document has no such operation.
    pub fn scopes(&self, method: &str, path: &str) -> Result<Vec<String>, Violation> {
        let (operation, _) = self.find(method, path)?;
        let scopes = operation.definition.pointer("/security/0/bearer_auth").and_then(Value::as_array);
        Ok(scopes.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect())
    }

    /// The headers that an answer has to carry.
    ///
    /// # Errors
    /// When the document has no such operation or status.
    pub fn headers(&self, method: &str, path: &str, status: u16) -> Result<Vec<String>, Violation> {
        let (operation, _) = self.find(method, path)?;
        let response =
            self.response(operation, status).ok_or_else(|| no_such_status(method, path, status))?;
        let headers = response.get("headers").and_then(Value::as_object);
        Ok(headers.into_iter().flatten().map(|(name, _)| name.clone()).collect())
    }

    /// Judges an answer; `None` is an empty body.
    ///
    /// # Errors
    /// When the operation is unknown, or status or body are not what the document says.
    pub fn check_response(
        &self,
        method: &str,
        path: &str,
        status: u16,
        body: Option<&Value>,
    ) -> Result<(), Violation> {
        let (operation, _) = self.find(method, path)?;
        let response =
            self.response(operation, status).ok_or_else(|| no_such_status(method, path, status))?;
        let fail = |problem: String| violation(method, path, problem);
        match (response.pointer("/content/application~1json/schema"), body) {
            (None, None) => {}
            (None, Some(body)) => {
                return Err(fail(format!("{status} has no body in the document, but here: {body}")));
            }
            (Some(_), None) => return Err(fail(format!("{status} lacks its body"))),
            (Some(schema), Some(body)) => {
                self.judge(schema, body).map_err(|problem| fail(format!("{status}: {problem}")))?;
            }
        }
        if (200..300).contains(&status) {
            let name = (operation.method.clone(), operation.template.clone());
            self.judged.lock().unwrap_or_else(PoisonError::into_inner).insert(name);
        }
        Ok(())
    }

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

    fn find(&self, method: &str, path: &str) -> Result<(&Operation, BTreeMap<String, String>), Violation> {
        let candidates =
            self.operations.iter().filter(|operation| operation.method.eq_ignore_ascii_case(method));
        candidates
            .filter_map(|operation| Some((operation, schema::match_path(&operation.template, path)?)))
            // A literal segment wins over a parameter.
            .min_by_key(|(_, parameters)| parameters.len())
            .ok_or_else(|| violation(method, path, "no such operation in the document".to_owned()))
    }

    fn response(&self, operation: &Operation, status: u16) -> Option<Value> {
        let responses = operation.definition.get("responses")?;
        let response = responses.get(status.to_string()).or_else(|| {
            // `default` stands for errors: a success that is not listed is a wrong one.
            (status >= 400).then(|| responses.get("default")).flatten()
        })?;
        let resolved = schema::resolve(&self.components, response);
        Some(schema::translate(resolved))
    }

    fn validator(&self, schema: &Value) -> Result<Arc<Validator>, String> {
        let mut ready = self.validators.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(validator) = ready.get(&schema.to_string()) {
            return Ok(Arc::clone(validator));
        }
        let whole = json!({"allOf": [schema], "components": self.components});
        let validator = jsonschema::draft4::options()
            .should_validate_formats(true)
            .build(&whole)
            .map_err(|error| format!("the document's schema cannot be used: {error}"))?;
        let validator = Arc::new(validator);
        ready.insert(schema.to_string(), Arc::clone(&validator));
        Ok(validator)
    }

    fn judge(&self, schema: &Value, instance: &Value) -> Result<(), String> {
        let validator = self.validator(schema)?;
        let problems: Vec<String> = validator
            .iter_errors(instance)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        if problems.is_empty() { Ok(()) } else { Err(problems.join("; ")) }
    }
}

fn violation(method: &str, path: &str, problem: String) -> Violation {
    Violation { method: method.to_owned(), path: path.to_owned(), problem }
}

fn no_such_status(method: &str, path: &str, status: u16) -> Violation {
    violation(method, path, format!("status {status} is not in the document"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document() -> OpenApi {
        OpenApi::new(&json!({
            "paths": {
                "/v2/things/{id}": {
                    "get": {
                        "parameters": [{"in": "path", "name": "id", "required": true, "schema": {"type": "integer"}},
                                       {"in": "query", "name": "page", "schema": {"type": "integer", "minimum": 1}}],
                        "responses": {"200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/thing"}}}},
                                      "default": {"$ref": "#/components/responses/error"}}
                    }
                },
                "/v2/things/special": {"get": {"responses": {"204": {}}}},
                "/v2/things": {"post": {
                    "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/thing"}}}},
                    "responses": {"201": {}}
                }}
            },
            "components": {
                "schemas": {"thing": {"type": "object", "required": ["name"], "properties": {
                    "name": {"type": "string", "nullable": true}, "at": {"type": "string", "format": "date-time"}}}},
                "responses": {"error": {"content": {"application/json": {"schema": {"type": "object", "required": ["id"]}}}}}
            }
        }))
    }

    #[test]
    fn bodies_are_judged_nulls_and_formats_included() {
        let api = document();
        let check = |body: Value| api.check_response("GET", "/v2/things/7", 200, Some(&body));
        check(json!({"name": "x"})).unwrap();
        check(json!({"name": null, "at": "2026-11-21T12:00:00Z"})).unwrap();
        check(json!({})).unwrap_err();
        check(json!({"name": 1})).unwrap_err();
        check(json!({"name": "x", "at": "yesterday"})).unwrap_err();
        assert_eq!(api.judged(), 1);
    }

    #[test]
    fn errors_are_judged_by_the_default_and_unlisted_successes_are_wrong() {
        let api = document();
        api.check_response("GET", "/v2/things/7", 422, Some(&json!({"id": "x"}))).unwrap();
        api.check_response("GET", "/v2/things/7", 422, Some(&json!({}))).unwrap_err();
        api.check_response("GET", "/v2/things/7", 202, Some(&json!({"name": "x"}))).unwrap_err();
    }

    #[test]
    fn a_literal_segment_wins() {
        assert_eq!(document().template("GET", "/v2/things/special").unwrap(), "/v2/things/special");
        document().check_response("GET", "/v2/things/special", 204, None).unwrap();
    }

    #[test]
    fn requests_are_judged_with_their_parameters() {
        let api = document();
        api.check_request("GET", "/v2/things/7", "page=2", None).unwrap();
        api.check_request("GET", "/v2/things/seven", "", None).unwrap_err();
        api.check_request("GET", "/v2/things/7", "page=0", None).unwrap_err();
        api.check_request("GET", "/v2/things/7", "colour=red", None).unwrap_err();
        api.check_request("POST", "/v2/things", "", Some(&json!({"name": "x"}))).unwrap();
        api.check_request("POST", "/v2/things", "", Some(&json!({"name": 7}))).unwrap_err();
        api.check_request("POST", "/v2/things", "", None).unwrap_err();
        api.check_request("GET", "/v2/other", "", None).unwrap_err();
    }
}
