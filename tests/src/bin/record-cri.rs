//! Records the calls of a CRI client:
//!
//! ```text
//! record-cri --output FILE --listen SOCKET --runtime SOCKET
//! ```
//!
//! It serves CRI on the Unix socket `--listen`, passes each call on to the runtime on the socket
//! `--runtime`, and writes a recording to `--output`.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::ExitCode;

const USAGE: &str = "usage: record-cri --output FILE --listen SOCKET --runtime SOCKET";

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some([output, listen, runtime]) = options(&arguments) else {
        eprintln!("{USAGE}");
        return ExitCode::from(1);
    };
    match tests::recording::proxy::serve(&listen, &runtime, &output).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("record-cri: {error}");
            ExitCode::from(1)
        }
    }
}

/// Returns the values of the three options, each of which must be given once.
fn options(arguments: &[String]) -> Option<[PathBuf; 3]> {
    let mut values = HashMap::new();
    for pair in arguments.chunks(2) {
        let [name, value] = pair else { return None };
        if values.insert(name.as_str(), value).is_some() {
            return None;
        }
    }
    let [output, listen, runtime] =
        ["--output", "--listen", "--runtime"].map(|name| values.remove(name).map(PathBuf::from));
    let found = [output?, listen?, runtime?];
    values.is_empty().then_some(found)
}
