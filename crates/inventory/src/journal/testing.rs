//! Lines of journals, for tests.

/// Completes a JSON object without its closing brace to a line.
pub(super) fn sealed(content: &str) -> String {
    let crc = crc32fast::hash(content.as_bytes());
    format!("{content},\"crc\":\"{crc:08x}\"}}\n")
}

/// Returns a record of the sandbox `s`, `seconds` after 2024-01-01T10:00:00Z.
pub(super) fn record(seq: u64, seconds: u64, sandbox: &str, change: &str) -> String {
    sealed(&format!(
        "{{\"seq\":{seq},\"at\":\"2024-01-01T10:{:02}:{:02}.000000000Z\",\"ns\":\"k8s.io\",\
         \"sandbox\":\"{sandbox}\",\"do\":{change}",
        seconds / 60,
        seconds % 60
    ))
}
