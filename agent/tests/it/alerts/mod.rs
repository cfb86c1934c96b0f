//! Alerts against real receivers: a mail server and webhooks that are away, slow, or say no.

mod dead;
mod door;
mod mail;
pub mod site;
mod webhooks;
