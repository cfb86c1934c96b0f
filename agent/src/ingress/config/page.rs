//! The maintenance page.

use serde_json::{Map, Value, json};

use super::handlers::{own, terminal};

/// When visitors are to come back, in seconds.
const RETRY_AFTER: &str = "60";

const HTML: &str = r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>Back soon</title>
<style>
:root { color-scheme: light dark; }
body { font: 1.1rem/1.5 system-ui, sans-serif; margin: 0; min-height: 100vh; display: grid; place-items: center; }
main { max-width: 30rem; padding: 2rem; }
h1 { font-size: 1.6rem; margin: 0 0 .5rem; }
</style>
</head>
<body>
<main>
<h1>Back soon</h1>
<p>This site is being worked on. Please try again in a few minutes.</p>
</main>
</body>
</html>
"#;

const JSON: &str = "{\"error\":\"maintenance\",\"message\":\"This site is being worked on. Please try again in a few minutes.\"}\n";

/// What is answered instead of a service: JSON to those who ask for it, else a page.
pub(super) fn routes(matcher: &Map<String, Value>) -> [Value; 2] {
    let mut json_only = matcher.clone();
    json_only.insert("header".into(), json!({ "Accept": ["*application/json*"] }));
    let answer = |kind: &str, body: &str| {
        let headers = json!({
            "Retry-After": [RETRY_AFTER],
            "Cache-Control": ["no-store"],
            "Content-Type": [kind],
        });
        own(503, headers, &escaped(body))
    };
    [
        terminal(&json_only, &answer("application/json", JSON)),
        terminal(matcher, &answer("text/html; charset=utf-8", HTML)),
    ]
}

/// Braces would be placeholders of Caddy's.
fn escaped(body: &str) -> String {
    body.replace('{', "\\{")
}
