//! `links` and `external_links`: names under which a container finds others.

use tidegate_compose::Service;

/// The links as the engine takes them, `container:alias`. `containers` gives the names of a service's containers, of
/// which each gets three names; `number` is the linking container's own.
pub fn links(
    project: &str,
    (service, number): (&Service, u32),
    containers: impl Fn(&str) -> Vec<String>,
) -> Vec<String> {
    let mut links = Vec::new();
    for link in &service.links {
        let (target, alias) = target_and_alias(link);
        for name in containers(target) {
            let aliases =
                [alias.to_owned(), format!("{target}-{number}"), format!("{project}-{target}-{number}")];
            links.extend(aliases.map(|alias| format!("{name}:{alias}")));
        }
    }
    links.extend(service.external_links.iter().map(|link| {
        let (target, alias) = target_and_alias(link);
        format!("{target}:{alias}")
    }));
    links
}

/// Whom a link is to, and under which name: `db:database`, or `db` under its own.
pub fn target_and_alias(link: &str) -> (&str, &str) {
    let mut parts = link.split(':');
    let target = parts.next().unwrap_or_default();
    match (parts.next(), parts.next()) {
        (Some(alias), None) => (target, alias),
        _ => (target, target),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_container_of_a_service_gets_three_names() {
        let service = Service {
            links: vec!["db:database".into()],
            external_links: vec!["other-db-1:old".into(), "mail".into()],
            ..Service::default()
        };
        let made = links("shop", (&service, 2), |name| vec![format!("shop-{name}-7")]);
        assert_eq!(
            made,
            ["shop-db-7:database", "shop-db-7:db-2", "shop-db-7:shop-db-2", "other-db-1:old", "mail:mail"]
        );
    }
}
