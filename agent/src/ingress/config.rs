//! Caddy's configuration. Pure.

use serde_json::{Value, json};

use super::Route;
use crate::apps::AppName;

/// Where Caddy's admin socket is in the container.
pub(super) const ADMIN_SOCKET: &str = "/run/tidegate/admin.sock";

/// The configuration for these routes of all apps.
pub(super) fn render(routes: &[(AppName, Route)]) -> Value {
    let mut sorted: Vec<&(AppName, Route)> = routes.iter().collect();
    // Names before any name, longer paths before shorter ones; Caddy takes the first that matches.
    sorted.sort_by_key(|(app, route)| {
        (
            route.host.is_none(),
            std::cmp::Reverse(route.path.len()),
            route.host.clone(),
            app.clone(),
            route.service.clone(),
        )
    });
    let mut handlers: Vec<Value> = sorted.into_iter().map(|(app, route)| proxy(app, route)).collect();
    handlers.push(json!({
        "handle": [{ "handler": "static_response", "status_code": 421, "body": "no app serves this name\n" }]
    }));
    json!({
        "admin": { "listen": format!("unix/{ADMIN_SOCKET}"), "config": { "persist": false } },
        "apps": { "http": {
            // Requests in flight survive a reload for so long.
            "grace_period": "30s",
            "servers": { "web": {
                "listen": [":80"],
                "automatic_https": { "disable": true },
                "routes": handlers,
            } }
        } }
    })
}

fn proxy(app: &AppName, route: &Route) -> Value {
    let mut matcher = serde_json::Map::new();
    if let Some(host) = &route.host {
        matcher.insert("host".into(), json!([host]));
    }
    if route.path != "/" {
        let path = route.path.trim_end_matches('/');
        matcher.insert("path".into(), json!([path, format!("{path}/*")]));
    }
    let mut value = json!({
        "handle": [{
            "handler": "reverse_proxy",
            "dynamic_upstreams": {
                "source": "a",
                "name": route.alias(app),
                "port": route.port.to_string(),
                "refresh": "500ms",
            },
            // A switch is bridged by trying again for longer than Go keeps the hosts file.
            "load_balancing": { "try_duration": "5s", "try_interval": "100ms" },
            // An idle connection is closed soon, so that an open one means a request: see the drain.
            "transport": { "protocol": "http", "keep_alive": { "idle_timeout": "3s" } },
        }],
        "terminal": true,
    });
    if let Some(object) = value.as_object_mut().filter(|_| !matcher.is_empty()) {
        object.insert("match".into(), json!([matcher]));
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apps::ServiceName;

    fn route(app: &str, host: Option<&str>, path: &str) -> (AppName, Route) {
        let route = Route {
            service: ServiceName::new("web"),
            host: host.map(Into::into),
            path: path.into(),
            port: 8000,
        };
        (AppName::new(app).unwrap(), route)
    }

    #[test]
    fn names_come_first_and_the_catch_all_last() {
        let config = render(&[
            route("any", None, "/"),
            route("shop", Some("shop.example.com"), "/"),
            route("api", Some("shop.example.com"), "/api/"),
        ]);
        let order: Vec<String> = config["apps"]["http"]["servers"]["web"]["routes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|route| {
                route["handle"][0]["dynamic_upstreams"]["name"].as_str().unwrap_or("none").to_owned()
            })
            .collect();
        assert_eq!(order, ["api--web", "shop--web", "any--web", "none"]);
    }

    #[test]
    fn one_route_in_full() {
        insta::assert_json_snapshot!(render(&[route("shop", Some("shop.example.com"), "/")]));
    }
}
