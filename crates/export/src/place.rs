//! Places of files.

use std::fmt;
use std::io::{self, Write};
use std::str::FromStr;

use crate::Format;

/// Opens the file of a format at a path, whose components are separated by `/`.
pub type Opener<'a> = dyn FnMut(Format, &str) -> io::Result<Box<dyn Write + Send>> + 'a;

/// Name of a cluster, which becomes the name of a directory: letters, digits, `-`, `_` and `.`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster(String);

/// Error of a text that is no name of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not 1 to 128 letters, digits, '-', '_' and '.', the first a letter or digit")]
pub struct ClusterError;

impl FromStr for Cluster {
    type Err = ClusterError;

    fn from_str(text: &str) -> Result<Self, ClusterError> {
        let is_right = (1..=128).contains(&text.len())
            && text.starts_with(|first: char| first.is_ascii_alphanumeric())
            && text
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
        if is_right {
            Ok(Self(text.to_owned()))
        } else {
            Err(ClusterError)
        }
    }
}

impl fmt::Display for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_a_cluster_cannot_leave_its_directory() {
        for name in [
            "",
            ".",
            "..",
            "a/b",
            "a=b",
            "-a",
            "ü",
            "a b",
            &"a".repeat(129),
        ] {
            assert_eq!(name.parse::<Cluster>(), Err(ClusterError), "{name}");
        }
        assert_eq!(
            "prod-1.eu_west".parse::<Cluster>().unwrap().to_string(),
            "prod-1.eu_west"
        );
    }
}
