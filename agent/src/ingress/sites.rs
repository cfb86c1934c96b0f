//! Which route takes a request: the one order that Caddy's configuration and the reading of its log share. Pure.
//!
//! A host belongs to one site; what a site's routes do not take is answered by nobody else, so that no app sees another
//! app's visitors. Within a site the longer path goes first.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use super::{Redirect, Route, RouteTls};
use crate::apps::AppName;

type Entries = Vec<(AppName, Route)>;

/// Everything under one host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Site {
    /// The host in small letters; none for those that no other site has.
    pub(super) host: Option<String>,
    /// Where its certificate comes from.
    pub(super) tls: RouteTls,
    /// What becomes of plain HTTP.
    pub(super) redirect: Redirect,
    /// Its routes, the first that matches takes the request.
    pub(super) entries: Entries,
}

/// All sites: named ones first, then the one without a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sites {
    pub(super) all: Vec<Site>,
    /// Apps whose visitors are told to come back later.
    pub(super) maintained: BTreeSet<AppName>,
}

impl Sites {
    /// The sites of all apps' routes.
    pub(super) fn new(routes: Vec<(AppName, Route)>, maintained: BTreeSet<AppName>) -> Self {
        let mut by_host: BTreeMap<(bool, Option<String>), Entries> = BTreeMap::new();
        for (app, route) in routes {
            let host = route.host.as_ref().map(|host| host.to_ascii_lowercase());
            by_host.entry((host.is_none(), host)).or_default().push((app, route));
        }
        let site = |host: Option<String>, mut entries: Entries| {
            entries.sort_by_key(|(app, route)| {
                let prefix = prefix(route);
                (Reverse(prefix.len()), prefix, app.clone(), route.service.clone())
            });
            let with = entries.iter().map(|(_, route)| &route.options);
            let encrypted = with.clone().find(|options| options.tls != RouteTls::Off);
            let tls = encrypted.filter(|_| host.is_some()).map(|options| options.tls.clone());
            let redirect = encrypted.map_or(Redirect::None, |options| options.redirect);
            Site { host, tls: tls.unwrap_or_default(), redirect, entries }
        };
        let all = by_host.into_iter().map(|((_, host), entries)| site(host, entries)).collect();
        Self { all, maintained }
    }

    /// Without certificates: a balancer before the ingress has them.
    pub(super) fn in_plain(mut self) -> Self {
        for site in &mut self.all {
            site.tls = RouteTls::Off;
        }
        self
    }

    /// The sites that have a certificate.
    pub(super) fn encrypted(&self) -> impl Iterator<Item = &Site> {
        self.all.iter().filter(|site| site.tls != RouteTls::Off)
    }

    /// The route that takes a request, as Caddy would find it. `host` as in the request, perhaps with a port; `path` as in
    /// the request line, perhaps with a query.
    pub(super) fn find(&self, host: &str, path: &str) -> Option<&(AppName, Route)> {
        let host = without_port(host).to_ascii_lowercase();
        let named = self.all.iter().find(|site| site.host.as_deref() == Some(host.as_str()));
        let site = named.or_else(|| self.all.iter().find(|site| site.host.is_none()))?;
        let path = normal(path);
        site.entries.iter().find(|(_, route)| {
            let prefix = prefix(route);
            let below = path.strip_prefix(prefix.as_str());
            below.is_some_and(|rest| prefix.is_empty() || rest.is_empty() || rest.starts_with('/'))
        })
    }
}

/// A route's path prefix as Caddy compares it; empty for all paths.
pub(super) fn prefix(route: &Route) -> String {
    route.path.trim_end_matches('/').to_ascii_lowercase()
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

/// A path as Caddy's matcher sees it: without query and escapes, small letters, no empty, `.` or `..` segments.
fn normal(path: &str) -> String {
    let path = path.split(['?', '#']).next().unwrap_or(path);
    let path = unescaped(path).to_lowercase();
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    let end = if path.ends_with('/') && !parts.is_empty() { "/" } else { "" };
    format!("/{}{end}", parts.join("/"))
}

fn unescaped(path: &str) -> String {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        let escaped = (byte == b'%').then(|| {
            let mut ahead = rest.clone();
            let digits = [ahead.next()?, ahead.next()?];
            let text = std::str::from_utf8(&digits).ok()?;
            let value = u8::from_str_radix(text, 16).ok()?;
            rest = ahead;
            Some(value)
        });
        bytes.push(escaped.flatten().unwrap_or(byte));
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
#[path = "sites_tests.rs"]
mod tests;
