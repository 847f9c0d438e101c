//! Where a request goes: an origin, and a URL below one.
//!
//! What is granted is compared with what is asked for here, and the request is sent by a client elsewhere: both must
//! read the same host out of a URL. So nothing is repaired or guessed. A URL that two readers could take for different
//! things (user names, backslashes, white space, numbers written in other ways) is refused.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The longest name of a host, in bytes: what DNS has room for.
const HOST_BYTES_MAX: usize = 253;
/// The longest label of such a name, in bytes: what DNS has room for.
const LABEL_BYTES_MAX: usize = 63;
/// What stands in no URL without an escape, though it can be printed.
const NOT_IN_A_URL: &[u8] = b"\"<>\\^`{|}#";

/// Why a text is no origin or no URL that a request can go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    /// Another scheme, or none.
    #[error("it begins with neither `https://` nor `http://`")]
    Scheme,
    /// No host, or none that everybody reads the same way.
    #[error("its host is no plain name or address")]
    Host,
    /// No port.
    #[error("its port is no number from 1 to 65535")]
    Port,
    /// More than an origin.
    #[error("it goes on behind the host: an origin has no path")]
    Path,
    /// A character that stands in no URL.
    #[error("it has a character that a URL does not have, or a fragment")]
    Character,
}

/// A scheme, a host and a port: what a request is granted to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Origin {
    secure: bool,
    host: String,
    port: u16,
}

impl Origin {
    /// The origin of a URL.
    ///
    /// # Errors
    ///
    /// When the text is no URL of HTTP that everybody reads the same way.
    pub fn of_url(url: &str) -> Result<Self, OriginError> {
        if url.bytes().any(|byte| !byte.is_ascii_graphic() || NOT_IN_A_URL.contains(&byte)) {
            return Err(OriginError::Character);
        }
        let (secure, rest) = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
            (Some(rest), _) => (true, rest),
            (_, Some(rest)) => (false, rest),
            _ => return Err(OriginError::Scheme),
        };
        let authority = &rest[..rest.find(['/', '?']).unwrap_or(rest.len())];
        let (host, port) = split(authority)?;
        let port = match port {
            Some(port) => number(port)?,
            None => default_port(secure),
        };
        Ok(Self { secure, host: host_of(host)?, port })
    }
}

impl FromStr for Origin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        let origin = Self::of_url(text)?;
        let behind = text.splitn(3, '/').nth(2).unwrap_or_default();
        if behind.contains(['/', '?']) { Err(OriginError::Path) } else { Ok(origin) }
    }
}

impl TryFrom<String> for Origin {
    type Error = OriginError;

    fn try_from(text: String) -> Result<Self, OriginError> {
        text.parse()
    }
}

impl From<Origin> for String {
    fn from(origin: Origin) -> Self {
        origin.to_string()
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "https" } else { "http" };
        write!(f, "{scheme}://{}", self.host)?;
        if self.port == default_port(self.secure) { Ok(()) } else { write!(f, ":{}", self.port) }
    }
}

fn default_port(secure: bool) -> u16 {
    if secure { 443 } else { 80 }
}

/// A host and its port, where one is given. An address of version 6 stands in brackets.
fn split(authority: &str) -> Result<(&str, Option<&str>), OriginError> {
    let end = match authority.starts_with('[') {
        true => authority.find(']').ok_or(OriginError::Host)? + 1,
        false => authority.find(':').unwrap_or(authority.len()),
    };
    let (host, rest) = authority.split_at(end);
    match rest.strip_prefix(':') {
        Some(port) => Ok((host, Some(port))),
        None if rest.is_empty() => Ok((host, None)),
        None => Err(OriginError::Host),
    }
}

fn number(port: &str) -> Result<u16, OriginError> {
    let plain = port.bytes().all(|byte| byte.is_ascii_digit()) && !port.starts_with('0');
    port.parse().ok().filter(|_| plain).ok_or(OriginError::Port)
}

