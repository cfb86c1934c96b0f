//! What one service may take from all others: memory, and disk for its logs.

use super::{Look, Rule};
use crate::model::Service;

const NO_MEMORY_LIMIT: Rule = Rule {
    name: "no-memory-limit",
    why: "one service that leaks takes the memory of all others, and the kernel chooses which of them dies",
};
const NO_LOG_ROTATION: Rule = Rule {
    name: "no-log-rotation",
    why: "Docker keeps the logs of a container without bound, until the droplet's disk is full",
};

pub(super) fn rules(look: &mut Look<'_>) {
    for (name, service) in &look.loaded.project.services {
        if !limited(service) {
            let message = format!("{name} has no memory limit");
            let cure =
                "add `deploy: {resources: {limits: {memory: 256M}}}` with what it needs at most".to_owned();
            look.say(&NO_MEMORY_LIMIT, &format!("services.{name}"), (message, cure));
        }
        if !rotated(service) {
            let message = format!("the logs of {name} are not rotated");
            let cure =
                "add `logging: {driver: json-file, options: {max-size: 10m, max-file: \"3\"}}`, or `driver: local`"
                    .to_owned();
            look.say(&NO_LOG_ROTATION, &format!("services.{name}.logging"), (message, cure));
        }
    }
}

fn limited(service: &Service) -> bool {
    let limits = service.deploy.as_ref().and_then(|deploy| deploy.resources.limits.as_ref());
    service.mem_limit.0 > 0 || limits.is_some_and(|limits| limits.memory.0 > 0)
}

/// Whether its log driver keeps a bound; every driver but Docker's first does, or keeps nothing on the droplet.
fn rotated(service: &Service) -> bool {
    service.logging.as_ref().is_some_and(|logging| match logging.driver.as_str() {
        "" | "json-file" => logging.options.0.contains_key("max-size"),
        _ => true,
    })
}
