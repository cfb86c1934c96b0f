//! Pagination: `page` and `per_page` in, a slice with `links` and `meta` out.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

const PER_PAGE: usize = 20;
const MOST_PER_PAGE: usize = 200;

/// Which part of a list is wanted. What makes no sense counts as not given, as clients send `per_page=` too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Page {
    number: usize,
    size: usize,
}

impl Page {
    pub(super) fn from_query(query: &BTreeMap<String, String>) -> Self {
        let positive =
            |name: &str| query.get(name).and_then(|text| text.parse().ok()).filter(|number| *number > 0);
        Self {
            number: positive("page").unwrap_or(1),
            size: positive("per_page").unwrap_or(PER_PAGE).min(MOST_PER_PAGE),
        }
    }

    /// The answer to a request for a list: the wanted part of it under `key`, with `links` and `meta`. `url` is the
    /// list's own address, `query` what came with the request.
    pub(super) fn answer(
        self,
        key: &str,
        list: &[Value],
        url: &str,
        query: &BTreeMap<String, String>,
    ) -> Value {
        let start = self.number.saturating_sub(1).saturating_mul(self.size);
        let part: Vec<&Value> = list.iter().skip(start).take(self.size).collect();
        let mut answer = Map::new();
        answer.insert(key.to_owned(), json!(part));
        answer.insert("links".to_owned(), self.links(list.len(), url, query));
        answer.insert("meta".to_owned(), json!({"total": list.len()}));
        Value::Object(answer)
    }

    fn links(self, total: usize, url: &str, query: &BTreeMap<String, String>) -> Value {
        let last = total.div_ceil(self.size).max(1);
        let mut pages = Map::new();
        let mut link = |name: &str, number: usize| {
            pages.insert(name.to_owned(), Value::String(self.link(number, url, query)));
        };
        if self.number > 1 {
            link("first", 1);
            link("prev", (self.number - 1).min(last));
        }
        if self.number < last {
            link("next", self.number + 1);
            link("last", last);
        }
        if pages.is_empty() { json!({}) } else { json!({"pages": pages}) }
    }

    fn link(self, number: usize, url: &str, query: &BTreeMap<String, String>) -> String {
        let kept = query.iter().filter(|(name, _)| !matches!(name.as_str(), "page" | "per_page"));
        let query = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("page", &number.to_string())
            .append_pair("per_page", &self.size.to_string())
            .extend_pairs(kept)
            .finish();
        format!("{url}?{query}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn answer(pairs: &[(&str, &str)], total: usize) -> Value {
        let list: Vec<Value> = (0..total).map(Value::from).collect();
        let query = query(pairs);
        Page::from_query(&query).answer("things", &list, "http://127.0.0.1:8765/v2/things", &query)
    }

    #[test]
    fn one_page_has_no_links() {
        let answer = answer(&[("per_page", "")], 20);
        assert_eq!(answer["links"], json!({}));
        assert_eq!(answer["meta"], json!({"total": 20}));
        assert_eq!(answer["things"].as_array().unwrap().len(), 20);
    }

    #[test]
    fn the_middle_page_has_all_four_and_keeps_filters() {
        let answer = answer(&[("page", "2"), ("per_page", "10"), ("tag_name", "a:b")], 25);
        assert_eq!(answer["things"], json!([10, 11, 12, 13, 14, 15, 16, 17, 18, 19]));
        let link =
            |page: u32| format!("http://127.0.0.1:8765/v2/things?page={page}&per_page=10&tag_name=a%3Ab");
        assert_eq!(
            answer["links"],
            json!({"pages": {"first": link(1), "prev": link(1), "next": link(3), "last": link(3)}})
        );
    }

    #[test]
    fn the_last_page_has_no_next_and_beyond_is_empty() {
        let last = answer(&[("page", "3"), ("per_page", "10")], 25);
        assert_eq!(last["things"].as_array().unwrap().len(), 5);
        assert!(last["links"]["pages"].get("next").is_none());
        let beyond = answer(&[("page", "9"), ("per_page", "10")], 25);
        assert_eq!(beyond["things"], json!([]));
        assert!(beyond["links"]["pages"].get("next").is_none());
    }

    #[test]
    fn sizes_are_bounded() {
        assert_eq!(answer(&[("per_page", "500")], 300)["things"].as_array().unwrap().len(), 200);
        assert_eq!(answer(&[("per_page", "0"), ("page", "-1")], 30)["things"].as_array().unwrap().len(), 20);
    }
}
