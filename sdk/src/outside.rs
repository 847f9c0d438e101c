//! What a call can ask the world outside its asset for.

use crate::problem::Result;

/// The outside: the component's imports, or what a test answers with.
pub trait Outside {
    /// Microseconds since 1970-01-01T00:00:00Z.
    fn now(&self) -> i64;
    /// So many random bytes.
    fn random(&self, count: u32) -> Vec<u8>;
    /// Sends a request, whose head is JSON; so is the response's.
    ///
    /// # Errors
    ///
    /// When there is no response.
    fn http(&self, request: &str, body: &[u8]) -> Result<(String, Vec<u8>)>;
    /// A secret, if it is granted and set.
    fn secret(&self, name: &str) -> Option<String>;
}

impl<O: Outside + ?Sized> Outside for &O {
    fn now(&self) -> i64 {
        (**self).now()
    }

    fn random(&self, count: u32) -> Vec<u8> {
        (**self).random(count)
    }

    fn http(&self, request: &str, body: &[u8]) -> Result<(String, Vec<u8>)> {
        (**self).http(request, body)
    }

    fn secret(&self, name: &str) -> Option<String> {
        (**self).secret(name)
    }
}
