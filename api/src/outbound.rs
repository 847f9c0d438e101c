//! Requests of Interlinkers: sent to where an operator let them go, and nowhere else.
//!
//! Whom a name stands for is decided here, once: an address that is private, loopback or otherwise not of the public
//! internet is refused after resolution, so that neither a name that points inside nor one that changes its answer leads
//! there. Only a request that was granted by address goes to such an address. No redirect is followed.

use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use interlink_host::{HttpRequest, HttpResponse, Outbound, OutboundError};
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};

/// Sends requests with a client of its own.
pub struct Sender {
    agent: ureq::Agent,
}

/// What is told apart from failures of the network.
#[derive(Debug, thiserror::Error)]
#[error("{0} is no address of the public internet; a request is let there when it is granted by that address")]
struct NotPublic(IpAddr);

/// Says what a name stands for; nothing where it does not know it.
type Knows = dyn Fn(&str) -> Option<Vec<IpAddr>> + Send + Sync;

/// Resolves a name once for each request, and lets no address through that is not public: what is checked is what the
/// request is sent to, whatever the name stands for a moment later.
#[derive(Default)]
struct PublicOnly {
    /// Asked first.
    known: Option<Box<Knows>>,
    others: DefaultResolver,
}

impl std::fmt::Debug for PublicOnly {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PublicOnly").finish_non_exhaustive()
    }
}

impl PublicOnly {
    fn addresses(&self, uri: &ureq::http::Uri) -> Option<ResolvedSocketAddrs> {
        let known = self.known.as_ref()?(uri.host().unwrap_or_default())?;
        let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 });
        let mut addresses = self.others.empty();
        known.into_iter().for_each(|address| addresses.push((address, port).into()));
        Some(addresses)
    }
}

impl Resolver for PublicOnly {
    fn resolve(
        &self,
        uri: &ureq::http::Uri,
        config: &ureq::config::Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let found = match self.addresses(uri) {
            Some(known) => known,
            None => self.others.resolve(uri, config, timeout)?,
        };
        let host = uri.host().unwrap_or_default();
        let by_address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok();
        // All of them, so that it does not depend on which is tried first.
        match found.iter().map(|address| address.ip()).find(|address| !by_address && !is_public(*address)) {
            Some(address) => Err(ureq::Error::Other(Box::new(NotPublic(address)))),
            None => Ok(found),
        }
    }
}

/// Whether an address is one of the public internet: what RFC 6890 and its successors set apart is not.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => match address.to_ipv4_mapped().or_else(|| embedded(address)) {
            Some(inside) => is_public_v4(inside),
            None => is_public_v6(address),
        },
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let shared = a == 100 && (64..128).contains(&b);
    let protocol = (a, b, c) == (192, 0, 0) || (a == 198 && (18..20).contains(&b));
    let set_apart = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || address.is_broadcast()
        || address.is_multicast();
    !(set_apart || shared || protocol || a == 0 || a >= 240)
}

/// The address of version 4 in one that leads to it: NAT64 (RFC 6052) and 6to4 (RFC 3056).
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let of = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match (a, b) {
        (0x64, 0xff9b) if (c, d, e, f) == (0, 0, 0, 0) => Some(of(g, h)),
        (0x2002, _) => Some(of(b, c)),
        _ => None,
    }
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let first = address.segments()[0];
    // 2000::/3 is what is given out; of it, 2001:db8::/32 and 3fff::/20 are for documents and 2001::/23 for protocols.
    let given_out = first & 0xe000 == 0x2000;
    let second = address.segments()[1];
    let set_apart = (first == 0x2001 && (second < 0x200 || second == 0xdb8)) || (first == 0x3fff && second < 0x1000);
    given_out && !set_apart
}

impl Default for Sender {
    fn default() -> Self {
        Self::with(PublicOnly::default())
    }
}

impl Sender {
    /// One that knows of some names what they stand for: a test has them change their minds.
    pub fn resolving(knows: impl Fn(&str) -> Option<Vec<IpAddr>> + Send + Sync + 'static) -> Self {
        Self::with(PublicOnly { known: Some(Box::new(knows)), others: DefaultResolver::default() })
    }

