//! Helpers for end-to-end tests: start the shipped binaries, wait for conditions.
