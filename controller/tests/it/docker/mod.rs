//! With real agents, each over a real Docker daemon.

mod together;
