//! A JSON value beside its schema. Schemas are made ready once: that is the slow part.

use std::sync::{Arc, PoisonError};

use jsonschema::Validator;
use serde_json::{Value, json};

use super::OpenApi;

impl OpenApi {
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

    pub(super) fn judge(&self, schema: &Value, instance: &Value) -> Result<(), String> {
        let validator = self.validator(schema)?;
        let problems: Vec<String> = validator
            .iter_errors(instance)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        if problems.is_empty() { Ok(()) } else { Err(problems.join("; ")) }
    }
}
