//! Programs that would use the network. The simulation has none: they fail like programs on a
//! machine without a route or a name server.

use super::call::Call;
use crate::outcome::Outcome;
use crate::world::CapabilitySet;

/// Returns the first operand. `with_value` lists the letters of the options that have a value.
fn target(call: &Call<'_>, with_value: &str) -> Option<String> {
    let mut args = call.args.iter();
    while let Some(argument) = args.next() {
        match argument.strip_prefix('-') {
            None => return Some(argument.clone()),
            Some(letters) if letters.ends_with(|c| with_value.contains(c)) => drop(args.next()),
            Some(_) => {}
        }
    }
    None
}

/// Returns the host of a URL.
fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    authority
        .rsplit_once(':')
        .map_or(authority, |(host, _)| host)
}

fn is_address(host: &str) -> bool {
    host.parse::<std::net::IpAddr>().is_ok() || host == "localhost"
}

async fn failed(mut call: Call<'_>, message: &str, code: u8) -> Outcome {
    call.complain(message).await;
    Ok(code)
}

/// Returns whether the process has a capability.
fn has(call: &Call<'_>, capability: &str) -> bool {
    let effective = call.world().setup().capabilities.effective;
    effective.0 & CapabilitySet::from_names([capability]).0 != 0
}

/// Adds and removes bridges that nothing uses, which takes the capability `NET_ADMIN`.
pub(super) fn brctl(call: &mut Call<'_>) -> u8 {
    let args = call.args.clone();
    match args.as_slice() {
        [verb, bridge] if matches!(verb.as_str(), "addbr" | "delbr") => {
            if has(call, "NET_ADMIN") {
                return 0;
            }
            call.fail(&format!("bridge {bridge}: Operation not permitted"))
        }
        [verb] if verb == "show" => {
            call.print_line("bridge name\tbridge id\t\tSTP enabled\tinterfaces");
            0
        }
        _ => call.fail("usage: brctl addbr|delbr BRIDGE, or brctl show"),
    }
}

pub(super) async fn ping(mut call: Call<'_>) -> Outcome {
    if let Some(host) = target(&call, "cwWsIit")
        && is_address(&host)
        && !has(&call, "NET_RAW")
    {
        let line = format!("PING {host} ({host}): 56 data bytes\n");
        call.write(line.as_bytes()).await?;
        return failed(call, "permission denied (are you root?)", 1).await;
    }
    match target(&call, "cwWsIit") {
        None => failed(call, "usage: ping HOST", 1).await,
        Some(host) if is_address(&host) => failed(call, "sendto: Network is unreachable", 1).await,
        Some(host) => failed(call, &format!("bad address '{host}'"), 1).await,
    }
}

pub(super) async fn wget(call: Call<'_>) -> Outcome {
    let Some(url) = target(&call, "OTPUY") else {
        return failed(call, "missing URL", 1).await;
    };
    let host = host(&url).to_owned();
    if is_address(&host) {
        let message = format!("can't connect to remote host ({host}): Network is unreachable");
        return failed(call, &message, 1).await;
    }
    failed(call, &format!("bad address '{host}'"), 1).await
}

/// Fails with the codes of curl(1): 6 for a name, 7 for an address.
pub(super) async fn curl(call: Call<'_>) -> Outcome {
    let Some(url) = target(&call, "oHXdmuAw") else {
        return failed(call, "no URL specified", 2).await;
    };
    let host = host(&url).to_owned();
    if is_address(&host) {
        let message = format!("(7) Failed to connect to {host}: Network is unreachable");
        return failed(call, &message, 7).await;
    }
    failed(call, &format!("(6) Could not resolve host: {host}"), 6).await
}

pub(super) async fn nc(call: Call<'_>) -> Outcome {
    match target(&call, "wipe") {
        None => failed(call, "usage: nc HOST PORT", 1).await,
        Some(host) if is_address(&host) => {
            let message = format!("can't connect to remote host ({host}): Network is unreachable");
            failed(call, &message, 1).await
        }
        Some(host) => failed(call, &format!("bad address '{host}'"), 1).await,
    }
}

pub(super) async fn nslookup(mut call: Call<'_>) -> Outcome {
    if call.args.is_empty() {
        return failed(call, "usage: nslookup HOST [SERVER]", 1).await;
    }
    let resolvers = call.read_text("/etc/resolv.conf").unwrap_or_default();
    let given = resolvers
        .lines()
        .find_map(|line| line.strip_prefix("nameserver "));
    let server = call
        .args
        .get(1)
        .cloned()
        .or(given.map(|server| server.trim().to_owned()));
    let server = server.unwrap_or_else(|| "127.0.0.1".to_owned());
    let answer =
        format!("Server:\t\t{server}\n;; connection timed out; no servers could be reached\n\n");
    call.write(answer.as_bytes()).await?;
    Ok(1)
}
