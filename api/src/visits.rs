//! Who is at the door of a service: nobody in particular, a visitor with a token of a lighter kind, or a member.
//!
//! A visit is a random id in a signed token that is good for one service and for an hour: enough that "one vote each" means
//! something, and nothing that leads to a person. Nothing is kept of it here. It is signed under another secret than the
//! tokens of members, so that neither passes for the other.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use interlink_model::id::PersonId;
use interlink_model::service::Service;
use interlink_runtime::provision::anybody;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::identity::Known;
use crate::problem::Problem;
use crate::rates::{Buckets, Rate, USES_OF_ADDRESS_MAX, USES_OF_VISITOR_MAX, VISITS_OF_ADDRESS_MAX, place};
use crate::request::Asked;

/// Who vouches for a visit.
const ISSUER: &str = "interlink-visit";
/// How long a visit lasts, in seconds.
pub const VISIT_S: u64 = 3_600;
/// The header in which a proxy says whom it speaks for.
const FORWARDED: &str = "x-forwarded-for";

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    /// The service.
    svc: String,
    /// The visitor.
    sub: String,
    iat: u64,
    exp: u64,
}

/// Whose requests are counted together. A member who only looks is not made a person for it.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Visitor {
    /// A visitor, by their id.
    Guest(PersonId),
    /// A member, by their login.
    Member(String),
}

/// What is known at the doors of services.
pub struct Doors {
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
    visitors: Buckets<Visitor>,
    addresses: Buckets<IpAddr>,
    visits: Buckets<IpAddr>,
    /// Whether a proxy in front says where requests come from.
    behind_proxy: bool,
}

/// Somebody at the door of a service.
pub struct AtDoor {
    /// What they ask, and who they are.
    pub asked: Asked,
    /// The service.
    pub service: String,
    /// What tells requests under one idempotency key apart, for whoever has no token: where they come from.
    pub place: Option<IpAddr>,
}

fn too_many(what: &str, retry_after_s: u32) -> Problem {
    let detail = format!("{what}; come back in {retry_after_s} s");
    let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "too-many-requests", "This is too often", detail);
    Problem { retry_after_s: Some(retry_after_s), ..problem }
}

impl Doors {
    /// The doors of a directory's services.
    pub fn new(secret: &[u8; 32], behind_proxy: bool) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[ISSUER]);
        validation.set_required_spec_claims(&["exp", "iss", "sub"]);
        // Held against the engine's clock.
        validation.validate_exp = false;
        let address = |burst, per_s| Buckets::new(Rate { burst, per_s });
        Self {
            encoding: EncodingKey::from_secret(secret),
            decoding: DecodingKey::from_secret(secret),
            validation,
            visitors: Buckets::new(Rate { burst: USES_OF_VISITOR_MAX, per_s: 1 }),
            addresses: address(USES_OF_ADDRESS_MAX, 20),
            visits: address(VISITS_OF_ADDRESS_MAX, 1),
            behind_proxy,
        }
    }

    /// A token for a visitor of a service, and when it expires, in seconds since 1970.
    pub fn mint(&self, service: &str, visitor: PersonId, now_s: u64) -> (String, u64) {
        let exp = now_s + VISIT_S;
        let claims = Claims { iss: ISSUER.into(), svc: service.into(), sub: visitor.to_string(), iat: now_s, exp };
        let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.encoding);
        (token.expect("ids and numbers encode"), exp)
    }

    /// The service and the visitor of a token, whether it has expired, where it is one of a visit.
    fn read(&self, headers: &HeaderMap) -> Option<(String, PersonId, u64)> {
        let token = headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")?.trim();
        let claims = jsonwebtoken::decode::<Claims>(token, &self.decoding, &self.validation).ok()?.claims;
        Some((claims.svc, PersonId::parse(&claims.sub)?, claims.exp))
    }

    /// Why a token that opens no other route does not, where it is one of a visit.
    pub fn refusal(&self, headers: &HeaderMap) -> Option<Problem> {
        let (service, ..) = self.read(headers)?;
        let rule = format!("this is the token of a visit: it opens /v1/services/{service}/… and nothing else");
        Some(Problem::forbidden(rule))
    }

    /// Where a request comes from.
    fn address(&self, parts: &Parts) -> IpAddr {
        let connected = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let connected = connected.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ConnectInfo(address)| address.ip());
        let forwarded = || {
            let last = parts.headers.get_all(FORWARDED).iter().next_back()?.to_str().ok()?;
            last.rsplit(',').next()?.trim().parse().ok()
        };
        place(if self.behind_proxy { forwarded().unwrap_or(connected) } else { connected })
    }

    /// Lets an address begin another visit, if it has not begun too many.
    pub fn begin_visit(&self, place: IpAddr, now_us: i64) -> Result<(), Problem> {
        let taken = self.visits.take(place, now_us);
        taken.map_err(|retry_s| too_many("too many visits were begun from this address", retry_s))
    }
}

