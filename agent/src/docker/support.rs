//! Which attributes of a service the engine honours. Pure.
//!
//! Every field is named once: a new one in the model does not compile until somebody decides. What is set and not
//! honoured is refused at deploy, never dropped in silence.

use tidegate_compose::{Project, Service, model::Deploy};

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

const REMOVE: &str = "tidegate does not honour it yet; remove it";
const WINDOWS: &str = "it belongs to Windows containers; remove it";

#[expect(clippy::too_many_lines, reason = "one line for each attribute of the specification")]
fn service_attributes(service: &Service, check: &mut impl FnMut(&str, bool, &'static str)) {
    let Service {
        // Honoured when the request is made.
        annotations: _,
        cap_add: _,
        cap_drop: _,
        cgroup_parent: _,
        command: _,
        configs: _,
        container_name: _,
        cpu_period: _,
        cpu_quota: _,
        cpus: _,
        cpuset: _,
        cpu_shares: _,
        depends_on: _,
        deploy: _,
        dns: _,
        dns_opt: _,
        dns_search: _,
        domainname: _,
        entrypoint: _,
        environment: _,
        expose: _,
        extra_hosts: _,
        group_add: _,
        healthcheck: _,
        hostname: _,
        image: _,
        init: _,
        ipc,
        labels: _,
        logging: _,
        mac_address: _,
        mem_limit: _,
        mem_reservation: _,
        mem_swappiness: _,
        memswap_limit: _,
        name: _,
        network_mode,
        networks,
        oom_kill_disable: _,
        oom_score_adj: _,
        pid,
        pids_limit: _,
        platform: _,
        ports: _,
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
        sysctls: _,
        tmpfs: _,
        tty: _,
        ulimits: _,
        user: _,
        userns_mode: _,
        uts: _,
        volumes: _,
        working_dir: _,
        // Settled when the project is loaded.
        env_file: _,
        extends: _,
        label_file: _,
        declared: _,
        profiles: _,
        extensions: _,
        // Only about the terminal of `docker compose up`, and about builds and editing on a workstation.
        attach: _,
        develop: _,
        // Not honoured.
        blkio_config,
        build,
        cgroup,
        cpu_count,
        cpu_percent,
        cpu_rt_period,
        cpu_rt_runtime,
        credential_spec,
        device_cgroup_rules,
        devices,
        dockerfile,
        provider,
        external_links,
        gpus,
        isolation,
        links,
        log_driver,
        log_opt,
        models,
        net,
        storage_opt,
        use_api_socket,
        volume_driver,
        volumes_from,
        post_start,
        pre_stop,
    } = service;
    let no_image = build.is_some() && service.image.is_empty();
    check("build", no_image, "build the image elsewhere, push it, and name it with `image`");
    check("blkio_config", blkio_config.is_some(), REMOVE);
    check("cgroup", !cgroup.is_empty(), REMOVE);
    check("cpu_count", *cpu_count != 0, WINDOWS);
    check("cpu_percent", *cpu_percent != 0.0, WINDOWS);
    check("cpu_rt_period", *cpu_rt_period != 0, REMOVE);
    check("cpu_rt_runtime", *cpu_rt_runtime != 0, REMOVE);
    check("credential_spec", credential_spec.is_some(), WINDOWS);
    check("device_cgroup_rules", !device_cgroup_rules.is_empty(), REMOVE);
    check("devices", !devices.is_empty(), REMOVE);
    check("dockerfile", !dockerfile.is_empty(), REMOVE);
    check("provider", provider.is_some(), REMOVE);
    check("external_links", !external_links.is_empty(), "use a network that both projects join");
    check("gpus", !gpus.is_empty(), REMOVE);
    check("isolation", !isolation.is_empty(), WINDOWS);
    check(
        "links",
        !links.is_empty(),
        "services on one network find each other by name; use `depends_on` for order",
    );
    check("log_driver", !log_driver.is_empty(), "use `logging.driver`");
    check("log_opt", !log_opt.0.is_empty(), "use `logging.options`");
    check("models", !models.is_empty(), REMOVE);
    check("net", !net.is_empty(), "use `network_mode`");
    check("storage_opt", !storage_opt.0.is_empty(), REMOVE);
    check("use_api_socket", *use_api_socket, REMOVE);
    check("volume_driver", !volume_driver.is_empty(), "name the driver at the volume");
    check("volumes_from", !volumes_from.is_empty(), "name the volumes in both services");
    check("post_start", !post_start.is_empty(), REMOVE);
    check("pre_stop", !pre_stop.is_empty(), REMOVE);
    check("pull_policy", pull_policy == "build", "build the image elsewhere and push it");
    let word = restart.split_once(':').map_or(restart.as_str(), |(word, _)| word);
    let is_known = matches!(word, "" | "no" | "always" | "unless-stopped" | "on-failure");
    check("restart", !is_known, "it is one of no, always, unless-stopped, on-failure[:times]");
    for (attribute, value) in [("network_mode", network_mode), ("ipc", ipc), ("pid", pid)] {
        let by_container = value.starts_with("container:");
        check(attribute, by_container, "name a service of this project: `service:name`");
    }
    let inlined = |option: &String| {
        option.starts_with("seccomp=") && !option.ends_with("unconfined")
            || option.starts_with("seccomp:") && !option.ends_with("unconfined")
            || option.starts_with("systempaths")
    };
    check(
        "security_opt",
        security_opt.iter().any(inlined),
        "profiles of one's own are not honoured yet; remove it",
    );
    let named = |entry: &Option<tidegate_compose::model::ServiceNetwork>| {
        entry.as_ref().is_some_and(|network| !network.interface_name.is_empty())
    };
    check("networks.interface_name", networks.values().any(named), REMOVE);
}

fn deploy_attributes(deploy: &Deploy, check: &mut impl FnMut(&str, bool, &'static str)) {
    let Deploy {
        replicas: _,
        resources,
        restart_policy: _,
        // For swarms alone; docker compose accepts and ignores them, and so they change nothing here.
        mode: _,
        labels: _,
        update_config: _,
        rollback_config: _,
        placement: _,
        endpoint_mode: _,
        extensions: _,
    } = deploy;
    for part in [&resources.limits, &resources.reservations].into_iter().flatten() {
        check("deploy.resources.devices", !part.devices.is_empty(), REMOVE);
    }
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

    #[test]
    fn what_is_not_honoured_is_named_with_its_path() {
        let service =
            Service { volumes_from: vec!["db".into()], pid: "container:x".into(), ..Service::default() };
        let paths: Vec<_> = unsupported(&project(service)).into_iter().map(|found| found.path).collect();
        assert_eq!(paths, ["services.web.volumes_from", "services.web.pid"]);
    }
}
