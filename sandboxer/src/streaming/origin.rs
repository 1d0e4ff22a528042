//! The check that a request comes from no web page of another site.
//!
//! A browser sends the site of the page in the header Origin and lets any page open a
//! WebSocket to any address, this machine's included (RFC 6455, section 10.2). Other clients,
//! such as kubectl and crictl, send no Origin. The header Host cannot be held to this server's
//! address in general, because a kubelet passes the Host on that its own client sent.

use std::net::IpAddr;

use hyper::header::{HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN};
use hyper::http::uri::{Authority, Uri};

/// Reason to refuse a request.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum OriginError {
    /// The request names no host, several, or something else.
    #[error("Host: one header with a host and a port is needed")]
    Host,
    /// A web page of another site sent the request.
    #[error("Origin: a page of another site than the header Host names may not connect")]
    ForeignPage,
    /// A web page sent the request to this machine under the name of another.
    #[error("Host: a page may connect to this machine by a name of the loopback address only")]
    ForeignName,
}

/// Checks the headers Host and Origin. `is_local` says whether the server listens on a loopback
/// address: then the Host that a page connects to must be one, too. Without this rule the name
/// of an attacker's site could be made to lead to this machine.
///
/// # Errors
/// [`OriginError`], by the header that is wrong.
pub(super) fn check(headers: &HeaderMap, is_local: bool) -> Result<(), OriginError> {
    let host: Authority = only(headers, HOST, OriginError::Host)?
        .and_then(|host| host.parse().ok())
        .ok_or(OriginError::Host)?;
    let Some(origin) = only(headers, ORIGIN, OriginError::ForeignPage)? else {
        return Ok(());
    };
    let origin: Uri = origin.parse().map_err(|_| OriginError::ForeignPage)?;
    let default_port = match origin.scheme_str() {
        Some("http") => 80,
        Some("https") => 443,
        _ => return Err(OriginError::ForeignPage),
    };
    let page = origin.authority().ok_or(OriginError::ForeignPage)?;
    let site = |of: &Authority| {
        let port = of.port_u16().unwrap_or(default_port);
        (of.host().to_ascii_lowercase(), port)
    };
    if is_local && !is_loopback(&host) {
        return Err(OriginError::ForeignName);
    }
    if site(page) == site(&host) || is_loopback(page) && is_loopback(&host) {
        Ok(())
    } else {
        Err(OriginError::ForeignPage)
    }
}

/// Returns the value of a header, if it is there.
///
/// # Errors
/// `wrong` for a header that occurs more than once or is no text.
fn only(
    headers: &HeaderMap,
    name: HeaderName,
    wrong: OriginError,
) -> Result<Option<&str>, OriginError> {
    let mut values = headers.get_all(name).iter();
    let first = values.next().map(HeaderValue::to_str);
    match (first.transpose(), values.next()) {
        (Ok(first), None) => Ok(first),
        _ => Err(wrong),
    }
}

fn is_loopback(site: &Authority) -> bool {
    let host = site.host().trim_matches(['[', ']']);
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(is_local: bool, given: &[(HeaderName, &str)]) -> Result<(), OriginError> {
        let mut headers = HeaderMap::new();
        for (name, value) in given {
            headers.append(name, value.parse().unwrap());
        }
        check(&headers, is_local)
    }

    #[test]
    fn a_client_that_is_no_browser_may_name_any_host() {
        for host in ["127.0.0.1:4000", "node-1:10250", "[::1]:80", "localhost"] {
            assert_eq!(checked(true, &[(HOST, host)]), Ok(()), "{host}");
        }
        for wrong in ["", "a b", "a/b"] {
            assert_eq!(
                checked(true, &[(HOST, wrong)]),
                Err(OriginError::Host),
                "{wrong:?}"
            );
        }
        assert_eq!(checked(true, &[]), Err(OriginError::Host));
        assert_eq!(
            checked(true, &[(HOST, "a"), (HOST, "a")]),
            Err(OriginError::Host)
        );
    }

    #[test]
    fn a_page_may_connect_to_its_own_site_only() {
        use OriginError::{ForeignName, ForeignPage};
        for (is_local, host, origin, expected) in [
            (true, "127.0.0.1:4000", "http://127.0.0.1:4000", Ok(())),
            (true, "127.0.0.1:4000", "http://localhost:3000", Ok(())),
            (true, "[::1]:4000", "http://localhost", Ok(())),
            (
                true,
                "127.0.0.1:4000",
                "http://evil.example",
                Err(ForeignPage),
            ),
            (true, "127.0.0.1:4000", "null", Err(ForeignPage)),
            (true, "127.0.0.1:4000", "file:///tmp/x", Err(ForeignPage)),
            (
                true,
                "evil.example:4000",
                "http://evil.example:4000",
                Err(ForeignName),
            ),
            (
                true,
                "127.0.0.1.evil.example",
                "http://localhost",
                Err(ForeignName),
            ),
            (false, "node-1:4000", "http://node-1:4000", Ok(())),
            (false, "Node-1", "https://node-1:443", Ok(())),
            (false, "node-1:4000", "http://node-1:4001", Err(ForeignPage)),
            (false, "node-1:4000", "http://localhost", Err(ForeignPage)),
        ] {
            let given = [(HOST, host), (ORIGIN, origin)];
            assert_eq!(checked(is_local, &given), expected, "{host} {origin}");
        }
        let twice = [(HOST, "a"), (ORIGIN, "http://a"), (ORIGIN, "http://a")];
        assert_eq!(checked(false, &twice), Err(ForeignPage));
    }
}
