//! Black-box suites, and what other crates' tests share with them: the built programs ([`programs`]), a real Docker daemon of
//! their own ([`docker`]), DigitalOcean's OpenAPI document ([`openapi`]). Nothing here knows what the programs do inside.

pub mod docker;
pub mod openapi;
pub mod programs;
