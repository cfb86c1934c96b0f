//! Which attributes of a service the engine honours. Pure.
//!
//! Every field is named once: a new one in the model does not compile until somebody decides. What is set and not
//! honoured is refused at deploy, never dropped in silence.

mod engine;

use tidegate_compose::{Project, Service, model::Deploy};

pub use engine::{TooNew, too_new};

/// An attribute that is set and not honoured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsupported {
    /// Its path: `services.web.build`.
    pub path: String,
    /// What to do instead.
    pub hint: &'static str,
}

/// All attributes of a project that are set and not honoured.
pub fn unsupported(project: &Project) -> Vec<Unsupported> {
    let mut found = Vec::new();
    for (name, service) in &project.services {
        let mut check = |attribute: &str, is_set: bool, hint: &'static str| {
            if is_set {
                found.push(Unsupported { path: format!("services.{name}.{attribute}"), hint });
            }
        };
        service_attributes(service, &mut check);
        if let Some(deploy) = &service.deploy {
            deploy_attributes(deploy, &mut check);
        }
        files(project, service, &mut check);
    }
    found
}

/// What is set and means nothing on Linux, or less than it says: sentences for the user.
pub fn notes(project: &Project) -> Vec<String> {
    let mut notes = Vec::new();
    for (name, service) in &project.services {
        if service.cpu_count != 0 || service.cpu_percent != 0.0 {
            notes.push(format!(
                "services.{name}: cpu_count and cpu_percent mean nothing to Docker on Linux; `cpus` limits it"
            ));
        }
        if service.credential_spec.is_some() {
            notes.push(format!("services.{name}: credential_spec means nothing to Docker on Linux"));
        }
        if service.volumes_from.iter().any(|from| from.ends_with(":ro")) {
            notes.push(format!(
                "services.{name}.volumes_from: like docker compose, the volumes are taken over with the access that the other \
                 container has; `ro` changes nothing"
            ));
        }
    }
    notes
}

const WINDOWS: &str = "it belongs to Windows containers; remove it";

