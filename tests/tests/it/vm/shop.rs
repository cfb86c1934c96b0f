//! The example product in a world: its fleet, its droplet, its address.

use std::time::Duration;

use serde_json::Value;

use super::{
    account,
    world::{World, eventually, http},
};

/// A database password that must never be seen outside the app's own environment.
pub const PASSWORD: &str = "pgpw8c1f0b7d2e55aa90";
pub const HOST: &str = "shop.example.com";

pub struct Shop {
    pub world: World,
    pub address: String,
}

impl Shop {
    /// `init` in a copy of the example.
    pub fn init(world: World) -> Self {
        world.take_example();
        let registry = world.sandbox["registry_from_droplet"].as_str().unwrap().to_owned();
        world.write(
            ".env.production",
            &format!(
                "REGISTRY={registry}\nTAG=dev\nSHOP_HOST={HOST}\nSHOP_TLS=off\nPOSTGRES_PASSWORD={PASSWORD}\n"
            ),
        );
        let files = ["--compose", "compose.yaml", "--compose", "compose.production.yaml"];
        world.init("shop", &[&files[..], &["--env-file", ".env.production"]].concat());
        Self { world, address: String::new() }
    }

    /// What a failed run left.
    pub fn found(world: World) -> Self {
        let mut shop = Self { world, address: String::new() };
        shop.find_address();
        shop
    }

    /// Asks the account for the address of the one droplet.
    pub fn find_address(&mut self) {
        self.address = account::addresses(&self.world).into_values().next().unwrap();
    }

    /// The first release, served through the ingress.
    pub fn deploy_first(&self) {
        let said = self.world.tidegate(&["deploy"]).ok("deploy");
        self.world.say(&format!("first release in {:.0?}\n{}", said.took, said.text()));
        assert!(said.text().contains("Released r1"), "{}", said.text());
        let (status, body) = self.get("/health").unwrap();
        assert_eq!(status, 200, "{body}");
    }

    pub fn get(&self, path: &str) -> Result<(u16, String), String> {
        http(&self.address, "GET", HOST, path, "")
    }

    pub fn order(&self, item: &str) -> Value {
        let body = serde_json::json!({ "item": item, "quantity": 2 }).to_string();
        let (status, body) = http(&self.address, "POST", HOST, "/api/orders", &body).unwrap();
        assert_eq!(status, 201, "{body}");
        serde_json::from_str(&body).unwrap()
    }

    /// Items of all orders, as the API lists them.
    pub fn items(&self) -> Result<Vec<String>, String> {
        let (status, body) = self.get("/api/orders")?;
        if status != 200 {
            return Err(format!("{status} {body}"));
        }
        let orders: Value = serde_json::from_str(&body).map_err(|error| error.to_string())?;
        Ok(orders["orders"]
            .as_array()
            .unwrap()
            .iter()
            .map(|o| o["item"].as_str().unwrap().to_owned())
            .collect())
    }

    /// On the droplet itself; what the command said.
    pub fn on_host(&self, command: &[&str]) -> String {
        self.world.on_host(command)
    }

    /// `tidegate status` of the one droplet.
    pub fn status(&self) -> Value {
        self.world.tidegate(&["status", "--json"]).ok("status").json()[0].clone()
    }

    pub fn served_release(&self) -> u64 {
        self.status()["apps"][0]["release"]["release"].as_u64().unwrap()
    }

    pub fn answers_again(&self, limit: Duration) {
        eventually("the shop answers", limit, || match self.get("/health") {
            Ok((200, _)) => Ok(()),
            other => Err(format!("{other:?}")),
        });
    }
}
