//! Black-box suites: they run the programs as a user would.
