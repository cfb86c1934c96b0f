//! Tags of droplets that say which release serves, at the real sandbox API.

use serde_json::json;
use tidegate::{
    apply::release_tags::{Serves, set},
    clock::Clock,
    cloud::{Client, Token},
    names::{Name, Scope},
    waits::Waits,
};

use crate::world::World;

fn client(world: &World, token: &str) -> Client {
    Client::new(world.url.parse().unwrap(), Token::new(token), Clock::system(), Waits::default()).unwrap()
}

async fn droplet(world: &World, name: &str) -> u64 {
    let new = json!({"name": name, "size": "s-1vcpu-1gb", "image": "debian-13-x64", "region": "fra1",
        "tags": ["tidegate:shop:production", "tidegate-release:shop:production:web-two:r7"]});
    world.post("/v2/droplets", new).await["droplet"]["id"].as_u64().unwrap()
}

async fn tags(world: &World, droplet: u64) -> Vec<String> {
    let found = world.get(&format!("/v2/droplets/{droplet}")).await;
    let tags = found["droplet"]["tags"].as_array().unwrap().iter();
    let tags = tags.filter_map(|tag| tag.as_str()?.strip_prefix("tidegate-release:shop:production:"));
    let mut tags: Vec<String> = tags.map(str::to_owned).collect();
    tags.sort();
    tags
}

async fn known(world: &World) -> Vec<String> {
    let account = world.account().await;
    let releases =
        account.iter().filter_map(|thing| thing.strip_prefix("tags tidegate-release:shop:production:"));
    releases.map(str::to_owned).collect()
}

#[tokio::test]
async fn the_tag_follows_the_release_and_none_is_left() {
    let world = World::new().await;
    let (one, two) = (droplet(&world, "web-1").await, droplet(&world, "web-2").await);
    let scope = Scope { fleet: "shop".parse().unwrap(), environment: "production".parse().unwrap() };
    let app: Name = "web".parse().unwrap();
    let client = client(&world, &world.token);
    for id in [one, two] {
        set(&client, (&scope, &app), (id, Serves::Release(9))).await.unwrap();
        assert_eq!(tags(&world, id).await, ["web-two:r7", "web:r9"]);
    }
    // Numbers count per droplet; the tag of the other one stays.
    set(&client, (&scope, &app), (one, Serves::Release(10))).await.unwrap();
    assert_eq!(tags(&world, one).await, ["web-two:r7", "web:r10"]);
    assert_eq!(known(&world).await, ["web-two:r7", "web:r10", "web:r9"]);
    set(&client, (&scope, &app), (two, Serves::Release(10))).await.unwrap();
    set(&client, (&scope, &app), (two, Serves::Release(10))).await.unwrap();
    assert_eq!(known(&world).await, ["web-two:r7", "web:r10"]);
    for id in [one, two] {
        set(&client, (&scope, &app), (id, Serves::Nothing)).await.unwrap();
        assert_eq!(tags(&world, id).await, ["web-two:r7"]);
    }
    assert_eq!(known(&world).await, ["web-two:r7"]);
    // `plan` does not mind the tag, `down` takes it along.
    let said = world.run(&["down", "--yes"]);
    assert_eq!(said.code, 0, "{}", said.err);
    assert_eq!(known(&world).await, Vec::<String>::new());
    world.judge().await;
}

#[tokio::test]
async fn without_the_right_or_the_droplet_it_says_so() {
    let world = World::new().await;
    let one = droplet(&world, "web-1").await;
    let scope = Scope { fleet: "shop".parse().unwrap(), environment: "production".parse().unwrap() };
    let app: Name = "web".parse().unwrap();
    let told = async |token: &str, id: u64| {
        let client = client(&world, token);
        let error = set(&client, (&scope, &app), (id, Serves::Release(1))).await.unwrap_err();
        format!("{:#}", anyhow::Error::new(error))
    };
    let refused = told(&world.read_only, one).await;
    assert!(refused.contains("POST /v2/tags was refused with 403"), "{refused}");
    assert_eq!(told(&world.token, 1).await, "the token's account has no droplet 1");
    assert_eq!(tags(&world, one).await, ["web-two:r7"]);
}
