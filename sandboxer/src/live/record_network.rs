//! Addresses of a pod in the record that containerd keeps of a sandbox.
//!
//! containerd's CRI plugin calls the network's plugins before it creates the sandbox, and its
//! record then has the addresses: `{"Version":"v1","Metadata":{"IP":…,"AdditionalIPs":[…]}}` (type
//! `Metadata` in its `internal/cri/store/sandbox/metadata.go`).

use std::net::IpAddr;

use serde::Deserialize;

/// Largest number of addresses that are kept: one of each family is the rule.
const MAX_IPS: usize = 4;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Record {
    metadata: Option<Metadata>,
}

#[derive(Deserialize)]
struct Metadata {
    #[serde(rename = "IP", default)]
    ip: Option<String>,
    #[serde(rename = "AdditionalIPs", default)]
    additional_ips: Option<Vec<String>>,
}

/// Returns the addresses in a record, the primary one first. A record without addresses or of
/// another form has none.
pub(super) fn ips(json: &[u8]) -> Vec<String> {
    let record: Option<Record> = serde_json::from_slice(json).ok();
    let Some(metadata) = record.and_then(|record| record.metadata) else {
        return Vec::new();
    };
    let primary = metadata.ip.into_iter();
    let all = primary.chain(metadata.additional_ips.into_iter().flatten());
    let valid = all.filter(|ip| ip.parse::<IpAddr>().is_ok());
    valid.take(MAX_IPS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_addresses_of_a_record_are_found() {
        let record = br#"{"Version":"v1","Metadata":{"ID":"a","Config":{},
            "IP":"198.18.0.7","AdditionalIPs":["fd00::7","x"],"CNIResult":{"a":1}}}"#;
        assert_eq!(ips(record), ["198.18.0.7", "fd00::7"]);
        for other in [
            &b""[..],
            b"[]",
            br#"{"Metadata":null}"#,
            br#"{"Metadata":{"IP":"","AdditionalIPs":null}}"#,
        ] {
            assert!(ips(other).is_empty());
        }
    }
}
