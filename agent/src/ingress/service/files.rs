//! The ingress's files: folders, hosts file, Caddy's configuration, the users' own certificates.

use std::{collections::BTreeSet, net::Ipv4Addr, path::PathBuf, time::Duration};

use sha2::{Digest as _, Sha256};

use super::Ingress;
use crate::{
    ingress::{IngressError, OwnCertificate, RouteTls, SWITCH_SEEN_AFTER, config, hosts, routes},
    store::atomic_replace,
};

/// What Caddy is told, in the ingress's folder.
pub(super) const CONFIG: &str = "etc/caddy.json";
const HOSTS: &str = "etc/hosts";

/// Whether Caddy has anything to serve.
#[derive(PartialEq, Eq)]
pub(super) enum Config {
    Empty,
    Routes,
}

impl Ingress {
    fn path(&self, name: &str) -> PathBuf {
        self.inner.settings.folder.join(name)
    }

    pub(super) fn make_folders(&self) -> Result<(), IngressError> {
        use std::os::unix::fs::DirBuilderExt as _;
        for name in ["etc/certificates", "run", "data", "log"] {
            let mut builder = std::fs::DirBuilder::new();
            builder.recursive(true).mode(0o700).create(self.path(name)).map_err(IngressError::File)?;
        }
        Ok(())
    }

    async fn write_hosts(&self) -> Result<hosts::Change, IngressError> {
        let mut entries: Vec<(Ipv4Addr, String)> = Vec::new();
        for (app, served) in self.routes().await? {
            for (service, addresses) in &served.targets {
                let name = routes::alias(&app, service);
                entries.extend(addresses.iter().map(|address| (*address, name.clone())));
            }
            let is_nowhere = |service| served.targets.get(service).is_none_or(Vec::is_empty);
            let routed: BTreeSet<_> = served.routes.iter().map(|route| &route.service).collect();
            let nowhere = routed.into_iter().filter(|service| is_nowhere(*service));
            entries.extend(nowhere.map(|service| (hosts::NOWHERE, routes::alias(&app, service))));
        }
        self.make_folders()?;
        hosts::write(&self.path(HOSTS), &entries).map_err(IngressError::File)
    }

    /// How long until Caddy knows the names in the hosts file that `change` has just written, before a route may lead to
    /// them. A name that it did not find when it last looked it asks of Docker's DNS, where another app's container could bear it.
    fn until_known(&self, change: hosts::Change) -> Result<Duration, IngressError> {
        Ok(match change {
            // Caddy looks for nothing before there is something to serve; and these names it has found before.
            hosts::Change::FirstNames | hosts::Change::Addresses => Duration::ZERO,
            hosts::Change::NewNames => SWITCH_SEEN_AFTER,
            // Written by an agent, maybe, that was killed while it waited.
            hosts::Change::Nothing => {
                let metadata = fs_err::metadata(self.path(HOSTS)).map_err(IngressError::File)?;
                let age = metadata.modified().map_err(IngressError::File)?.elapsed().unwrap_or_default();
                SWITCH_SEEN_AFTER.saturating_sub(age)
            }
        })
    }

    /// Brings both files to what is served. Names first: a route that leads to them is written when Caddy knows them.
    pub(super) async fn write_files(&self) -> Result<Config, IngressError> {
        let change = self.write_hosts().await?;
        let (text, config) = self.config().await?;
        if self.config_differs(&text) {
            tokio::time::sleep(self.until_known(change)?).await;
            self.replace_config(&text)?;
        }
        Ok(config)
    }

    /// Brings Caddy's configuration alone to it, where the names are as they were.
    pub(super) async fn write_config(&self) -> Result<(), IngressError> {
        let (text, _) = self.config().await?;
        if self.config_differs(&text) { self.replace_config(&text) } else { Ok(()) }
    }

    fn config_differs(&self, text: &[u8]) -> bool {
        fs_err::read(self.path(CONFIG)).ok().as_deref() != Some(text)
    }

    fn replace_config(&self, text: &[u8]) -> Result<(), IngressError> {
        atomic_replace(&self.path(CONFIG), text, 0o600).map_err(IngressError::Replace)
    }

    async fn config(&self) -> Result<(Vec<u8>, Config), IngressError> {
        self.make_folders()?;
        let sites = self.sites().await?;
        self.copy_acme_root()?;
        let kept = self.kept()?;
        let config = config::render(&sites, &self.inner.settings.edge, &kept);
        let text = serde_json::to_vec_pretty(&config).unwrap_or_default();
        Ok((text, if sites.all.is_empty() { Config::Empty } else { Config::Routes }))
    }

    /// Where the container sees it.
    fn copy_acme_root(&self) -> Result<(), IngressError> {
        let Some(root) = &self.inner.settings.edge.acme_root else { return Ok(()) };
        let content = fs_err::read(root).map_err(IngressError::File)?;
        let path = self.path("etc").join(config::ACME_ROOT_FILE);
        if fs_err::read(&path).ok().as_ref() != Some(&content) {
            atomic_replace(&path, &content, 0o600).map_err(IngressError::Replace)?;
        }
        Ok(())
    }

    /// A certificate and its key under a name that is made of both.
    pub(super) fn keep_own(
        &self,
        own: &OwnCertificate,
        (chain, key): (&[u8], &[u8]),
    ) -> Result<OwnCertificate, IngressError> {
        let mut hasher = Sha256::new();
        for part in [chain, key] {
            hasher.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hasher.update(part);
        }
        let mut name = hex::encode(hasher.finalize());
        name.truncate(32);
        let folder = self.path("etc").join(config::OWN_FOLDER);
        for (ending, content) in [("key", key), ("pem", chain)] {
            let path = folder.join(format!("{name}.{ending}"));
            if fs_err::read(&path).ok().as_deref() != Some(content) {
                atomic_replace(&path, content, 0o600).map_err(IngressError::Replace)?;
            }
        }
        Ok(OwnCertificate { kept: Some(name), ..own.clone() })
    }

    /// The names of the users' own certificates that are there.
    fn kept(&self) -> Result<BTreeSet<String>, IngressError> {
        let mut names = BTreeSet::new();
        let folder = self.path("etc").join(config::OWN_FOLDER);
        for entry in fs_err::read_dir(&folder).map_err(IngressError::File)? {
            let path = entry.map_err(IngressError::File)?.path();
            let name = path.file_stem().and_then(|name| name.to_str()).map(str::to_owned);
            let is_whole =
                path.extension().is_some_and(|e| e == "pem") && path.with_extension("key").is_file();
            names.extend(name.filter(|_| is_whole));
        }
        Ok(names)
    }

    /// Removes the users' own certificates that no route names any more; what cannot be removed stays.
    pub(super) async fn forget_certificates(&self) -> Result<(), IngressError> {
        let sites = self.sites().await?;
        let named: BTreeSet<String> = sites
            .all
            .iter()
            .filter_map(|site| match &site.tls {
                RouteTls::Own(own) => own.kept.clone(),
                RouteTls::Off | RouteTls::Acme | RouteTls::Internal => None,
            })
            .collect();
        let folder = self.path("etc").join(config::OWN_FOLDER);
        for name in self.kept()?.difference(&named) {
            for ending in ["pem", "key"] {
                let path = folder.join(format!("{name}.{ending}"));
                if let Err(error) = fs_err::remove_file(&path) {
                    tracing::warn!(%error, "a certificate that is not used any more stays");
                }
            }
        }
        Ok(())
    }
}
