//! Networks: what a changed definition costs, and addresses on them.

use super::*;

#[test]
fn a_changed_network_definition_is_refused() {
    let world = Case::new(SHOP).settled();
    let case = Case::new(&format!("{SHOP}networks: {{ default: {{ internal: true }} }}\n"));
    let refused = case.plan(&world).unwrap_err();
    assert_eq!(refused[0].what, "the definition of network shop_default changed");
    assert_eq!(refused[0].place, "networks.default");
    insta::assert_snapshot!(format!("{}\n{}", refused[0].cause, refused[0].hint));
}

#[test]
fn a_changed_network_is_made_anew_where_the_interruption_is_agreed_to() {
    let mut world = Case::new(SHOP).settled();
    let text = SHOP.replace("redis:1, ", "redis:1, networks: [inner], ");
    let networks = "networks: { default: { internal: true }, inner: {} }\n";
    let case = Case { interrupt: Interrupt::Allowed, ..Case::new(&format!("{text}{networks}")) };
    let settled = Case::new(&format!("{text}networks: {{ inner: {{}} }}\n")).settled();
    world.containers = settled.containers;
    world.networks = settled.networks;
    let plan = case.plan(&world).unwrap();
    insta::assert_debug_snapshot!(shown(&plan));
    let strategies: Vec<_> =
        plan.services.iter().map(|service| (service.name.as_str(), service.old.len())).collect();
    assert_eq!(strategies, [("db", 1), ("redis", 0), ("web", 1), ("worker", 1)]);
    // Another app's network that an admin shares stays as it is.
    let default = world.networks.iter_mut().find(|network| network.name == "shop_default").unwrap();
    default.labels.insert(labels::PROJECT.to_owned(), "other".to_owned());
    let case = Case { shared: ["network:shop_default".to_owned()].into(), ..case };
    let refused = case.plan(&world).unwrap_err();
    assert!(refused[0].hint.starts_with("the network is not this app's alone"), "{refused:?}");
}

#[test]
fn a_service_has_one_mac_address_on_its_first_network() {
    let compose = |address: &str| {
        format!(
            "services: {{ a: {{ image: a, mac_address: '02:00:00:00:00:01', networks: {{ n: {{ mac_address: '{address}' }} }} }} }}
networks: {{ n: {{}} }}
"
        )
    };
    let failures = Case::new(&compose("02:00:00:00:00:02")).plan(&World::default()).unwrap_err();
    assert_eq!(failures[0].what, "service a has two MAC addresses");
    assert_eq!(failures[0].place, "services.a.mac_address");
    let why = "`mac_address` says 02:00:00:00:00:01, and its network n, the first that it joins, says 02:00:00:00:00:02";
    assert_eq!(failures[0].cause, why);
    assert!(Case::new(&compose("02:00:00:00:00:01")).plan(&World::default()).is_ok());
}
