//! The route that makes the addresses of pods local.

use ipnet::IpNet;
use rtnetlink::packet_route::route::{RouteScope, RouteType};
use rtnetlink::{RouteMessageBuilder, new_connection};
use std::net::IpAddr;

/// Index of the loopback interface in every network namespace (`LOOPBACK_IFINDEX` in the
/// kernel's `include/net/flow.h`).
const LOOPBACK: u32 = 1;
/// Table of routes to local addresses (`RT_TABLE_LOCAL` in the kernel's
/// `include/uapi/linux/rtnetlink.h`).
const LOCAL_TABLE: u32 = 255;

/// Error of a route.
#[derive(Debug, thiserror::Error)]
pub enum RouteError {
    /// The system had no socket of netlink.
    #[error("reach the kernel's routes")]
    Socket(#[from] std::io::Error),
    /// The kernel refused the route.
    #[error("add the local route {range}")]
    Refused {
        /// Range of the route.
        range: IpNet,
        /// Answer of the kernel.
        source: rtnetlink::Error,
    },
}

/// Makes all addresses of a range local, as `ip route add local RANGE dev lo` does. The route stays
/// when the process ends. A route that is there already is no error. Must be called within a tokio
/// runtime.
///
/// # Errors
/// [`RouteError`]; without the capability `CAP_NET_ADMIN` the kernel refuses any route.
pub async fn add_local(range: IpNet) -> Result<(), RouteError> {
    let (connection, handle, _) = new_connection()?;
    let connection = tokio::spawn(connection);
    let destination = RouteMessageBuilder::<IpAddr>::new()
        .destination_prefix(range.network(), range.prefix_len());
    let added = match destination {
        Ok(message) => {
            let route = message
                .output_interface(LOOPBACK)
                .table_id(LOCAL_TABLE)
                .kind(RouteType::Local)
                .scope(RouteScope::Host)
                .build();
            handle.route().add(route).replace().execute().await
        }
        // A range has an address of its own family, and a length that fits it.
        Err(e) => Err(rtnetlink::Error::InvalidNla(e.to_string())),
    };
    connection.abort();
    added.map_err(|source| RouteError::Refused { range, source })
}
