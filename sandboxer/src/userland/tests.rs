//! Tests of the userland.