    fn with(resolver: PublicOnly) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .user_agent("interlink")
            .build();
        Self { agent: ureq::Agent::with_parts(config, DefaultConnector::default(), resolver) }
    }
}

impl Outbound for Sender {
    fn send(&self, request: &HttpRequest) -> Result<HttpResponse, OutboundError> {
        let mut built = ureq::http::Request::builder().method(request.method.as_str()).uri(&request.url);
        for (name, value) in &request.headers {
            built = built.header(name, value);
        }
        let built = built.body(request.body.clone()).map_err(|error| unreachable(&error))?;
        let timeout = request.timeout.max(Duration::from_millis(1));
        let configured = self.agent.configure_request(built).timeout_global(Some(timeout)).build();
        let mut response = self.agent.run(configured).map_err(failed)?;
        let headers = response
            .headers()
            .iter()
            .filter_map(|(name, value)| value.to_str().ok().map(|value| (name.as_str().to_owned(), value.to_owned())));
        let headers = headers.collect();
        let max = request.response_bytes_max;
        let mut body = Vec::new();
        let limit = max as u64 + 1;
        response.body_mut().as_reader().take(limit).read_to_end(&mut body).map_err(|error| match error.kind() {
            std::io::ErrorKind::TimedOut => OutboundError::Timeout,
            _ => unreachable(&error),
        })?;
        if body.len() > max {
            return Err(OutboundError::TooLarge { max });
        }
        Ok(HttpResponse { status: response.status().as_u16(), headers, body })
    }
}

fn unreachable(error: &dyn std::fmt::Display) -> OutboundError {
    OutboundError::Unreachable { reason: error.to_string() }
}

fn failed(error: ureq::Error) -> OutboundError {
    match &error {
        ureq::Error::Timeout(_) => OutboundError::Timeout,
        ureq::Error::Other(inner) if inner.is::<NotPublic>() => OutboundError::Refused { reason: inner.to_string() },
        _ => unreachable(&error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_apart_is_not_public() {
        let inside = [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "198.18.0.1",
            "192.0.2.1",
            "240.0.0.1",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "ff02::1",
            "2001:db8::1",
            "3fff:abc::1",
            "::ffff:127.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::1",
            "2001::1",
        ];
        for address in inside {
            assert!(!is_public(address.parse().expect("an address")), "{address}");
        }
        for address in ["93.184.216.34", "1.1.1.1", "2606:4700:4700::1111", "64:ff9b::101:101", "2a00:1450:4003::1"] {
            assert!(is_public(address.parse().expect("an address")), "{address}");
        }
    }

    #[test]
    fn a_name_that_leads_inside_is_refused_and_an_address_that_was_granted_is_not() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        std::thread::spawn(move || {
            use std::io::Write;
            for stream in listener.incoming().flatten() {
                let mut stream = stream;
                let _ = stream.read(&mut [0; 1024]);
                let _ = stream
                    .write_all(b"HTTP/1.1 302 Found\r\nlocation: http://10.0.0.1/\r\ncontent-length: 2\r\n\r\nhi");
            }
        });
        let request = |host: &str, max| HttpRequest {
            method: "GET".into(),
            url: format!("http://{host}:{port}/"),
            headers: vec![("idempotency-key".into(), "k".into())],
            body: Vec::new(),
            timeout: Duration::from_secs(5),
            response_bytes_max: max,
        };
        let sender = Sender::default();
        assert!(matches!(sender.send(&request("localhost", 10)), Err(OutboundError::Refused { .. })));
        let found = sender.send(&request("127.0.0.1", 10)).expect("granted by address");
        assert_eq!((found.status, found.body.as_slice()), (302, &b"hi"[..]), "a redirect is a response");
        assert_eq!(sender.send(&request("127.0.0.1", 1)), Err(OutboundError::TooLarge { max: 1 }));
    }
}
