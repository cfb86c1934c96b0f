//! Volumes, mounts, secrets, configs and env files.

use std::collections::BTreeMap;

use super::field::{Decoder, Field};
use super::values::{ByteSize, FileMode, Options, TextMap};
use crate::compat::Compatibility;
use crate::json::Json;
use crate::node::{Node, Value};

record! {
    /// A volume of the project.
    Volume = "volume" {
        /// Its name in the engine.
        name: String = "name" omit,
        /// Its driver.
        driver: String = "driver" omit,
        /// Options of the driver.
        driver_opts: Options = "driver_opts" omit,
        /// Made elsewhere: only looked up.
        external: bool = "external" omit,
        /// Labels.
        labels: BTreeMap<String, String> = "labels" omit,
    }
}

record! {
    /// Something mounted into a container.
    VolumeMount = "mount" {
        /// `bind`, `volume`, `tmpfs`, `image`, `npipe` or `cluster`.
        kind: String = "type" omit,
        /// The host's path, the volume or the image.
        source: String = "source" omit,
        /// The path in the container.
        target: String = "target" omit,
        /// Not to be written.
        read_only: bool = "read_only" omit,
        /// Consistency on macOS.
        consistency: String = "consistency" omit,
        /// Options of a bind mount.
        bind: Option<BindOptions> = "bind" omit,
        /// Options of a volume.
        volume: Option<VolumeOptions> = "volume" omit,
        /// Options of a tmpfs.
        tmpfs: Option<TmpfsOptions> = "tmpfs" omit,
        /// Options of an image mount.
        image: Option<ImageOptions> = "image" omit,
    }
}

record! {
    /// Options of a bind mount.
    BindOptions = "mount.bind" {
        /// `z` or `Z`.
        selinux: String = "selinux" omit,
        /// How mounts below spread.
        propagation: String = "propagation" omit,
        /// Make the host's directory when it is missing.
        create_host_path: bool = "create_host_path" omit,
        /// Whether mounts below are taken along.
        recursive: String = "recursive" omit,
    }
}

record! {
    /// Options of a volume.
    VolumeOptions = "mount.volume" {
        /// Labels of an anonymous volume.
        labels: BTreeMap<String, String> = "labels" omit,
        /// Do not fill a new volume from the image.
        nocopy: bool = "nocopy" omit,
        /// A path inside the volume.
        subpath: String = "subpath" omit,
    }
}

record! {
    /// Options of a tmpfs.
    TmpfsOptions = "mount.tmpfs" {
        /// Its size.
        size: ByteSize = "size" omit,
        /// Its permission bits.
        mode: u32 = "mode" omit,
    }
}

record! {
    /// Options of an image mount.
    ImageOptions = "mount.image" {
        /// A path inside the image.
        subpath: String = "subpath" omit,
    }
}

record! {
    /// A secret or config that a service uses.
    FileReference = "file_reference" {
        /// Its key in the project.
        source: String = "source" omit,
        /// The file in the container.
        target: String = "target" omit,
        /// Its owner.
        uid: String = "uid" omit,
        /// Its group.
        gid: String = "gid" omit,
        /// Its permission bits.
        mode: Option<FileMode> = "mode" omit,
    }
}

record! {
    /// A secret of the project.
    Secret = "secret" {
        /// Its name in the engine.
        name: String = "name" omit,
        /// The file that holds it.
        file: String = "file" omit,
        /// The variable that holds it.
        environment: String = "environment" omit,
        /// Its content, taken from the variable; never printed.
        content: Content = "x-#value" hide,
        /// Made elsewhere: only looked up.
        external: bool = "external" omit,
        /// Labels.
        labels: BTreeMap<String, String> = "labels" omit,
        /// Its driver.
        driver: String = "driver" omit,
        /// Options of the driver.
        driver_opts: TextMap = "driver_opts" omit,
        /// The driver that fills in templates.
        template_driver: String = "template_driver" omit,
    }
}

record! {
    /// A config of the project.
    Config = "config" {
        /// Its name in the engine.
        name: String = "name" omit,
        /// The file that holds it.
        file: String = "file" omit,
        /// The variable that holds it.
        environment: String = "environment" omit,
        /// Its content as written.
        content: String = "content" omit,
        /// Its content, taken from the variable; never printed.
        resolved: Content = "x-#value" hide,
        /// Made elsewhere: only looked up.
        external: bool = "external" omit,
        /// Labels.
        labels: BTreeMap<String, String> = "labels" omit,
        /// Its driver.
        driver: String = "driver" omit,
        /// Options of the driver.
        driver_opts: TextMap = "driver_opts" omit,
        /// The driver that fills in templates.
        template_driver: String = "template_driver" omit,
    }
}

/// The key under which a tree holds content that came from the environment.
pub(crate) const HELD_CONTENT: &str = "x-#value";

/// Content that is held but never printed or hashed.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Content(pub Option<String>);

impl std::fmt::Debug for Content {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(if self.0.is_some() { "Content(hidden)" } else { "Content(none)" })
    }
}

impl Content {
    /// A stand-in for the content that tells equal from unequal and nothing else.
    pub(crate) fn encode_digest(&self) -> Json {
        self.0.as_ref().map_or(Json::Null, |text| Json::Str(crate::hash::digest(text)))
    }
}

impl Field for Content {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        Self(Some(String::decode(node, decoder)))
    }
    fn encode(&self, _: Compatibility) -> Json {
        Json::Null
    }
    fn is_zero(&self) -> bool {
        true
    }
}

/// A file of variables for a container.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EnvFile {
    /// Its path.
    pub path: String,
    /// Whether it has to exist.
    pub required: bool,
    /// `raw` for lines taken literally, empty for the usual quoting.
    pub format: String,
}

impl Field for EnvFile {
    fn decode(node: &Node, decoder: &mut Decoder) -> Self {
        if let Value::Str(path) = &node.value {
            return Self { path: path.clone(), required: true, format: String::new() };
        }
        let text = |key: &str, decoder: &mut Decoder| {
            node.get(key).map(|value| String::decode(value, decoder)).unwrap_or_default()
        };
        Self {
            path: text("path", decoder),
            required: node.get("required").is_none_or(|value| bool::decode(value, decoder)),
            format: text("format", decoder),
        }
    }
    fn encode(&self, compat: Compatibility) -> Json {
        if self.required {
            return Json::Str(self.path.clone());
        }
        let mut fields = Vec::new();
        if !self.path.is_empty() {
            fields.push(("path".to_owned(), self.path.encode(compat)));
        }
        fields.push(("required".to_owned(), Json::Bool(false)));
        if !self.format.is_empty() {
            fields.push(("format".to_owned(), self.format.encode(compat)));
        }
        Json::Object(fields)
    }
    fn is_zero(&self) -> bool {
        false
    }
}