/// The one way in which a host is written.
fn host_of(host: &str) -> Result<String, OriginError> {
    if let Some(address) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        let address: Ipv6Addr = address.parse().map_err(|_| OriginError::Host)?;
        return Ok(format!("[{address}]"));
    }
    let host = host.to_ascii_lowercase();
    let last = host.rsplit('.').next().unwrap_or_default();
    // `127.1` and `0x7f.1` are addresses to some readers and names to others.
    let numeric = last.starts_with("0x") || last.bytes().all(|byte| byte.is_ascii_digit());
    let fits = if numeric { host.parse::<Ipv4Addr>().is_ok() } else { is_name(&host) };
    if fits { Ok(host) } else { Err(OriginError::Host) }
}

fn is_name(host: &str) -> bool {
    let label = |label: &str| {
        let letters = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        (1..=LABEL_BYTES_MAX).contains(&label.len()) && letters && !label.starts_with('-') && !label.ends_with('-')
    };
    host.len() <= HOST_BYTES_MAX && host.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_url(url: &str) -> Result<String, OriginError> {
        Origin::of_url(url).map(|origin| origin.to_string())
    }

    #[test]
    fn the_origin_of_a_url_is_its_scheme_host_and_port_written_in_one_way() {
        for (url, origin) in [
            ("https://example.org", "https://example.org"),
            ("https://Example.ORG:443/a/b?c=d", "https://example.org"),
            ("http://example.org:80?q", "http://example.org"),
            ("https://example.org:8443/@evil.org:1/", "https://example.org:8443"),
            ("http://127.0.0.1:8080/", "http://127.0.0.1:8080"),
            ("http://[0:0::1]:8080/", "http://[::1]:8080"),
        ] {
            assert_eq!(of_url(url).as_deref(), Ok(origin), "{url}");
        }
    }

    #[test]
    fn what_two_readers_could_take_for_different_hosts_is_refused() {
        let long = format!("https://{}.org", "a".repeat(LABEL_BYTES_MAX + 1));
        let host = |bytes: usize| format!("https://{}{}", "ab.".repeat(bytes / 3 - 1), "a".repeat(3 + bytes % 3));
        assert!(of_url(&host(HOST_BYTES_MAX)).is_ok());
        let longest = host(HOST_BYTES_MAX + 1);
        assert_eq!(of_url(&longest), Err(OriginError::Host), "{} bytes", longest.len() - 8);
        for (url, why) in [
            ("ftp://example.org", OriginError::Scheme),
            ("HTTPS://example.org", OriginError::Scheme),
            ("//example.org", OriginError::Scheme),
            ("https://granted.org@evil.org/", OriginError::Host),
            ("https://granted.org:pass@evil.org/", OriginError::Port),
            ("https://granted.org\\@evil.org/", OriginError::Character),
            ("https://granted.org\t/", OriginError::Character),
            ("https://granted.org/ x", OriginError::Character),
            ("https://granted.org/#x", OriginError::Character),
            ("https://gränted.org/", OriginError::Character),
            ("https://", OriginError::Host),
            ("https://granted..org", OriginError::Host),
            ("https://granted.org./", OriginError::Host),
            ("https://-granted.org", OriginError::Host),
            ("https://granted_.org", OriginError::Host),
            ("https://granted%2eorg", OriginError::Host),
            ("http://127.1/", OriginError::Host),
            ("http://0x7f.0.0.0x1/", OriginError::Host),
            ("http://2130706433/", OriginError::Host),
            ("http://0177.0.0.1/", OriginError::Host),
            ("http://[::1/", OriginError::Host),
            ("http://[::1]evil.org/", OriginError::Host),
            ("http://[fe80::1%25eth0]/", OriginError::Host),
            ("http://example.org:/", OriginError::Port),
            ("http://example.org:0/", OriginError::Port),
            ("http://example.org:080/", OriginError::Port),
            ("http://example.org:65536/", OriginError::Port),
            ("http://example.org:+80/", OriginError::Port),
            (long.as_str(), OriginError::Host),
        ] {
            assert_eq!(of_url(url), Err(why), "{url}");
        }
    }

    #[test]
    fn an_origin_has_no_path() {
        for text in ["https://example.org/", "https://example.org/a", "https://example.org?a"] {
            assert_eq!(text.parse::<Origin>(), Err(OriginError::Path), "{text}");
        }
        assert!("https://example.org:8443".parse::<Origin>().is_ok());
    }
}
