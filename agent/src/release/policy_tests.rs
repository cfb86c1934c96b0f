//! What leads to root on the droplet or to other apps, and what does not.

use super::*;
use tidegate_compose::model::VolumeMount;

fn project(service: Service) -> Project {
    Project {
        working_directory: "/var/lib/tidegate/apps/shop".into(),
        services: [("web".to_owned(), service)].into(),
        ..Project::default()
    }
}

fn bind(source: &str) -> Service {
    let volume = VolumeMount {
        kind: "bind".into(),
        source: source.into(),
        target: "/x".into(),
        ..VolumeMount::default()
    };
    Service { volumes: vec![volume], ..Service::default() }
}

fn rights(service: Service) -> Vec<String> {
    let project = project(service);
    asks(&project, &project.services["web"]).into_iter().map(|ask| ask.right).collect()
}

#[test]
fn what_leads_to_root_is_refused() {
    assert_eq!(rights(Service { privileged: true, ..Service::default() }), ["privileged"]);
    assert_eq!(
        rights(Service { pid: "host".into(), network_mode: "host".into(), ..Service::default() }),
        ["network_mode:host", "pid:host"]
    );
    assert_eq!(
        rights(Service {
            cap_add: vec!["cap_sys_admin".into(), "NET_BIND_SERVICE".into()],
            ..Service::default()
        }),
        ["cap:SYS_ADMIN"]
    );
    assert_eq!(
        rights(Service {
            security_opt: vec!["no-new-privileges:true".into(), "seccomp=unconfined".into()],
            ..Service::default()
        }),
        ["security_opt:seccomp=unconfined"]
    );
    for source in [
        "/run/docker.sock",
        "/var/run/docker.sock",
        "/",
        "/etc",
        "/var/lib/tidegate/apps/shopper",
        "/var/lib/tidegate/apps/shop/../x/docker.sock",
    ] {
        assert_eq!(rights(bind(source)).len(), 1, "{source}");
    }
    assert_eq!(rights(bind("/var/lib/tidegate/apps/shop/redis.conf")), [""; 0]);
}

#[test]
fn devices_and_weaker_confinement_are_refused() {
    use tidegate_compose::model::{DeviceMapping, Hook};
    let device = DeviceMapping { source: "/dev/fuse".into(), ..DeviceMapping::default() };
    let by_name = DeviceMapping { source: "nvidia.com/gpu=all".into(), ..DeviceMapping::default() };
    let service = Service {
        devices: vec![device, by_name],
        gpus: vec![DeviceRequest::default()],
        device_cgroup_rules: vec!["c 1:3 mr".into()],
        cgroup: "host".into(),
        cgroup_parent: "system.slice".into(),
        ..Service::default()
    };
    assert_eq!(
        rights(service),
        [
            "cgroup:host",
            "device:/dev/fuse",
            "device:nvidia.com/gpu=all",
            "gpus",
            "device_cgroup_rules",
            "cgroup_parent"
        ]
    );
    let service = Service {
        post_start: vec![Hook { privileged: true, ..Hook::default() }],
        annotations: [("org.systemd.property.Slice".to_owned(), "'system.slice'".to_owned())].into(),
        security_opt: vec!["systempaths=unconfined".into(), "seccomp=profile.json".into()],
        ..Service::default()
    };
    assert_eq!(
        rights(service),
        [
            "privileged",
            "annotation:org.systemd.property.Slice",
            "security_opt:systempaths=unconfined",
            "security_opt:seccomp=profile.json"
        ]
    );
}

#[test]
fn other_peoples_containers_are_refused() {
    let service = Service {
        network_mode: "container:other-web-1".into(),
        ipc: "container:other-db-1".into(),
        volumes_from: vec!["container:other-db-1:ro".into(), "db".into()],
        external_links: vec!["other-db-1:db".into()],
        ..Service::default()
    };
    assert_eq!(
        rights(service),
        [
            "network_mode:container:other-web-1",
            "ipc:container:other-db-1",
            "volumes_from:container:other-db-1",
            "external_links:other-db-1"
        ]
    );
    // Within the project nothing is given away.
    let service = Service {
        pid: "service:db".into(),
        volumes_from: vec!["db".into()],
        links: vec!["db".into()],
        external_links: vec!["other-db-1:db".into()],
        cgroup: "private".into(),
        security_opt: vec!["seccomp=builtin".into()],
        ..Service::default()
    };
    assert_eq!(rights(service), [""; 0]);
}

