//! The Compose file as a value: read, interpolate, merge, normalise, hash, and the pure plan to Docker objects.
