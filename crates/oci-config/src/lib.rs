//! Decodes the fields of an OCI runtime spec that decide something, and ignores the others.
//!
//! The types follow the [runtime spec](https://github.com/opencontainers/runtime-spec) 1.3. All
//! fields are optional, `null` counts as absent, and a field that no type here names may hold any
//! JSON value. A named field with a wrong value is [`Field::Unreadable`]; the decoding fails only
//! for text that is no JSON object.
//!
//! [`from_slice`] decodes them from a text in memory, because they borrow the text of single values
//! while they decode.
//!
//! # Modules
//!
//! - `field`: a field, and the ways to decode one.
//! - `texts`: maps and lists of texts.
//! - `resources`: the section `linux.resources`.
//! - `spec`: the parts that the creation of a container reads.
//! - `details`: the parts that only the commands in a container see.

mod details;
mod field;
mod resources;
mod spec;
mod texts;

pub use details::{
    Capabilities, Details, IdMapping, LinuxDetails, Mount, Namespace, ProcessDetails, Root,
    Seccomp, SeccompRule, User,
};
pub use field::{Field, InvalidField, from_slice};
pub use resources::{LinuxCpu, LinuxMemory, LinuxPids, LinuxResources};
pub use spec::{Linux, Process, Spec};

/// Runs the example of the README as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
