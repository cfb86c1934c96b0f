//! `deploy`: replicas, resources, restart policy; the swarm-only parts are kept because the hash covers them.

use std::collections::BTreeMap;

use super::values::{ByteSize, DeviceCount, GoDuration};

record! {
    /// How a service is deployed.
    Deploy = "deploy" {
        /// `replicated`, `global` or a job (swarm only).
        mode: String = "mode" omit,
        /// How many containers.
        replicas: Option<i64> = "replicas" omit,
        /// Labels of the swarm service.
        labels: BTreeMap<String, String> = "labels" omit,
        /// How an update goes (swarm only).
        update_config: Option<UpdateConfig> = "update_config" omit,
        /// How a rollback goes (swarm only).
        rollback_config: Option<UpdateConfig> = "rollback_config" omit,
        /// Limits and reservations.
        resources: Resources = "resources" keep,
        /// When a container is started again.
        restart_policy: Option<RestartPolicy> = "restart_policy" omit,
        /// Where containers run (swarm only).
        placement: Placement = "placement" keep,
        /// How the service is found (swarm only).
        endpoint_mode: String = "endpoint_mode" omit,
    }
}

record! {
    /// How an update or rollback goes.
    UpdateConfig = "deploy.update_config" {
        /// How many at once.
        parallelism: Option<u64> = "parallelism" omit,
        /// The pause between groups.
        delay: GoDuration = "delay" omit,
        /// What happens on failure.
        failure_action: String = "failure_action" omit,
        /// How long a task is watched.
        monitor: GoDuration = "monitor" omit,
        /// The share of failures that is tolerated.
        max_failure_ratio: f32 = "max_failure_ratio" omit,
        /// `start-first` or `stop-first`.
        order: String = "order" omit,
    }
}

record! {
    /// Limits and reservations.
    Resources = "deploy.resources" {
        /// What may be used at most.
        limits: Option<Resource> = "limits" omit,
        /// What is guaranteed.
        reservations: Option<Resource> = "reservations" omit,
    }
}

record! {
    /// An amount of each resource.
    Resource = "deploy.resource" {
        /// Processors.
        cpus: f32 = "cpus" omit,
        /// Memory.
        memory: ByteSize = "memory" omit,
        /// Processes.
        pids: i64 = "pids" omit,
        /// Devices such as GPUs.
        devices: Vec<DeviceRequest> = "devices" omit,
        /// Named resources (swarm only).
        generic_resources: Vec<GenericResource> = "generic_resources" omit,
    }
}

record! {
    /// A request for devices.
    DeviceRequest = "device_request" {
        /// What the device can do.
        capabilities: Vec<String> = "capabilities" omit,
        /// The driver.
        driver: String = "driver" omit,
        /// How many; -1 for all.
        count: DeviceCount = "count" omit,
        /// Which ones.
        device_ids: Vec<String> = "device_ids" omit,
        /// Options of the driver.
        options: BTreeMap<String, String> = "options" omit,
    }
}

record! {
    /// A named resource.
    GenericResource = "generic_resource" {
        /// A number of pieces.
        discrete_resource_spec: Option<DiscreteResource> = "discrete_resource_spec" omit,
    }
}

record! {
    /// A number of pieces of a named resource.
    DiscreteResource = "discrete_resource" {
        /// Its name.
        kind: String = "kind" keep,
        /// How many.
        value: i64 = "value" keep,
    }
}

record! {
    /// When a container is started again.
    RestartPolicy = "deploy.restart_policy" {
        /// `none`, `on-failure` or `any`.
        condition: String = "condition" omit,
        /// The pause before.
        delay: Option<GoDuration> = "delay" omit,
        /// How often at most.
        max_attempts: Option<u64> = "max_attempts" omit,
        /// How long a start must last to count.
        window: Option<GoDuration> = "window" omit,
    }
}

record! {
    /// Where containers run.
    Placement = "deploy.placement" {
        /// Conditions a node must meet.
        constraints: Vec<String> = "constraints" omit,
        /// What to spread over.
        preferences: Vec<PlacementPreference> = "preferences" omit,
        /// At most so many on one node.
        max_replicas_per_node: u64 = "max_replicas_per_node" omit,
    }
}

record! {
    /// What to spread over.
    PlacementPreference = "deploy.preference" {
        /// The node attribute.
        spread: String = "spread" omit,
    }
}
