//! What `init` writes into the project: the fleet file and `.env`.

use std::{
    io,
    path::{Path, PathBuf},
};

use crate::{names::Name, state::replace};

/// A new fleet file.
pub(super) struct FleetFile {
    pub fleet: Name,
    pub region: String,
    pub size: String,
    pub image: String,
    pub admins: Vec<String>,
    pub agent: Option<(String, String)>,
    pub app: Name,
    pub compose: Vec<String>,
    pub env_file: Vec<String>,
}

impl FleetFile {
    /// As text, with the comments a newcomer wants.
    pub fn render(&self) -> String {
        let Self { fleet, region, size, image, admins, agent, app, compose, env_file } = self;
        let anywhere = admins.iter().any(|address| address == "anywhere");
        let from = if anywhere { "anywhere" } else { "admins" };
        let agent = match agent {
            Some((url, sha256)) => format!("[agent]\nurl = {}\nsha256 = {}\n", quoted(url), quoted(sha256)),
            None => "# [agent]                          # where droplets download the agent; `up` needs it\n\
                     # url = \"https://...\"\n# sha256 = \"...\"\n"
                .to_owned(),
        };
        let addresses =
            if anywhere { String::new() } else { format!("[addresses]\nadmins = {}\n\n", list(admins)) };
        let env_file =
            if env_file.is_empty() { String::new() } else { format!("env_file = {}\n", list(env_file)) };
        format!(
            r#"fleet  = {fleet_key:<27}# names and tags everything: {fleet}-production-web-1
region = {region}

[droplet.web]                       # a role: `count` droplets of one kind (default 1)
size  = {size}
image = {image}
firewall = ["public-web"]

[firewall.public-web]
inbound = [
  {{ ports = "80,443", from = ["anywhere"] }},
  {{ ports = "22,7443", from = ["{from}"] }},   # 7443 is the agent
]

{addresses}{agent}
[app.{app}]
compose  = {compose}
droplets = "web"
{env_file}"#,
            fleet_key = quoted(fleet.as_str()),
            region = quoted(region),
            size = quoted(size),
            image = quoted(image),
            compose = list(compose),
        )
    }
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

fn list(texts: &[String]) -> String {
    toml::Value::from(texts.to_vec()).to_string()
}

/// The directory's name as far as it can name a fleet.
pub(super) fn fleet_name_of(file: &Path) -> Option<Name> {
    let directory = file.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let directory = fs_err::canonicalize(directory).ok()?;
    let name = directory.file_name()?.to_str()?.to_lowercase();
    let plain: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    plain.trim_matches(|c: char| !c.is_ascii_lowercase()).parse().ok()
}

/// Makes `.env` of `.env.example` unless it is there; tells the path when it was written.
pub(super) fn dot_env(directory: &Path) -> io::Result<Option<PathBuf>> {
    let path = directory.join(".env");
    if path.exists() {
        return Ok(None);
    }
    let example = match fs_err::read(directory.join(".env.example")) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            b"# Stays on this machine; droplets never see it.\n# DIGITALOCEAN_TOKEN=dop_v1_...\n".to_vec()
        }
        Err(error) => return Err(error),
    };
    replace(&path, &example)?;
    Ok(Some(path))
}
