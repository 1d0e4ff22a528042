//! Changes and states for the store's tests.