/// Who asks at a service's door, and whether they may ask again so soon.
async fn at_door(app: &App, parts: &mut Parts) -> Result<AtDoor, Problem> {
    let params = RawPathParams::from_request_parts(parts, app).await;
    let params = params.map_err(|_| Problem::malformed("the path cannot be read"))?;
    let name = params.iter().find(|(key, _)| *key == "name").map(|(_, name)| name.to_owned()).unwrap_or_default();
    let doors = &app.doors;
    let now_us = app.engine.now().0;
    let now_s = u64::try_from(now_us / 1_000_000).unwrap_or(0);
    let place = doors.address(parts);
    let taken = doors.addresses.take(place, now_us);
    taken.map_err(|retry_s| too_many("too many requests came from this address", retry_s))?;
    let service = app.engine.service(&name)?;
    let visitor = |id: PersonId, service: &Service| -> Result<_, Problem> {
        let caller = app.engine.visitor(service, id)?;
        Ok(std::sync::Arc::new(Known::visitor(caller)))
    };
    let (known, who) = match doors.read(&parts.headers) {
        Some((of, _, _)) if of != name => {
            let rule = format!("this is the token of a visit of `{of}`; take one at /v1/services/{name}/visits");
            return Err(Problem::forbidden(rule));
        }
        Some((_, _, expires_s)) if expires_s <= now_s => {
            let detail = format!("the visit is over; take another at /v1/services/{name}/visits");
            return Err(Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", "The visit is over", detail));
        }
        Some((_, id, _)) => (visitor(id, &service)?, Some(Visitor::Guest(id))),
        None if parts.headers.contains_key(header::AUTHORIZATION) => {
            let known = app.identities.of(&parts.headers, now_s)?;
            let login = known.login().to_owned();
            (known, Some(Visitor::Member(login)))
        }
        None => (visitor(anybody(&name), &service)?, None),
    };
    let place = who.is_none().then_some(place);
    if let Some(who) = who {
        let taken = doors.visitors.take(who, now_us);
        taken.map_err(|retry_s| too_many("too many requests of one visitor", retry_s))?;
    }
    let asked = Asked::by(known, parts)?;
    Ok(AtDoor { asked, service: name, place })
}

impl FromRequestParts<App> for AtDoor {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        at_door(app, parts).await
    }
}

/// Where a request to begin a visit comes from.
pub struct Place(pub IpAddr);

impl FromRequestParts<App> for Place {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        Ok(Self(app.doors.address(parts)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{Identities, Role, mint};

    fn bearer(token: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::AUTHORIZATION, format!("Bearer {token}").parse().expect("a header"))])
    }

    #[test]
    fn a_token_of_a_visit_and_one_of_a_member_are_never_taken_for_each_other() {
        let doors = Doors::new(&[1; 32], false);
        let now = jsonwebtoken::get_current_timestamp();
        let visitor = PersonId::from_bytes([7; 16]);
        let (token, expires) = doors.mint("desk", visitor, now);
        assert_eq!(doors.read(&bearer(&token)), Some(("desk".into(), visitor, now + VISIT_S)));
        assert_eq!(expires, now + VISIT_S);
        let member = mint(&[1; 32], "ana", Role::Member, now, 60).expect("minted");
        assert_eq!(doors.read(&bearer(&member)), None, "even under the same secret");
        assert!(Identities::new(&[1; 32]).of(&bearer(&token), now).is_err());
        let refusal = doors.refusal(&bearer(&token)).expect("it is one");
        assert!(refusal.detail.contains("/v1/services/desk/"), "{}", refusal.detail);
        let foreign = Doors::new(&[2; 32], false).mint("desk", visitor, now).0;
        for forged in [foreign, format!("{token}x"), String::new()] {
            assert_eq!(doors.read(&bearer(&forged)), None, "{forged}");
        }
    }

    #[test]
    fn the_word_of_a_proxy_counts_where_there_is_one() {
        let request = axum::http::Request::builder().header(FORWARDED, "198.51.100.1, 203.0.113.9");
        let (mut parts, ()) = request.body(()).expect("a request").into_parts();
        parts.extensions.insert(ConnectInfo(SocketAddr::from(([192, 0, 2, 1], 9))));
        let of = |behind: bool| Doors::new(&[1; 32], behind).address(&parts).to_string();
        assert_eq!((of(false).as_str(), of(true).as_str()), ("192.0.2.1", "203.0.113.9"));
    }
}
