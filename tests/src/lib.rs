//! Black-box suites, and what other crates' tests share with them: the built programs ([`programs`]) and a real Docker
//! daemon of their own ([`docker`]). Nothing here knows what the programs do inside.

pub mod docker;
pub mod programs;
