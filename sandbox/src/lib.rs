//! A DigitalOcean account on one machine: a stateful API whose droplets are real virtual machines.

pub mod machine;
