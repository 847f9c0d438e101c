//! Keys of a [`Map`](crate::Map), and how they become segments of the host's keys.
//!
//! The host separates segments by `/` and allows no empty one, so text is escaped: `/` and `%` as in a URL, the empty
//! text as a lone `%`. Numbers are padded, so that the host's order of keys is the order of the numbers.

/// What a [`Map`](crate::Map) can be keyed by.
pub trait MapKey {
    /// Appends this key's segments, separated by `/`.
    fn write(&self, segments: &mut String);
}

/// A key that can be read back, for iterating.
pub trait OwnedMapKey: MapKey + Sized {
    /// How many segments it takes.
    const SEGMENTS: usize = 1;

    /// Reads the key back from exactly [`SEGMENTS`](Self::SEGMENTS) segments.
    fn read(segments: &str) -> Option<Self>;
}

impl MapKey for str {
    fn write(&self, segments: &mut String) {
        if self.is_empty() {
            segments.push('%');
        }
        for character in self.chars() {
            match character {
                '/' => segments.push_str("%2F"),
                '%' => segments.push_str("%25"),
                other => segments.push(other),
            }
        }
    }
}

impl MapKey for String {
    fn write(&self, segments: &mut String) {
        self.as_str().write(segments);
    }
}

impl OwnedMapKey for String {
    fn read(segments: &str) -> Option<Self> {
        match segments {
            "" => None,
            "%" => Some(String::new()),
            // The order matters: `%252F` is the text `%2F`.
            escaped => Some(escaped.replace("%2F", "/").replace("%25", "%")),
        }
    }
}

macro_rules! number_keys {
    ($($number:ty: $digits:literal),+) => {$(
        impl MapKey for $number {
            fn write(&self, segments: &mut String) {
                segments.push_str(&format!(concat!("{:0", $digits, "}"), self));
            }
        }

        impl OwnedMapKey for $number {
            fn read(segments: &str) -> Option<Self> {
                segments.parse().ok()
            }
        }
    )+};
}

number_keys!(u8: "3", u16: "5", u32: "10", u64: "20");

impl<A: MapKey, B: MapKey> MapKey for (A, B) {
    fn write(&self, segments: &mut String) {
        self.0.write(segments);
        segments.push('/');
        self.1.write(segments);
    }
}

impl<A: OwnedMapKey, B: OwnedMapKey> OwnedMapKey for (A, B) {
    const SEGMENTS: usize = A::SEGMENTS + B::SEGMENTS;

    fn read(segments: &str) -> Option<Self> {
        let (separator, _) = segments.match_indices('/').nth(A::SEGMENTS - 1)?;
        Some((A::read(&segments[..separator])?, B::read(&segments[separator + 1..])?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(key: &(impl MapKey + ?Sized)) -> String {
        let mut segments = String::new();
        key.write(&mut segments);
        segments
    }

    #[test]
    fn text_comes_back_as_it_was_and_stays_one_segment() {
        for text in ["", "a", "/", "a/b", "%", "%2F", "%252F", "//%", "straße", "a b"] {
            let segment = written(text);
            assert!(!segment.is_empty() && !segment.contains('/'), "{text:?} became {segment:?}");
            assert_eq!(String::read(&segment).as_deref(), Some(text));
        }
    }

    #[test]
    fn numbers_keep_their_order_and_come_back() {
        assert!(written(&9_u32) < written(&10_u32));
        assert_eq!(u64::read(&written(&u64::MAX)), Some(u64::MAX));
        assert_eq!(u8::read(&written(&7_u8)), Some(7));
    }

    #[test]
    fn pairs_nest() {
        let key = ((1_u32, "a/b".to_owned()), 7_u64);
        assert_eq!(written(&key), "0000000001/a%2Fb/00000000000000000007");
        assert_eq!(<((u32, String), u64)>::read(&written(&key)), Some(key));
    }
}
