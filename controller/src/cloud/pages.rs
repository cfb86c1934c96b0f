//! Lists come in pages that shift while they are read. All pages are followed, by number on our own base address; what
//! comes twice is dropped by id.

use std::collections::BTreeSet;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{client::Client, error::CloudError};

/// The most the API gives at once.
const PER_PAGE: u32 = 200;

/// A list this long is not ours to read.
const MAX_PAGES: u32 = 500;

impl Client {
    /// All items of a list, under their key in the body.
    ///
    /// # Errors
    /// When a page cannot be read.
    pub async fn list<T: DeserializeOwned>(
        &self,
        path: &str,
        key: &str,
        query: &[(&str, String)],
    ) -> Result<Vec<T>, CloudError> {
        let mut items = Vec::new();
        let mut seen = BTreeSet::new();
        for page in 1..=MAX_PAGES {
            let mut query = query.to_vec();
            query.push(("per_page", PER_PAGE.to_string()));
            query.push(("page", page.to_string()));
            let mut body: Value = self.get(path, &query).await?;
            let more = body.pointer("/links/pages/next").is_some_and(|next| !next.is_null());
            let values = body.get_mut(key).map(Value::take);
            for value in values.as_ref().and_then(Value::as_array).into_iter().flatten() {
                if seen.insert(identity(value)) {
                    let malformed = |source| CloudError::Malformed { call: format!("GET {path}"), source };
                    items.push(T::deserialize(value).map_err(malformed)?);
                }
            }
            if !more {
                break;
            }
        }
        Ok(items)
    }
}

fn identity(value: &Value) -> String {
    let id = ["id", "slug", "name"].into_iter().find_map(|key| value.get(key));
    id.unwrap_or(value).to_string()
}
