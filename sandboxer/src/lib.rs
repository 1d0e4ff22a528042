//! The ResourceSlot sandboxer.
