//! IP addresses and CIDRs (`library/ip.go`, `library/cidr.go`).

use std::net::IpAddr;

use ipnet::IpNet;

use super::Style::{Global, Method};
use super::{Row, unexpected};
use crate::budget::Budget;
use crate::error::{EvalError, Evaluated};
use crate::value::Value;

pub(super) const ROWS: &[Row] = &[
    ("ip", Global, "string", "ip", ip),
    ("isIP", Global, "string", "bool", is_ip),
    ("ip.isCanonical", Global, "string", "bool", is_canonical),
    ("string", Global, "ip", "string", show),
    ("family", Method, "ip", "int", family),
    ("isUnspecified", Method, "ip", "bool", is_unspecified),
    ("isLoopback", Method, "ip", "bool", is_loopback),
    (
        "isLinkLocalMulticast",
        Method,
        "ip",
        "bool",
        is_link_local_multicast,
    ),
    (
        "isLinkLocalUnicast",
        Method,
        "ip",
        "bool",
        is_link_local_unicast,
    ),
    ("isGlobalUnicast", Method, "ip", "bool", is_global_unicast),
    ("cidr", Global, "string", "cidr", cidr),
    ("isCIDR", Global, "string", "bool", is_cidr),
    ("string", Global, "cidr", "string", show),
    ("containsIP", Method, "cidr string", "bool", contains_ip),
    ("containsIP", Method, "cidr ip", "bool", contains_ip),
    ("containsCIDR", Method, "cidr string", "bool", contains_cidr),
    ("containsCIDR", Method, "cidr cidr", "bool", contains_cidr),
    ("ip", Method, "cidr", "ip", ip_of_cidr),
    ("prefixLength", Method, "cidr", "int", prefix_length),
    ("masked", Method, "cidr", "cidr", masked),
];

fn parse_ip(text: &str) -> Evaluated<IpAddr> {
    let parsed = text.parse();
    let address = parsed.map_err(|_| {
        EvalError::invalid(format!(
            "IP Address {text:?} parse error during conversion from string"
        ))
    })?;
    match address {
        IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some() => Err(EvalError::invalid(format!(
            "IPv4-mapped IPv6 address {text:?} is not allowed"
        ))),
        address => Ok(address),
    }
}

fn parse_cidr(text: &str) -> Evaluated<IpNet> {
    let error = || {
        EvalError::invalid(format!(
            "network address parse error during conversion from string: {text:?}"
        ))
    };
    let (address, length) = text.split_once('/').ok_or_else(error)?;
    let is_canonical = length == "0" || !length.starts_with('0');
    if !is_canonical || !length.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(error());
    }
    let length = length.parse().map_err(|_| error())?;
    IpNet::new(parse_ip(address)?, length).map_err(|_| error())
}

fn ip(args: &[Value], _: &mut Budget) -> Evaluated<Value> {
    match args {
        [Value::String(text)] => parse_ip(text).map(Value::Ip),
        _ => unexpected(),
    }
}

fn is_ip(args: &[Value], _: &mut Budget) -> Evaluated<Value> {
    match args {
        [Value::String(text)] => Ok(Value::Bool(parse_ip(text).is_ok())),
        _ => unexpected(),
    }
}

fn is_canonical(args: &[Value], _: &mut Budget) -> Evaluated<Value> {
    match args {
        [Value::String(text)] => {
            let address = parse_ip(text)?;
            Ok(Value::Bool(address.to_string() == text.as_ref()))
        }
        _ => unexpected(),
    }
}

fn show(args: &[Value], _: &mut Budget) -> Evaluated<Value> {
    match args {
        [Value::Ip(address)] => Ok(Value::string(address.to_string())),
        [Value::Cidr(cidr)] => Ok(Value::string(cidr.to_string())),
        _ => unexpected(),
    }
}

fn address(args: &[Value]) -> Evaluated<IpAddr> {
    match args {
        [Value::Ip(address)] => Ok(*address),
        _ => unexpected(),
    }
}

fn family(args: &[Value], _: &mut Budget) -> Evaluated<Value> {
    Ok(Value::Int(if address(args)?.is_ipv4() { 4 } else { 6 }))
}

fn is_unspecified(args: &[Value], _: &mut Budget) -> Evaluated<Value> {
    Ok(Value::Bool(address(args)?.is_unspecified()))
}

fn is_loopback(args: &[Value], _: &mut Budget) -> Evaluated<Value> {
    Ok(Value::Bool(address(args)?.is_loopback()))
}

fn is_link_local_multicast(args: &[Value], _: &mut Budget) -> Evaluated<Value> {
    let is = match address(args)? {
        IpAddr::V4(v4) => v4.octets()[..3] == [224, 0, 0],
        IpAddr::V6(v6) => v6.segments()[0] & 0xff0f == 0xff02,
    };
    Ok(Value::Bool(is))
}

fn link_local_unicast(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}

fn is_link_local_unicast(args: &[Value], _: &mut Budget) -> Evaluated<Value> {
    Ok(Value::Bool(link_local_unicast(address(args)?)))
}

/// Tells global unicast as Go's `netip` does: private addresses count.
fn is_global_unicast(args: &[Value], _: &mut Budget) -> Evaluated<Value> {
    let address = address(args)?;
    let is_broadcast = match address {
        IpAddr::V4(v4) => v4.is_broadcast(),
        IpAddr::V6(_) => false,
    };
    let is_global = !is_broadcast
        && !address.is_unspecified()
        && !address.is_loopback()
        && !address.is_multicast()
        && !link_local_unicast(address);
    Ok(Value::Bool(is_global))
}

fn cidr(args: &[Value], _: &mut Budget) -> Evaluated<Value> {
    match args {
        [Value::String(text)] => parse_cidr(text).map(Value::Cidr),
        _ => unexpected(),
    }
}

fn is_cidr(args: &[Value], _: &mut Budget) -> Evaluated<Value> {
    match args {
        [Value::String(text)] => Ok(Value::Bool(parse_cidr(text).is_ok())),
        _ => unexpected(),
    }
}

fn contains_ip(args: &[Value], _: &mut Budget) -> Evaluated<Value> {
    let (cidr, address) = match args {
        [Value::Cidr(cidr), Value::Ip(address)] => (cidr, *address),
        [Value::Cidr(cidr), Value::String(text)] => (cidr, parse_ip(text)?),
        _ => return unexpected(),
    };
    Ok(Value::Bool(cidr.contains(&address)))
}

fn contains_cidr(args: &[Value], _: &mut Budget) -> Evaluated<Value> {
    let (cidr, inner) = match args {
        [Value::Cidr(cidr), Value::Cidr(inner)] => (cidr, *inner),
        [Value::Cidr(cidr), Value::String(text)] => (cidr, parse_cidr(text)?),
        _ => return unexpected(),
    };
    Ok(Value::Bool(cidr.trunc().contains(&inner.trunc())))
}

fn ip_of_cidr(args: &[Value], _: &mut Budget) -> Evaluated<Value> {
    match args {
        [Value::Cidr(cidr)] => Ok(Value::Ip(cidr.addr())),
        _ => unexpected(),
    }
}

fn prefix_length(args: &[Value], _: &mut Budget) -> Evaluated<Value> {
    match args {
        [Value::Cidr(cidr)] => Ok(Value::Int(i64::from(cidr.prefix_len()))),
        _ => unexpected(),
    }
}

fn masked(args: &[Value], _: &mut Budget) -> Evaluated<Value> {
    match args {
        [Value::Cidr(cidr)] => Ok(Value::Cidr(cidr.trunc())),
        _ => unexpected(),
    }
}
