//! `tidegate compose config`: the bytes that docker compose prints.

use std::path::PathBuf;

use clap::ValueEnum;
use tidegate_compose::{Extent, Project, views, yaml};

use super::{
    super::context::Context,
    input::{Input, refused, warn},
};
use crate::{
    failure::{Failure, Outcome},
    output::Stream,
};

/// Arguments of `compose config`.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "docker compose has a flag for each list")]
pub(super) struct Args {
    /// Only these services, and those that they depend on
    #[arg(value_name = "SERVICE")]
    services: Vec<String>,
    /// How the project is printed
    #[arg(long, default_value = "yaml")]
    format: Format,
    /// Print the config-hash of a service, or of all with '*'
    #[arg(long, value_name = "SERVICE")]
    hash: Option<String>,
    /// Print the names of the services, dependencies first
    #[arg(long = "services")]
    list_services: bool,
    /// Print the names of the volumes
    #[arg(long)]
    volumes: bool,
    /// Print the names of the networks
    #[arg(long)]
    networks: bool,
    /// Print the names of the images
    #[arg(long)]
    images: bool,
    /// Print the names of the profiles
    #[arg(long)]
    profiles: bool,
    /// Print the variables that the files can use
    #[arg(long)]
    environment: bool,
    /// Print nothing: only tell whether the files are right
    #[arg(short, long)]
    quiet: bool,
    /// Write to a file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// How the project is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// YAML
    Yaml,
    /// JSON
    Json,
}

pub(super) fn run(context: &Context, input: &Input, args: &Args) -> anyhow::Result<Outcome> {
    let list = args.list();
    let (services, extent) = match &list {
        None => (args.services.as_slice(), Extent::Whole),
        Some(List::Environment) => (&[][..], Extent::Whole),
        // Of the lists only this one heeds the services, as in docker compose; none needs the env files.
        Some(List::Images) => (args.services.as_slice(), Extent::Names),
        Some(_) => (&[][..], Extent::Names),
    };
    let loaded = input.load(context, (services, extent))?.map_err(|errors| refused(&errors))?;
    warn(context, &loaded);
    let text = match &list {
        Some(list) => lines(&loaded.project, list)?,
        None => whole(&loaded.project, args.format),
    };
    match (&args.output, &list) {
        _ if args.quiet && list.is_none() => {}
        (Some(path), None) => fs_err::write(path, text)
            .map_err(|error| Failure::failed("the result cannot be written").because(error))?,
        _ => context.printer.bytes(Stream::Out, text.as_bytes()),
    }
    Ok(Outcome::Done)
}

/// The lists that can be printed instead of the project.
enum List {
    Services,
    Volumes,
    Networks,
    Hashes(String),
    Profiles,
    Images,
    Environment,
}

impl Args {
    /// The first of docker compose's own order, when several are asked for.
    fn list(&self) -> Option<List> {
        let wanted = |flag: bool, list: List| flag.then_some(list);
        wanted(self.list_services, List::Services)
            .or(wanted(self.volumes, List::Volumes))
            .or(wanted(self.networks, List::Networks))
            .or(self.hash.clone().filter(|name| !name.is_empty()).map(List::Hashes))
            .or(wanted(self.profiles, List::Profiles))
            .or(wanted(self.images, List::Images))
            .or(wanted(self.environment, List::Environment))
    }
}

fn lines(project: &Project, list: &List) -> anyhow::Result<String> {
    let lines = match list {
        List::Services => views::services(project),
        List::Volumes => views::volumes(project),
        List::Networks => views::networks(project),
        List::Profiles => views::profiles(project),
        List::Images => views::images(project),
        List::Environment => views::environment(project),
        List::Hashes(names) => {
            let names: Vec<String> = match names.as_str() {
                "*" => Vec::new(),
                names => names.split(',').map(str::to_owned).collect(),
            };
            views::hashes(project, &names).map_err(|name| no_service(project, &name))?
        }
    };
    Ok(lines.into_iter().map(|line| line + "\n").collect())
}

fn no_service(project: &Project, name: &str) -> anyhow::Error {
    let failure = Failure::input(format!("there is no service `{name}`, or no enabled profile asks for it"));
    match tidegate_compose::files::nearest(name, project.services.keys().map(String::as_str)) {
        Some(near) => failure.hint(format!("did you mean `{near}`?")).into(),
        None => failure.hint("`tidegate compose config --services` lists them").into(),
    }
}

/// The project. `$` is doubled, so that what is printed can be read as a Compose file again.
fn whole(project: &Project, format: Format) -> String {
    let text = match format {
        Format::Yaml => yaml::to_text(&project.to_yaml(), project.compatibility),
        Format::Json => project.to_json().to_pretty(),
    };
    text.replace('$', "$$")
}
