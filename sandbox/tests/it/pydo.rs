//! Other people's client.
