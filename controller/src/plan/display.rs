//! How a plan looks.

use std::fmt;

use super::model::{Action, Change, DropletSpec, Plan, Resource};
use crate::cloud::firewalls::{FirewallSpec, InboundRule};

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            scope,
            region,
            account,
            droplets_used,
            droplet_limit,
            changes,
            monthly_before,
            monthly_after,
            notes,
        } = self;
        writeln!(
            f,
            "{scope} in {region}, account {account}, {droplets_used} of {droplet_limit} droplets used\n"
        )?;
        for change in changes {
            writeln!(f, "{change}")?;
        }
        if !changes.is_empty() {
            writeln!(f)?;
        }
        for note in notes {
            writeln!(f, "note: {note}")?;
        }
        if changes.is_empty() {
            return write!(f, "Nothing to do: all is as the file says. {monthly_after:.2} USD/month.");
        }
        write!(
            f,
            "{} to create, {} to change, {} to delete. {monthly_before:.2} -> {monthly_after:.2} USD/month.",
            self.count(&[Action::Create, Action::Replace]),
            self.count(&[Action::Change]),
            self.count(&[Action::Delete, Action::Replace]),
        )
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { action, name, reason, resource, monthly } = self;
        let (mark, verb) = match action {
            Action::Create => ("+", "create"),
            Action::Change => ("~", "change"),
            Action::Replace => ("±", "replace"),
            Action::Delete => ("-", "delete"),
        };
        let detail = match resource {
            Resource::SshKey { .. } | Resource::Vpc => String::new(),
            Resource::Firewall { spec, .. } => rules(spec),
            Resource::Droplet { spec: DropletSpec { size, image, .. }, .. } => format!("{size} {image}"),
        };
        let mut line = format!("{mark} {verb:<8}{:<10}{name:<30} {detail:<36}", resource.kind());
        if *monthly > 0.0 {
            line.push_str(&format!("{monthly:>8.2} USD/month"));
        }
        let line = line.trim_end();
        if reason.is_empty() { f.write_str(line) } else { write!(f, "{line}  ({reason})") }
    }
}

/// `80,443 from anywhere; 22,7443 from 198.51.100.7`: rules with the same sources together.
fn rules(spec: &FirewallSpec) -> String {
    let mut groups: Vec<(String, Vec<String>)> = Vec::new();
    for rule in &spec.inbound_rules {
        let from = sources(rule);
        let ports = ports(rule);
        match groups.iter_mut().find(|(own, _)| *own == from) {
            Some((_, all)) => all.push(ports),
            None => groups.push((from, vec![ports])),
        }
    }
    groups
        .iter()
        .map(|(from, ports)| format!("{} from {from}", ports.join(",")))
        .collect::<Vec<_>>()
        .join("; ")
}

fn sources(rule: &InboundRule) -> String {
    let addresses = &rule.sources.addresses;
    let anywhere = ["0.0.0.0/0", "::/0"].iter().all(|all| addresses.iter().any(|own| own == all));
    if anywhere {
        return "anywhere".to_owned();
    }
    let tags = rule.sources.tags.iter().map(|tag| format!("droplets with {tag}"));
    addresses.iter().cloned().chain(tags).collect::<Vec<_>>().join(",")
}

fn ports(rule: &InboundRule) -> String {
    match (rule.protocol.as_str(), rule.ports.as_str()) {
        ("icmp", _) => "icmp".to_owned(),
        ("tcp", "0" | "all" | "") => "all ports".to_owned(),
        ("tcp", ports) => ports.to_owned(),
        (protocol, "0" | "all" | "") => format!("all {protocol} ports"),
        (protocol, ports) => format!("{ports}/{protocol}"),
    }
}
