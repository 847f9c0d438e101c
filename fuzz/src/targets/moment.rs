//! Moments, spans and zones: a text that is read as each, then `---` on a line, a zone, again `---`, and a moment in
//! microseconds since 1970.

use interlink_model::id::Micros;
use interlink_model::time::moment::Moment;
use interlink_model::time::span::Span;
use interlink_model::time::zone::Zone;
use jiff::Timestamp;
use jiff::tz::TimeZoneDatabase;

use super::{micros, pieces, zone};

/// What is taken is shown as what reads as the same, and lies where it should; what is refused is told where.
pub fn run(data: &[u8]) {
    let Some(pieces) = pieces(data) else { return };
    let text = pieces[0];
    let (zone, from) = (zone(pieces.get(1)), micros(pieces.get(2)));
    assert!(!zone.shown(from).is_empty());
    // A word is not looked for, since what is near to it takes longest: names have a `/`, or three letters.
    if (text.contains('/') || text.len() == 3)
        && let Ok(named) = Zone::parse(text)
    {
        assert!(named.name().eq_ignore_ascii_case(text), "{text:?} is {}", named.name());
    }
    moment(text, from, &zone);
    span(text, from, &zone);
}

fn moment(text: &str, from: Micros, zone: &Zone) {
    match Moment::parse(text) {
        Ok(moment) => {
            assert_eq!(Moment::parse(&moment.to_string()).as_ref(), Ok(&moment), "what is shown is another moment");
            let (opens, due) = (moment.resolve(Some(from), zone), moment.resolve_due(Some(from), zone));
            let over = opens.zip(due).filter(|(opens, due)| opens > due);
            assert!(over.is_none_or(|(opens, due)| skips_a_day(zone, due, opens)), "{moment} is over before it begins");
        }
        Err(error) => {
            assert!(!error.to_string().is_empty() && text.is_char_boundary(error.offset()), "{error:?}");
        }
    }
}

/// Whether clocks skip a whole day between two moments: such a day ends before the moment at which it would open.
fn skips_a_day(zone: &Zone, from: Micros, to: Micros) -> bool {
    let rules = TimeZoneDatabase::bundled().get(zone.name()).expect("a zone has a known name");
    let offset = |at: Micros| Timestamp::from_microsecond(at.0).map_or(0, |at| rules.to_offset(at).seconds());
    offset(to) - offset(from) >= 23 * 3_600
}

fn span(text: &str, from: Micros, zone: &Zone) {
    match Span::parse(text) {
        Ok(span) => {
            assert_eq!(Span::parse(&span.to_string()), Ok(span), "what is shown is another span");
            assert!(span.after(from, zone).is_none_or(|after| after > from), "{span} goes back from {from:?}");
            assert!(span.before(from, zone).is_none_or(|before| before < from), "{span} goes on from {from:?}");
        }
        Err(error) => {
            assert!(!error.to_string().is_empty() && text.is_char_boundary(error.offset()), "{error:?}");
        }
    }
}
