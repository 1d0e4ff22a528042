//! Reads CPU profiles in the form of pprof: which packages used the CPU
//! (<https://github.com/google/pprof/blob/main/proto/profile.proto>).

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Read};

use flate2::read::GzDecoder;
use prost::Message;

/// Largest profile after decompression, in bytes.
const MAX_BYTES: u64 = 1 << 30;

/// A profile: the fields that tell where the time was.
#[derive(Clone, PartialEq, Message)]
struct Profile {
    #[prost(message, repeated, tag = "1")]
    sample_type: Vec<ValueType>,
    #[prost(message, repeated, tag = "2")]
    sample: Vec<Sample>,
    #[prost(message, repeated, tag = "4")]
    location: Vec<Location>,
    #[prost(message, repeated, tag = "5")]
    function: Vec<Function>,
    #[prost(string, repeated, tag = "6")]
    string_table: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
struct ValueType {
    #[prost(int64, tag = "2")]
    unit: i64,
}

#[derive(Clone, PartialEq, Message)]
struct Sample {
    #[prost(uint64, repeated, tag = "1")]
    location_id: Vec<u64>,
    #[prost(int64, repeated, tag = "2")]
    value: Vec<i64>,
}

#[derive(Clone, PartialEq, Message)]
struct Location {
    #[prost(uint64, tag = "1")]
    id: u64,
    #[prost(message, repeated, tag = "4")]
    line: Vec<Line>,
}

#[derive(Clone, PartialEq, Message)]
struct Line {
    #[prost(uint64, tag = "1")]
    function_id: u64,
}

#[derive(Clone, PartialEq, Message)]
struct Function {
    #[prost(uint64, tag = "1")]
    id: u64,
    #[prost(int64, tag = "2")]
    name: i64,
}

/// Unit of the times in a profile of Go's runtime.
const NANOSECONDS: &str = "nanoseconds";

/// Name in place of a package for samples without a known function, such as those in the vDSO.
const UNKNOWN: &str = "unknown";

/// CPU time of the functions of a package, without that of the functions that they call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageTime {
    /// Import path of the package.
    pub package: String,
    /// CPU time, in nanoseconds.
    pub ns: u64,
}

/// Reads the CPU time of all packages from a compressed profile, the greatest first.
///
/// # Errors
/// Data that is no such profile.
pub fn packages(profile: &[u8]) -> io::Result<Vec<PackageTime>> {
    let mut bytes = Vec::new();
    GzDecoder::new(profile)
        .take(MAX_BYTES)
        .read_to_end(&mut bytes)?;
    let profile = Profile::decode(bytes.as_slice())?;
    let text = |index: i64| {
        let index = usize::try_from(index).ok()?;
        profile.string_table.get(index).map(String::as_str)
    };
    let is_time = |kind: &ValueType| text(kind.unit) == Some(NANOSECONDS);
    let time = profile.sample_type.iter().position(is_time);
    let time = time.ok_or_else(|| io::Error::other("the profile has no times"))?;
    let names: HashMap<u64, &str> = profile
        .function
        .iter()
        .filter_map(|function| Some((function.id, text(function.name)?)))
        .collect();
    // The first line of a location is that of the innermost inlined function.
    let functions: HashMap<u64, u64> = profile
        .location
        .iter()
        .filter_map(|location| Some((location.id, location.line.first()?.function_id)))
        .collect();
    let mut times: BTreeMap<&str, u64> = BTreeMap::new();
    for sample in &profile.sample {
        let leaf = sample.location_id.first();
        let name = leaf
            .and_then(|location| functions.get(location))
            .and_then(|function| names.get(function));
        let package = name.map_or(UNKNOWN, |name| package(name));
        let ns = sample
            .value
            .get(time)
            .and_then(|ns| u64::try_from(*ns).ok());
        if let Some(ns) = ns {
            *times.entry(package).or_default() += ns;
        }
    }
    let times = times.into_iter().map(|(package, ns)| PackageTime {
        package: package.to_owned(),
        ns,
    });
    let mut times: Vec<PackageTime> = times.collect();
    times.sort_by(|a, b| b.ns.cmp(&a.ns).then_with(|| a.package.cmp(&b.package)));
    Ok(times)
}

/// Returns the package in the full name of a function of Go: everything before the first dot after
/// the last slash, outside of type arguments.
fn package(function: &str) -> &str {
    let before = function.split('[').next().unwrap_or(function);
    let last = before.rfind('/').map_or(0, |slash| slash + 1);
    match before[last..].find('.') {
        Some(dot) => &function[..last + dot],
        None => before,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use proptest::prelude::*;

    use super::*;

    fn compressed(profile: &Profile) -> Vec<u8> {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(&profile.encode_to_vec()).unwrap();
        gzip.finish().unwrap()
    }

    fn profile() -> Profile {
        let texts = [
            "",
            "count",
            NANOSECONDS,
            "runtime.mallocgc",
            "go.etcd.io/bbolt.(*Tx).Commit",
        ];
        let function = |id, name| Function { id, name };
        let location = |id, function_id| Location {
            id,
            line: vec![Line { function_id }],
        };
        let sample = |locations: &[u64], ns| Sample {
            location_id: locations.to_vec(),
            value: vec![1, ns],
        };
        Profile {
            sample_type: vec![ValueType { unit: 1 }, ValueType { unit: 2 }],
            sample: vec![sample(&[10, 20], 30), sample(&[20], 50), sample(&[10], 5)],
            location: vec![location(10, 1), location(20, 2)],
            function: vec![function(1, 3), function(2, 4)],
            string_table: texts.map(str::to_owned).to_vec(),
        }
    }

    #[test]
    fn the_time_belongs_to_the_package_of_the_innermost_function() {
        let found = packages(&compressed(&profile())).unwrap();
        let found: Vec<_> = found.iter().map(|one| (&*one.package, one.ns)).collect();
        assert_eq!(found, [("go.etcd.io/bbolt", 50), ("runtime", 35)]);
        let mut with_unknown = profile();
        with_unknown.sample[1].location_id = vec![99];
        let found = packages(&compressed(&with_unknown)).unwrap();
        let found: Vec<_> = found.iter().map(|one| (&*one.package, one.ns)).collect();
        assert_eq!(found, [(UNKNOWN, 50), ("runtime", 35)]);
    }

    #[test]
    fn packages_are_the_beginnings_of_functions() {
        for (function, expected) in [
            ("runtime.mallocgc", "runtime"),
            (
                "github.com/containerd/containerd/v2/core/metadata.(*db).Update",
                "github.com/containerd/containerd/v2/core/metadata",
            ),
            ("slices.SortFunc[go.shape.[]x/y.z]", "slices"),
            ("main", "main"),
        ] {
            assert_eq!(package(function), expected);
        }
    }

    #[test]
    fn other_data_is_refused() {
        assert!(packages(b"no gzip").is_err());
        let mut without_times = profile();
        without_times.sample_type.pop();
        let error = packages(&compressed(&without_times)).unwrap_err();
        assert_eq!(error.to_string(), "the profile has no times");
    }

    proptest! {
        #[test]
        fn no_data_does_harm(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
            gzip.write_all(&bytes).unwrap();
            let _ = packages(&gzip.finish().unwrap());
        }
    }
}
