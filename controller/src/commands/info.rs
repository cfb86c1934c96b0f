//! `tidegate info`: the account, its limits, and what in it is ours.

use serde_json::json;

use super::{
    context::Context,
    prepare::{read_for_down, work},
};
use crate::{
    apply::teardown::Ours,
    cloud::{account, droplets, sizes},
    failure::Outcome,
    output::Table,
};

pub(super) async fn run(context: &Context) -> anyhow::Result<Outcome> {
    let prepared = read_for_down(context)?;
    let client = &prepared.client;
    let scope = &prepared.fleet.scope;
    let account = account::get(client).await?;
    let work = work(context, &prepared);
    let ssh_key = Some(prepared.ssh_key.as_str()).filter(|key| !key.is_empty());
    let (all, prices) = futures::try_join!(droplets::list(client), sizes::list(client))?;
    let ours = Ours::find(&work, &prepared.inventory, ssh_key).await?;
    let own: Vec<&droplets::Droplet> = all.iter().filter(|droplet| droplet.has_tag(&scope.tag())).collect();
    let price =
        |slug: &str| prices.iter().find(|size| size.slug == slug).map_or(0.0, |size| size.price_monthly);
    let monthly = own.iter().fold(0.0, |sum, droplet| sum + price(&droplet.size_slug));
    let mut text = format!(
        "account {} ({}), {} of {} droplets used, at {}\n{scope}: {monthly:.2} USD/month\n\n",
        account.email,
        account.status,
        all.len(),
        account.droplet_limit,
        client.endpoint(),
    );
    let mut table = Table::new(["KIND", "NAME", "ID", "STATE", "DETAIL"]);
    for droplet in &own {
        let address = droplet.public_address().map(|address| address.to_string()).unwrap_or_default();
        let detail = format!("{address} {} {}", droplet.size_slug, droplet.region.slug);
        table.row([
            "droplet".to_owned(),
            droplet.name.clone(),
            droplet.id.to_string(),
            droplet.status.clone(),
            detail,
        ]);
    }
    let mut plain = |kind: &str, name: &String, id: String| {
        table.row([kind.to_owned(), name.clone(), id, String::new(), String::new()]);
    };
    ours.firewalls.iter().for_each(|(id, name)| plain("firewall", name, id.clone()));
    ours.vpcs.iter().for_each(|(id, name)| plain("vpc", name, id.clone()));
    ours.ssh_keys.iter().for_each(|(id, name)| plain("ssh key", name, id.to_string()));
    if ours.is_empty() {
        text.push_str("Nothing here is of this fleet.");
    } else {
        text.push_str(&table.to_string());
    }
    let value = json!({
        "account": account, "droplets_used": all.len(), "scope": scope.to_string(), "monthly_usd": monthly,
        "droplets": own, "firewalls": ours.firewalls, "vpcs": ours.vpcs, "ssh_keys": ours.ssh_keys, "tags": ours.tags,
    });
    context.printer.result(&value, text);
    Ok(Outcome::Done)
}
