//! DigitalOcean's own OpenAPI document as a judge: of the sandbox's answers and of the controller's requests. The document
//! is not part of the project: the environment names it, and tests that need it say `skipped: ...` without it.

mod judge;
mod request;
mod schema;

use std::{
    collections::{BTreeMap, BTreeSet},
    env::VarError,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use jsonschema::Validator;
use serde_json::Value;

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
}

fn violation(method: &str, path: &str, problem: String) -> Violation {
    Violation { method: method.to_owned(), path: path.to_owned(), problem }
}

fn no_such_status(method: &str, path: &str, status: u16) -> Violation {
    violation(method, path, format!("status {status} is not in the document"))
}

#[cfg(test)]
#[path = "openapi_tests.rs"]
mod tests;
