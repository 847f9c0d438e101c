//! What a call can ask for beyond its asset's state: of the world outside, of its asset's company, and for later.

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
    /// What an operator has set: a JSON object.
    fn settings(&self) -> String;
    /// Who takes part in the process: a JSON list.
    ///
    /// # Errors
    ///
    /// Where that is not granted.
    fn people(&self) -> Result<String>;
    /// Runs an action of another asset; input and output are JSON.
    ///
    /// # Errors
    ///
    /// Where that is not granted, or was not done.
    fn act_on(&self, asset: &str, action: &str, input: &str) -> Result<String>;
    /// Tells people something: JSON with `to`, `title` and `text`.
    ///
    /// # Errors
    ///
    /// Where that is not granted, or too much.
    fn notify(&self, message: &str) -> Result<()>;
    /// Notes what happened.
    ///
    /// # Errors
    ///
    /// For what is no word, and too many.
    fn note(&self, word: &str, amount: i64) -> Result<()>;
    /// Sets an alarm, to microseconds since 1970-01-01T00:00:00Z.
    ///
    /// # Errors
    ///
    /// For what is no alarm, and too many.
    fn set_alarm(&self, name: &str, at: i64, input: &str) -> Result<()>;
    /// Takes an alarm away; says whether it was set.
    fn cancel_alarm(&self, name: &str) -> bool;
    /// Keeps a blob; answers its digest.
    ///
    /// # Errors
    ///
    /// For what is too large, or too many.
    fn put_blob(&self, media_type: &str, content: &[u8]) -> Result<String>;
    /// How many bytes a blob has.
    fn blob_size(&self, digest: &str) -> Option<u64>;
    /// At most `limit` bytes of a blob from `offset` on.
    fn blob(&self, digest: &str, offset: u64, limit: u32) -> Option<Vec<u8>>;
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

    fn settings(&self) -> String {
        (**self).settings()
    }

    fn people(&self) -> Result<String> {
        (**self).people()
    }

    fn act_on(&self, asset: &str, action: &str, input: &str) -> Result<String> {
        (**self).act_on(asset, action, input)
    }

    fn notify(&self, message: &str) -> Result<()> {
        (**self).notify(message)
    }

    fn note(&self, word: &str, amount: i64) -> Result<()> {
        (**self).note(word, amount)
    }

    fn set_alarm(&self, name: &str, at: i64, input: &str) -> Result<()> {
        (**self).set_alarm(name, at, input)
    }

    fn cancel_alarm(&self, name: &str) -> bool {
        (**self).cancel_alarm(name)
    }

    fn put_blob(&self, media_type: &str, content: &[u8]) -> Result<String> {
        (**self).put_blob(media_type, content)
    }

    fn blob_size(&self, digest: &str) -> Option<u64> {
        (**self).blob_size(digest)
    }

    fn blob(&self, digest: &str, offset: u64, limit: u32) -> Option<Vec<u8>> {
        (**self).blob(digest, offset, limit)
    }
}
