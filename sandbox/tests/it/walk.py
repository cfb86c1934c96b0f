"""Walks the sandbox with DigitalOcean's own Python client: base URL and token come as arguments."""

import sys
import time

from azure.core.exceptions import HttpResponseError
from azure.core.pipeline.policies import HeadersPolicy
from pydo import Client

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE3VXxtfKqDgsnRvbeCR92AnfJhnTW5Mq9AmicYEk3IF ops@example"

base, token = sys.argv[1:]
# The client sends its token over TLS only, and the sandbox serves plain HTTP on loopback: so it gets the header instead.
header = HeadersPolicy({"Authorization": f"Bearer {token}"})
client = Client(token=token, endpoint=base, authentication_policy=header)


def refused(status, call, **arguments):
    try:
        call(**arguments)
    except HttpResponseError as error:
        assert error.status_code == status, error
        return
    raise AssertionError(f"{call} was not refused with {status}")


def wait(action):
    while (found := client.actions.get(action_id=action["id"])["action"])["status"] == "in-progress":
        time.sleep(0.02)
    assert found["status"] == "completed", found


assert client.account.get()["account"]["status"] == "active"
assert any(region["slug"] == "fra1" for region in client.regions.list(per_page=200)["regions"])
assert any(size["slug"] == "s-2vcpu-4gb" for size in client.sizes.list(per_page=200)["sizes"])
assert client.images.get("debian-13-x64")["image"]["distribution"] == "Debian"

key = client.ssh_keys.create(body={"name": "ops", "public_key": KEY})["ssh_key"]
refused(422, client.ssh_keys.create, body={"name": "again", "public_key": KEY})
vpc = client.vpcs.create(body={"name": "shop", "region": "fra1", "ip_range": "10.20.0.0/20"})["vpc"]
request = {
    "names": ["web-1", "web-2", "web-3"],
    "region": "fra1",
    "size": "s-1vcpu-1gb",
    "image": "debian-13-x64",
    "ssh_keys": [key["fingerprint"]],
    "tags": ["web"],
    "vpc_uuid": vpc["id"],
    "user_data": "#cloud-config\n",
}
made = client.droplets.create(body=request)
for link in made["links"]["actions"]:
    wait(link)

names, page = [], 1
while page:
    listed = client.droplets.list(tag_name="web", per_page=2, page=page)
    names += [droplet["name"] for droplet in listed["droplets"]]
    page = page + 1 if "next" in listed["links"].get("pages", {}) else None
assert names == ["web-1", "web-2", "web-3"], names

droplet = client.droplets.get(droplet_id=made["droplets"][0]["id"])["droplet"]
assert droplet["status"] == "active" and len(droplet["networks"]["v4"]) == 2, droplet
wait(client.droplet_actions.post(droplet_id=droplet["id"], body={"type": "reboot"})["action"])
rule = {"protocol": "tcp", "ports": "443", "sources": {"addresses": ["0.0.0.0/0", "::/0"]}}
firewall = client.firewalls.create(body={"name": "web", "inbound_rules": [rule], "tags": ["web"]})["firewall"]
client.firewalls.add_rules(firewall_id=firewall["id"], body={"inbound_rules": [{**rule, "ports": "80"}]})
assert len(client.firewalls.get(firewall_id=firewall["id"])["firewall"]["inbound_rules"]) == 2

client.firewalls.delete(firewall_id=firewall["id"])
client.droplets.destroy_by_tag(tag_name="web")
while client.droplets.list()["droplets"]:
    time.sleep(0.02)
client.vpcs.delete(vpc_id=vpc["id"])
client.ssh_keys.delete(ssh_key_identifier=key["id"])
print("walked")
