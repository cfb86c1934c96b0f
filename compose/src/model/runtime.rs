//! The smaller parts of a service: health checks, logging, limits, devices, hooks, dependencies, models.

use std::collections::BTreeMap;

use super::field::{Decoder, Field};
use super::texts::scalar_text;
use super::values::{ByteSize, Command, GoDuration, HealthTest, MultiOptions, Options};
use crate::compat::Compatibility;
use crate::json::Json;
use crate::node::{Node, Value};

record! {
    /// How the health of a container is tested.
    HealthCheck = "healthcheck" {
        /// The command.
        test: HealthTest = "test" omit,
        /// How long it may take.
        timeout: Option<GoDuration> = "timeout" omit,
        /// The pause between tests.
        interval: Option<GoDuration> = "interval" omit,
        /// How many failures make it unhealthy.
        retries: Option<u64> = "retries" omit,
        /// How long failures do not count after the start.
        start_period: Option<GoDuration> = "start_period" omit,
        /// The pause between tests in that time.
        start_interval: Option<GoDuration> = "start_interval" omit,
        /// No test, also not the image's.
        disable: bool = "disable" omit,
    }
}

record! {
    /// Where logs go.
    Logging = "logging" {
        /// The driver.
        driver: String = "driver" omit,
        /// Options of the driver.
        options: Options = "options" omit,
    }
}

record! {
    /// What a service needs of another one.
    Dependency = "depends_on" {
        /// `service_started`, `service_healthy` or `service_completed_successfully`.
        condition: String = "condition" omit,
        /// Restart this service when the other one is.
        restart: bool = "restart" omit,
        /// Whether the other one has to be there.
        required: bool = "required" keep,
    }
}

record! {
    /// Block I/O limits.
    BlkioConfig = "blkio_config" {
        /// The share, 10 to 1000.
        weight: u16 = "weight" omit,
        /// The share by device.
        weight_device: Vec<WeightDevice> = "weight_device" omit,
        /// Bytes read per second.
        device_read_bps: Vec<ThrottleDevice> = "device_read_bps" omit,
        /// Reads per second.
        device_read_iops: Vec<ThrottleDevice> = "device_read_iops" omit,
        /// Bytes written per second.
        device_write_bps: Vec<ThrottleDevice> = "device_write_bps" omit,
        /// Writes per second.
        device_write_iops: Vec<ThrottleDevice> = "device_write_iops" omit,
    }
}

/// The share of a device.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WeightDevice {
    /// The device.
    pub path: String,
    /// The share.
    pub weight: u16,
}

impl Field for WeightDevice {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        let mut device = Self::default();
        for (key, value) in decoder.map(node).into_iter().flatten() {
            match key.as_str() {
                "path" => device.path = String::decode(value, decoder),
                "weight" => device.weight = u16::decode(value, decoder),
                _ => {}
            }
        }
        device
    }
    fn encode(&self, compat: Compatibility) -> Json {
        let fields = [("Path", self.path.encode(compat)), ("Weight", self.weight.encode(compat))];
        Json::Object(fields.map(|(key, value)| (key.to_owned(), value)).into())
    }
    fn to_yaml(&self, compat: Compatibility) -> Json {
        let fields = [("path", self.path.encode(compat)), ("weight", self.weight.encode(compat))];
        Json::Object(fields.map(|(key, value)| (key.to_owned(), value)).into())
    }
    fn is_zero(&self) -> bool {
        false
    }
}

/// The rate limit of a device.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ThrottleDevice {
    /// The device.
    pub path: String,
    /// The rate.
    pub rate: ByteSize,
}

impl Field for ThrottleDevice {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        let mut device = Self::default();
        for (key, value) in decoder.map(node).into_iter().flatten() {
            match key.as_str() {
                "path" => device.path = String::decode(value, decoder),
                "rate" => device.rate = ByteSize::decode(value, decoder),
                _ => {}
            }
        }
        device
    }
    fn encode(&self, compat: Compatibility) -> Json {
        let fields = [("Path", self.path.encode(compat)), ("Rate", self.rate.encode(compat))];
        Json::Object(fields.map(|(key, value)| (key.to_owned(), value)).into())
    }
    fn to_yaml(&self, compat: Compatibility) -> Json {
        let fields = [("path", self.path.encode(compat)), ("rate", self.rate.encode(compat))];
        Json::Object(fields.map(|(key, value)| (key.to_owned(), value)).into())
    }
    fn is_zero(&self) -> bool {
        false
    }
}

record! {
    /// A device of the host in a container.
    DeviceMapping = "device" {
        /// The host's device.
        source: String = "source" omit,
        /// The device in the container.
        target: String = "target" omit,
        /// What may be done with it: r, w, m.
        permissions: String = "permissions" omit,
    }
}

record! {
    /// The credential of a Windows container.
    CredentialSpec = "credential_spec" {
        /// A config of the project.
        config: String = "config" omit,
        /// A file.
        file: String = "file" omit,
        /// A registry key.
        registry: String = "registry" omit,
    }
}

record! {
    /// Who provides a service that is no container.
    Provider = "provider" {
        /// The program.
        kind: String = "type" omit,
        /// Its options.
        options: MultiOptions = "options" omit,
    }
}

record! {
    /// How a service is told about a model.
    ServiceModel = "service.model" {
        /// The variable that gets the endpoint.
        endpoint_var: String = "endpoint_var" omit,
        /// The variable that gets the model's name.
        model_var: String = "model_var" omit,
    }
}

record! {
    /// A model of the project.
    Model = "model" {
        /// Its name.
        name: String = "name" omit,
        /// The model.
        model: String = "model" omit,
        /// The size of its context.
        context_size: i64 = "context_size" omit,
        /// Flags of the runtime.
        runtime_flags: Vec<String> = "runtime_flags" omit,
    }
}

record! {
    /// A command run in a container at a point of its life.
    Hook = "hook" {
        /// The command.
        command: Command = "command" keep,
        /// Its user.
        user: String = "user" omit,
        /// With all privileges.
        privileged: bool = "privileged" omit,
        /// Its directory.
        working_dir: String = "working_dir" omit,
        /// Its variables.
        environment: BTreeMap<String, Option<String>> = "environment" omit,
    }
}

/// A limit of a process: one value, or a soft and a hard one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ulimit {
    /// Both at once; zero when they are given apart.
    pub single: i64,
    /// The soft limit.
    pub soft: i64,
    /// The hard limit.
    pub hard: i64,
}

impl Field for Ulimit {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        let number = |node: &Node, decoder: &mut Decoder| {
            if let Value::Int(number) = &node.value {
                return *number;
            }
            let found = scalar_text(node).unwrap_or_else(|| node.kind().to_owned());
            decoder.problem(node, format!("{found:?} is no limit; write an integer"));
            0
        };
        if node.as_map().is_none() {
            return Self { single: number(node, decoder), ..Self::default() };
        }
        Self {
            single: 0,
            soft: node.get("soft").map_or(0, |value| number(value, decoder)),
            hard: node.get("hard").map_or(0, |value| number(value, decoder)),
        }
    }
    fn encode(&self, _: Compatibility) -> Json {
        if self.single != 0 {
            return Json::Int(self.single);
        }
        let parts = [("soft", self.soft), ("hard", self.hard)];
        let set = parts.into_iter().filter(|(_, value)| *value != 0);
        Json::Object(set.map(|(key, value)| (key.to_owned(), Json::Int(value))).collect())
    }
    fn is_zero(&self) -> bool {
        false
    }
}
