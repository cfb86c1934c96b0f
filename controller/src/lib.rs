//! The controller: provisions droplets and deploys Compose apps to them.