#[test]
fn volumes_cannot_be_folders_of_the_droplet_in_disguise() {
    use tidegate_compose::model::{Options, Volume};
    let asked = |options: &[(&str, &str)]| {
        let options = options.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let volume = Volume { driver_opts: Options(options.collect()), ..Volume::default() };
        let mount = VolumeMount { kind: "volume".into(), source: "data".into(), ..VolumeMount::default() };
        let service = Service { volumes: vec![mount], ..Service::default() };
        let project = Project { volumes: [("data".to_owned(), volume)].into(), ..project(service.clone()) };
        asks(&project, &service).into_iter().map(|ask| ask.right).collect::<Vec<_>>()
    };
    assert_eq!(asked(&[("type", "none"), ("o", "bind"), ("device", "/etc")]), ["bind:/etc"]);
    let out = "/var/lib/tidegate/apps/shop/../../../../etc";
    assert_eq!(asked(&[("o", "bind"), ("device", out)]), [format!("bind:{out}")]);
    let layers = "lowerdir=/etc,upperdir=/root,workdir=/tmp/x";
    assert_eq!(asked(&[("type", "overlay"), ("device", "overlay"), ("o", layers)]), ["volume_type:overlay"]);
    assert_eq!(asked(&[("type", "nfs"), ("device", ":/export"), ("o", "addr=10.0.0.2")]), [""; 0]);
    assert_eq!(asked(&[("o", "bind"), ("device", "/var/lib/tidegate/apps/shop/data")]), [""; 0]);
}

#[test]
fn a_refusal_says_where_why_and_what_to_do() {
    let app = AppName::new("shop").unwrap();
    let refused =
        Policy::default().refusals(&app, &project(Service { privileged: true, ..Service::default() }));
    insta::assert_json_snapshot!(refused, @r#"
    [
      {
        "what": "service web of shop may not use `privileged`",
        "place": "services.web.privileged",
        "cause": "a privileged container is root on the droplet",
        "hint": "remove it, or have an admin allow it on the droplet in /etc/tidegate/policy.toml: [[allow]] app = \"shop\", service = \"web\", rights = [\"privileged\"]",
        "details": []
      }
    ]
    "#);
}

#[test]
fn an_admin_may_allow_it_to_one_service() {
    let text = "[[allow]]\napp = 'shop'\nservice = 'web'\nrights = ['privileged', 'bind:/var/log']\n";
    let policy: Policy = toml::from_str(text).unwrap();
    let app = AppName::new("shop").unwrap();
    let service = Service { privileged: true, ..bind("/var/log") };
    assert_eq!(policy.refusals(&app, &project(service.clone())), []);
    assert_eq!(policy.refusals(&AppName::new("other").unwrap(), &project(service)).len(), 2);
    assert!(toml::from_str::<Policy>("[[alow]]").is_err());
}

/// `deployment/monitoring`: what its policy allows is all that it asks for.
#[test]
fn monitoring_may_do_what_its_policy_says_and_asks_for_nothing_else() {
    use tidegate_compose::{LoadOptions, OsFiles, load};

    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deployment/monitoring");
    let options = LoadOptions {
        working_directory: "/p".into(),
        compose_files: vec!["compose.yaml".into()],
        environment: [("REGISTRY", "r.example.com"), ("GRAFANA_PASSWORD", "x")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        ..LoadOptions::default()
    };
    let project = load(&OsFiles::new("/p", &folder), &options).unwrap().project;
    let app = AppName::new("monitoring").unwrap();
    let refused = Policy::default().refusals(&app, &project);
    assert_eq!(refused.len(), 2, "{refused:?}");
    let policy = Policy::load(&folder.join("policy.toml")).unwrap();
    assert!(policy.refusals(&app, &project).is_empty());
}
