//! The route that makes the addresses of pods local.
//!
//! One message to the kernel's routes over netlink adds it (`rtnetlink(7)`). The message has a
//! header, the fixed part of a route, and two attributes; the libraries for it compile the whole
//! vocabulary of routes, addresses and links.

use std::io;
use std::net::IpAddr;

use ipnet::IpNet;
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with,
};

/// Index of the loopback interface in every network namespace (`LOOPBACK_IFINDEX` in the
/// kernel's `include/net/flow.h`).
const LOOPBACK: u32 = 1;

// Numbers of the kernel's `include/uapi/linux/netlink.h`.
const REQUEST_ACK_REPLACE_CREATE: u16 = 0x1 | 0x4 | 0x100 | 0x400;
const NLMSG_ERROR: u16 = 2;
/// Length of `struct nlmsghdr`.
const HEADER: usize = 16;

// Numbers of the kernel's `include/uapi/linux/rtnetlink.h`.
const RTM_NEWROUTE: u16 = 24;
const RT_TABLE_LOCAL: u8 = 255;
const RTPROT_STATIC: u8 = 4;
const RT_SCOPE_HOST: u8 = 254;
const RTN_LOCAL: u8 = 2;
const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;

/// Error of a route.
#[derive(Debug, thiserror::Error)]
pub enum RouteError {
    /// The kernel's routes could not be asked.
    #[error("reach the kernel's routes")]
    Socket(#[source] io::Error),
    /// The kernel refused the route.
    #[error("add the local route {range}")]
    Refused {
        /// Range of the route.
        range: IpNet,
        /// Answer of the kernel.
        source: io::Error,
    },
}

/// Makes all addresses of a range local, as `ip route add local RANGE dev lo` does. The route stays
/// when the process ends. A route that is there already is no error.
///
/// # Errors
/// [`RouteError`]; without the capability `CAP_NET_ADMIN` the kernel refuses any route.
pub fn add_local(range: IpNet) -> Result<(), RouteError> {
    let answer = ask(&request(range)).map_err(|e| RouteError::Socket(e.into()))?;
    match refusal(&answer) {
        Some(errno) => Err(RouteError::Refused {
            range,
            source: errno.into(),
        }),
        None => Ok(()),
    }
}

/// Sends a message to the kernel's routes and returns its answer.
fn ask(message: &[u8]) -> Result<Vec<u8>, Errno> {
    // The protocol 0 of netlink is that of routes.
    let flags = SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)?;
    send(&socket, message, SendFlags::empty())?;
    let mut answer = [0; 4096];
    let (length, _) = recv(&socket, &mut answer, RecvFlags::empty())?;
    Ok(answer[..length].to_vec())
}

/// Returns the message that adds the route.
fn request(range: IpNet) -> Vec<u8> {
    let (family, address) = match range.network() {
        IpAddr::V4(address) => (AddressFamily::INET, address.octets().to_vec()),
        IpAddr::V6(address) => (AddressFamily::INET6, address.octets().to_vec()),
    };
    let fixed = [
        // Both families have numbers below 256.
        u8::try_from(family.as_raw()).unwrap_or(0),
        range.prefix_len(),
        0,
        0,
        RT_TABLE_LOCAL,
        RTPROT_STATIC,
        RT_SCOPE_HOST,
        RTN_LOCAL,
    ];
    let mut body = fixed.to_vec();
    body.extend(0_u32.to_ne_bytes());
    attribute(&mut body, RTA_DST, &address);
    attribute(&mut body, RTA_OIF, &LOOPBACK.to_ne_bytes());
    let length = u32::try_from(HEADER + body.len()).unwrap_or(u32::MAX);
    let mut message = length.to_ne_bytes().to_vec();
    message.extend(RTM_NEWROUTE.to_ne_bytes());
    message.extend(REQUEST_ACK_REPLACE_CREATE.to_ne_bytes());
    // The number of the message, and the port of the sender, which the kernel fills in.
    message.extend([0; 8]);
    message.extend(body);
    message
}

/// Adds an attribute whose length is a multiple of four, so that no padding follows.
fn attribute(body: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let length = u16::try_from(4 + value.len()).unwrap_or(u16::MAX);
    body.extend(length.to_ne_bytes());
    body.extend(kind.to_ne_bytes());
    body.extend(value);
}

/// Returns the error in an answer; `None` if it accepts the message. An answer that is none is an
/// invalid one.
fn refusal(answer: &[u8]) -> Option<Errno> {
    let kind = answer.get(4..6).and_then(|bytes| bytes.try_into().ok());
    let code = answer
        .get(HEADER..HEADER + 4)
        .and_then(|bytes| bytes.try_into().ok());
    match (kind.map(u16::from_ne_bytes), code.map(i32::from_ne_bytes)) {
        (Some(NLMSG_ERROR), Some(0)) => None,
        (Some(NLMSG_ERROR), Some(code @ i32::MIN..0)) => {
            Some(Errno::from_raw_os_error(code.saturating_neg()))
        }
        _ => Some(Errno::BADMSG),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_is_a_route_of_the_local_table_over_the_loopback_interface() {
        let message = request("198.18.0.0/15".parse().unwrap());
        assert_eq!(message.len(), 16 + 12 + 8 + 8);
        assert_eq!(message[..4], 44_u32.to_ne_bytes());
        assert_eq!(message[16..24], [2, 15, 0, 0, 255, 4, 254, 2]);
        assert_eq!(message[32..36], [198, 18, 0, 0]);
        assert_eq!(message[40..], 1_u32.to_ne_bytes());
        assert_eq!(
            request("fd00::/64".parse().unwrap()).len(),
            16 + 12 + 20 + 8
        );
    }

    #[test]
    fn only_an_answer_with_the_code_zero_accepts() {
        let answer = |kind: u16, code: i32| {
            let mut answer = vec![0; 36];
            answer[4..6].copy_from_slice(&kind.to_ne_bytes());
            answer[16..20].copy_from_slice(&code.to_ne_bytes());
            answer
        };
        assert_eq!(refusal(&answer(NLMSG_ERROR, 0)), None);
        assert_eq!(refusal(&answer(NLMSG_ERROR, -1)), Some(Errno::PERM));
        assert_eq!(refusal(&answer(3, 0)), Some(Errno::BADMSG));
        assert_eq!(refusal(&answer(NLMSG_ERROR, 7)), Some(Errno::BADMSG));
        assert_eq!(refusal(&[]), Some(Errno::BADMSG));
    }
}
