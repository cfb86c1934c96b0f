//! Tokens: who may ask, and for what. They live in `tokens.json` (mode 0600), made when the account is first opened:
//! `{"version":1,"tokens":[{"secret":"dop_v1_<64 hex digits>","grant":"full" | "read_only" | {"scopes":[..]}}]}`.

use std::collections::BTreeSet;

use rand::{Rng, rngs::StdRng};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, Serializer};
use sha2::{Digest, Sha256};

/// A token and what it grants.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// The secret itself.
    #[serde(serialize_with = "expose")]
    pub secret: SecretString,
    /// What it may do.
    pub grant: Grant,
}

/// What a token may do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grant {
    /// Everything.
    Full,
    /// Every `read` scope.
    ReadOnly,
    /// Exactly these scopes, such as `droplet:create`.
    Scopes(BTreeSet<String>),
}

impl Grant {
    /// Whether it includes a scope such as `droplet:create`.
    pub fn allows(&self, scope: &str) -> bool {
        match self {
            Self::Full => true,
            Self::ReadOnly => scope.ends_with(":read"),
            Self::Scopes(scopes) => scopes.contains(scope),
        }
    }

    /// A word for it, for logs.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::ReadOnly => "read_only",
            Self::Scopes(_) => "scopes",
        }
    }
}

/// All tokens of the account.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tokens {
    version: u32,
    tokens: Vec<Token>,
}

impl Tokens {
    /// A full token and a read-only one.
    pub fn generate(rng: &mut StdRng) -> Self {
        let mut tokens = Self { version: 1, tokens: Vec::new() };
        tokens.add(Grant::Full, rng);
        tokens.add(Grant::ReadOnly, rng);
        tokens
    }

    /// Makes one more token.
    pub fn add(&mut self, grant: Grant, rng: &mut StdRng) -> Token {
        let mut bytes = [0_u8; 32];
        rng.fill_bytes(&mut bytes);
        let token = Token { secret: format!("dop_v1_{}", hex::encode(bytes)).into(), grant };
        self.tokens.push(token.clone());
        token
    }

    /// The token that a request presents, with its place in the list. Every known token is compared in full, digest
    /// against digest, so that the time taken tells nothing.
    pub fn find(&self, presented: &str) -> Option<(usize, &Token)> {
        let presented = Sha256::digest(presented.as_bytes());
        let mut found = None;
        for (place, token) in self.tokens.iter().enumerate() {
            let known = Sha256::digest(token.secret.expose_secret().as_bytes());
            let difference = known.iter().zip(presented.iter()).fold(0_u8, |all, (a, b)| all | (a ^ b));
            if difference == 0 {
                found = Some((place, token));
            }
        }
        found
    }

    /// The first token with this grant.
    pub fn granting(&self, grant: &Grant) -> Option<&Token> {
        self.tokens.iter().find(|token| token.grant == *grant)
    }
}

fn expose<S: Serializer>(secret: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose_secret())
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn only_the_exact_token_is_found() {
        let mut rng = StdRng::seed_from_u64(1);
        let tokens = Tokens::generate(&mut rng);
        let full = tokens.granting(&Grant::Full).unwrap().secret.expose_secret().to_owned();
        assert_eq!(tokens.find(&full).unwrap().1.grant, Grant::Full);
        assert!(tokens.find(full.strip_suffix(|_: char| true).unwrap()).is_none());
        assert!(tokens.find("").is_none());
        assert!(full.starts_with("dop_v1_") && full.len() == 7 + 64);
    }

    #[test]
    fn a_read_only_token_reads() {
        assert!(Grant::ReadOnly.allows("droplet:read"));
        assert!(!Grant::ReadOnly.allows("droplet:create"));
        assert!(!Grant::Scopes(BTreeSet::from(["vpc:read".to_owned()])).allows("droplet:read"));
    }

    #[test]
    fn debug_does_not_show_the_secret() {
        let tokens = Tokens::generate(&mut StdRng::seed_from_u64(1));
        assert!(!format!("{tokens:?}").contains("dop_v1_"));
    }
}