#[expect(clippy::too_many_lines, reason = "one line for each attribute of the specification")]
fn service_attributes(service: &Service, check: &mut impl FnMut(&str, bool, &'static str)) {
    let Service {
        // Honoured when the request is made.
        annotations: _,
        blkio_config: _,
        cap_add: _,
        cap_drop: _,
        cgroup: _,
        cgroup_parent: _,
        command: _,
        configs: _,
        container_name: _,
        cpu_count: _,
        cpu_percent: _,
        cpu_period: _,
        cpu_quota: _,
        cpu_rt_period: _,
        cpu_rt_runtime: _,
        cpus: _,
        cpuset: _,
        cpu_shares: _,
        depends_on: _,
        deploy: _,
        device_cgroup_rules: _,
        devices: _,
        dns: _,
        dns_opt: _,
        dns_search: _,
        domainname: _,
        entrypoint: _,
        environment: _,
        expose: _,
        external_links: _,
        extra_hosts: _,
        gpus: _,
        group_add: _,
        healthcheck,
        hostname: _,
        image: _,
        init: _,
        ipc: _,
        labels: _,
        links: _,
        logging: _,
        mac_address,
        mem_limit: _,
        mem_reservation: _,
        mem_swappiness: _,
        memswap_limit: _,
        name: _,
        network_mode: _,
        networks: _,
        oom_kill_disable: _,
        oom_score_adj: _,
        pid: _,
        pids_limit: _,
        platform: _,
        ports: _,
        post_start,
        pre_stop,
        privileged: _,
        pull_policy,
        read_only: _,
        restart,
        runtime: _,
        scale: _,
        secrets: _,
        security_opt,
        shm_size: _,
        stdin_open: _,
        stop_grace_period: _,
        stop_signal: _,
        storage_opt: _,
        sysctls: _,
        tmpfs: _,
        tty: _,
        ulimits: _,
        user: _,
        userns_mode: _,
        uts: _,
        volume_driver: _,
        volumes,
        volumes_from: _,
        working_dir: _,
        // Settled when the project is loaded.
        env_file: _,
        extends: _,
        label_file: _,
        declared: _,
        profiles: _,
        extensions: _,
        // Only about the terminal of `docker compose up`, about builds and editing on a workstation, and about Windows.
        attach: _,
        credential_spec: _,
        develop: _,
        // Not honoured.
        build,
        dockerfile,
        provider,
        isolation,
        log_driver,
        log_opt,
        models,
        net,
        use_api_socket,
    } = service;
    let no_image = build.is_some() && service.image.is_empty();
    check("build", no_image, "build the image elsewhere, push it, and name it with `image`");
    check("dockerfile", !dockerfile.is_empty(), "use `build`, elsewhere, and name the image with `image`");
    check(
        "provider",
        provider.is_some(),
        "only docker compose runs programs that provide services; remove it",
    );
    check("isolation", !matches!(isolation.as_str(), "" | "default"), WINDOWS);
    check("log_driver", !log_driver.is_empty(), "use `logging.driver`");
    check("log_opt", !log_opt.0.is_empty(), "use `logging.options`");
    check("models", !models.is_empty(), "it needs Docker Desktop's model runner; remove it");
    check("net", !net.is_empty(), "use `network_mode`");
    check("use_api_socket", *use_api_socket, "who holds Docker's socket is root on the droplet; remove it");
    check("pull_policy", pull_policy == "build", "build the image elsewhere and push it");
    let word = restart.split_once(':').map_or(restart.as_str(), |(word, _)| word);
    let is_known = matches!(word, "" | "no" | "always" | "unless-stopped" | "on-failure");
    check("restart", !is_known, "it is one of no, always, unless-stopped, on-failure[:times]");
    let is_option = |option: &String| option == "no-new-privileges" || option.contains(['=', ':']);
    check("security_opt", !security_opt.iter().all(is_option), "an option is written `name=value`");
    let foreign = volumes.iter().any(|volume| matches!(volume.kind.as_str(), "npipe" | "cluster"));
    check(
        "volumes",
        foreign,
        "npipe belongs to Windows and cluster to swarms; use bind, volume, tmpfs or image",
    );
    let early = healthcheck.as_ref().is_some_and(|c| c.start_interval.is_some() && c.start_period.is_none());
    check("healthcheck.start_interval", early, "it counts during `start_period`, which has to be set too");
    let primary = service.networks_by_priority().first().and_then(|key| service.networks.get(*key));
    let other = primary
        .and_then(Option::as_ref)
        .is_some_and(|network| !network.mac_address.is_empty() && network.mac_address != *mac_address);
    check(
        "mac_address",
        !mac_address.is_empty() && other,
        "its first network says another one; leave out one of the two",
    );
    for (attribute, hooks) in [("post_start", post_start), ("pre_stop", pre_stop)] {
        let empty = hooks.iter().any(|hook| hook.command.0.as_ref().is_none_or(Vec::is_empty));
        check(attribute, empty, "a hook needs a `command`");
    }
}

fn deploy_attributes(deploy: &Deploy, check: &mut impl FnMut(&str, bool, &'static str)) {
    let Deploy {
        replicas: _,
        resources,
        restart_policy,
        // For swarms alone; docker compose accepts and ignores them, and so they change nothing here.
        mode: _,
        labels: _,
        update_config: _,
        rollback_config: _,
        placement: _,
        endpoint_mode: _,
        extensions: _,
    } = deploy;
    let limited = resources.limits.as_ref().is_some_and(|limits| !limits.devices.is_empty());
    check("deploy.resources.limits.devices", limited, "devices stand under `reservations`");
    let condition = restart_policy.as_ref().map_or("", |policy| policy.condition.as_str());
    let is_known =
        matches!(condition, "" | "none" | "no" | "any" | "always" | "on-failure" | "unless-stopped");
    check("deploy.restart_policy.condition", !is_known, "it is one of none, on-failure, any, unless-stopped");
}

fn files(project: &Project, service: &Service, check: &mut impl FnMut(&str, bool, &'static str)) {
    const EXTERNAL: &str = "external ones need a swarm; use `file`, `environment` or `content`";
    let secret = |key: &String| project.secrets.get(key).is_some_and(|secret| secret.external);
    let config = |key: &String| project.configs.get(key).is_some_and(|config| config.external);
    check("secrets", service.secrets.iter().any(|reference| secret(&reference.source)), EXTERNAL);
    check("configs", service.configs.iter().any(|reference| config(&reference.source)), EXTERNAL);
    let copied = |key: &String| {
        project.secrets.get(key).is_some_and(|secret| secret.content.0.is_some() && secret.file.is_empty())
    };
    let copied_config = |key: &String| {
        project.configs.get(key).is_some_and(|config| config.resolved.0.is_some() && config.file.is_empty())
    };
    let writes = service.secrets.iter().any(|r| copied(&r.source))
        || service.configs.iter().any(|r| copied_config(&r.source));
    check(
        "read_only",
        service.read_only && writes,
        "secrets and configs that are no files are written into the container: use `file`, or drop `read_only`",
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(service: Service) -> Project {
        Project { services: [("web".to_owned(), service)].into(), ..Project::default() }
    }

    #[test]
    fn an_ordinary_service_is_supported() {
        let service = Service { image: "caddy:2".into(), read_only: true, ..Service::default() };
        assert_eq!(unsupported(&project(service)), []);
    }

    fn paths(service: Service) -> Vec<String> {
        unsupported(&project(service)).into_iter().map(|found| found.path).collect()
    }

    #[test]
    fn what_is_not_honoured_is_named_with_its_path() {
        let service = Service { use_api_socket: true, isolation: "hyperv".into(), ..Service::default() };
        assert_eq!(paths(service), ["services.web.isolation", "services.web.use_api_socket"]);
    }

    #[test]
    fn what_means_nothing_on_linux_is_told() {
        let service = Service { cpu_count: 2, volumes_from: vec!["db:ro".into()], ..Service::default() };
        assert_eq!(paths(service.clone()), [""; 0]);
        let notes = notes(&project(service));
        assert!(notes[0].starts_with("services.web: cpu_count and cpu_percent mean nothing"), "{notes:?}");
        assert!(notes[1].starts_with("services.web.volumes_from: "), "{notes:?}");
    }

    #[test]
    fn what_docker_compose_refuses_when_it_makes_the_container_is_refused() {
        use tidegate_compose::model::{GoDuration, HealthCheck, Hook, ServiceNetwork};
        let check = HealthCheck { start_interval: Some(GoDuration(1)), ..HealthCheck::default() };
        let service = Service { healthcheck: Some(check), ..Service::default() };
        assert_eq!(paths(service), ["services.web.healthcheck.start_interval"]);
        let network = ServiceNetwork { mac_address: "02:42:ac:11:00:03".into(), ..ServiceNetwork::default() };
        let service = Service {
            mac_address: "02:42:ac:11:00:02".into(),
            networks: [("default".to_owned(), Some(network))].into(),
            ..Service::default()
        };
        assert_eq!(paths(service), ["services.web.mac_address"]);
        let service = Service { security_opt: vec!["seccomp".into()], ..Service::default() };
        assert_eq!(paths(service), ["services.web.security_opt"]);
        let service = Service { pre_stop: vec![Hook::default()], ..Service::default() };
        assert_eq!(paths(service), ["services.web.pre_stop"]);
    }
}
