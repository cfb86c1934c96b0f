//! Tests of [`super`].

use serde_json::json;

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
