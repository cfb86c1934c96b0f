//! What engines before API 1.44 read elsewhere in a request than the client writes it.
//!
//! Owns the one such place that matters: a container's MAC address stood outside its networks. Must not decide what is asked
//! for ([`super::support`] refuses what an engine has no place for at all).

use bollard::BollardRequest;
use futures::FutureExt as _;
use http_body_util::{BodyExt as _, Collected};
use serde_json::Value;

/// Whether an engine with this version of the API is one of them.
pub(super) fn is_former(api: (usize, usize)) -> bool {
    api < (1, 44)
}

/// Where a container is made, the MAC address of its first network becomes its own.
pub(super) fn in_former_places(request: BollardRequest) -> BollardRequest {
    // The client leaves the version out.
    if request.uri().path() != "/containers/create" {
        return request;
    }
    let (parts, body) = request.into_parts();
    // Such a body is in memory as a whole, so it is there without waiting.
    let collected = body.collect().now_or_never().and_then(Result::ok);
    let text = collected.map(Collected::to_bytes).unwrap_or_default();
    let asked = serde_json::from_slice(&text).ok().and_then(with_former_mac);
    let text = asked.map_or(text, |asked| asked.to_string().into_bytes().into());
    BollardRequest::from_parts(parts, bollard::body_full(text))
}

/// What is asked for with the address moved, if there is one.
fn with_former_mac(mut asked: Value) -> Option<Value> {
    let networks = asked.pointer_mut("/NetworkingConfig/EndpointsConfig")?.as_object_mut()?;
    let mac = networks.values_mut().find_map(|endpoint| endpoint.as_object_mut()?.remove("MacAddress"))?;
    asked.as_object_mut()?.insert("MacAddress".to_owned(), mac);
    Some(asked)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sent(path: &str, body: &Value) -> Value {
        let request = http::Request::post(path).body(bollard::body_full(body.to_string().into())).unwrap();
        let (_, body) = in_former_places(request).into_parts();
        serde_json::from_slice(&body.collect().now_or_never().unwrap().unwrap().to_bytes()).unwrap()
    }

    #[test]
    fn a_container_is_made_with_its_address_outside_of_the_networks() {
        let networks = |endpoint: Value| json!({ "EndpointsConfig": { "shop_default": endpoint } });
        let asked = json!({
            "Image": "probe:1",
            "NetworkingConfig": networks(json!({ "Aliases": ["web"], "MacAddress": "02:42:ac:11:65:43" })),
        });
        let former = json!({
            "Image": "probe:1",
            "MacAddress": "02:42:ac:11:65:43",
            "NetworkingConfig": networks(json!({ "Aliases": ["web"] })),
        });
        assert_eq!(sent("/containers/create?name=a", &asked), former);
        assert_eq!(sent("/containers/a/update", &asked), asked);
        let without = json!({ "Image": "probe:1" });
        assert_eq!(sent("/containers/create", &without), without);
    }
}
