//! The build: version and profile.

use std::fmt;

use exposition::Descriptor;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

const BUILD: Descriptor = Descriptor {
    name: "resource_slot_build",
    help: "The version of resource-slot-sandboxer, and whether it was built with optimisations",
    unit: "",
};

/// Encodes the version and the profile of the build.
#[derive(Debug)]
pub(super) struct Build;

impl Collector for Build {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let profile = if cfg!(debug_assertions) {
            "debug"
        } else {
            "release"
        };
        let labels = [("version", env!("CARGO_PKG_VERSION")), ("profile", profile)];
        BUILD.info(&mut encoder, &labels)
    }
}
