//! Who asks: tokens, and the person that each leads to.
//!
//! The data directory's own tokens are HS256 under a secret derived from its master key: checking one costs a third of a
//! microsecond, where a signature would cost more than the rest of a request. A token that was checked is remembered
//! with its person until it expires.

use std::collections::HashMap;
use std::sync::Arc;

use axum::http::{HeaderMap, StatusCode, header};
use interlink_runtime::{Caller, Engine};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use parking_lot::RwLock;
use serde::{Deserialize, Serialize};
use tokio::sync::OnceCell;

use crate::problem::Problem;

/// Who vouches for the directory's own tokens.
pub const ISSUER: &str = "interlink";
/// Tokens that are remembered; beyond it all are forgotten, and checked again.
const TOKENS_MAX: usize = 50_000;
/// The longest login, in bytes.
const LOGIN_BYTES_MAX: usize = 256;

/// What somebody may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Runs the server: publishes, grants, secrets.
    Operator,
    /// Takes part in processes.
    Member,
}

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    role: Role,
    iat: u64,
    exp: u64,
}

/// Makes a token for a login.
pub fn mint(secret: &[u8; 32], login: &str, role: Role, now_s: u64, expires_s: u64) -> Result<String, String> {
    if login.is_empty() || login.len() > LOGIN_BYTES_MAX || login.chars().any(char::is_control) {
        return Err(format!("a login is 1 to {LOGIN_BYTES_MAX} bytes of printable text"));
    }
    let claims = Claims { iss: ISSUER.into(), sub: login.into(), role, iat: now_s, exp: now_s + expires_s };
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &EncodingKey::from_secret(secret))
        .map_err(|error| error.to_string())
}

/// A token that was checked.
pub struct Known {
    login: String,
    role: Role,
    expires_s: u64,
    caller: OnceCell<Caller>,
}

impl Known {
    /// A visitor of a service: known by nothing but what their visit says.
    pub fn visitor(caller: Caller) -> Self {
        let caller = OnceCell::new_with(Some(caller));
        Self { login: String::new(), role: Role::Member, expires_s: 0, caller }
    }

    /// The person, made on first use.
    pub async fn caller(&self, engine: &Engine) -> Result<&Caller, Problem> {
        let made = self.caller.get_or_try_init(|| engine.caller(ISSUER, &self.login, self.role == Role::Operator));
        made.await.map_err(Problem::from)
    }

    /// Refuses whoever is no operator.
    pub fn operator(&self, what: &str) -> Result<(), Problem> {
        match self.role {
            Role::Operator => Ok(()),
            Role::Member => Err(Problem::forbidden(format!("{what} is the operator's; ask one"))),
        }
    }

    /// Their login; empty for a visitor of a service.
    pub fn login(&self) -> &str {
        &self.login
    }

    /// What they may do.
    pub fn role(&self) -> Role {
        self.role
    }
}

/// Checks tokens.
pub struct Identities {
    key: DecodingKey,
    validation: Validation,
    known: RwLock<HashMap<String, Arc<Known>>>,
}

impl Identities {
    /// Checks against a directory's secret.
    pub fn new(secret: &[u8; 32]) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[ISSUER]);
        validation.set_required_spec_claims(&["exp", "iss", "sub"]);
        validation.leeway = 0;
        Self { key: DecodingKey::from_secret(secret), validation, known: RwLock::default() }
    }

    /// Who a request's token is for.
    pub fn of(&self, headers: &HeaderMap, now_s: u64) -> Result<Arc<Known>, Problem> {
        let refuse = |detail: &str| Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", "Who are you?", detail);
        let value = headers.get(header::AUTHORIZATION);
        let value = value.ok_or_else(|| refuse("send `Authorization: Bearer TOKEN`; `interlink token` makes one"))?;
        let token = value.to_str().ok().and_then(|value| value.strip_prefix("Bearer "));
        let token = token.ok_or_else(|| refuse("the Authorization header is not `Bearer TOKEN`"))?.trim();
        if let Some(known) = self.known.read().get(token) {
            return if known.expires_s > now_s { Ok(Arc::clone(known)) } else { Err(refuse("the token has expired")) };
        }
        let checked = jsonwebtoken::decode::<Claims>(token, &self.key, &self.validation);
        let claims = checked.map_err(|error| match error.kind() {
            jsonwebtoken::errors::ErrorKind::ExpiredSignature => refuse("the token has expired"),
            _ => refuse("the token is not one of this server's"),
        })?;
        let Claims { sub: login, role, exp: expires_s, .. } = claims.claims;
        // The library takes a token for one more second.
        if expires_s <= now_s {
            return Err(refuse("the token has expired"));
        }
        let known = Arc::new(Known { login, role, expires_s, caller: OnceCell::new() });
        let mut all = self.known.write();
        if all.len() >= TOKENS_MAX {
            all.clear();
        }
        all.insert(token.to_owned(), Arc::clone(&known));
        Ok(known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer(token: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::AUTHORIZATION, format!("Bearer {token}").parse().expect("a header"))])
    }

    #[test]
    fn a_forged_an_expired_and_a_foreign_token_are_refused() {
        let now = jsonwebtoken::get_current_timestamp();
        let identities = Identities::new(&[1; 32]);
        let token = mint(&[1; 32], "ana", Role::Member, now, 60).expect("minted");
        assert_eq!(identities.of(&bearer(&token), now).map(|known| known.role()).ok(), Some(Role::Member));
        assert!(identities.of(&bearer(&token), now + 61).is_err(), "remembered, and expired since");
        let expired = mint(&[1; 32], "ana", Role::Member, now - 100, 60).expect("minted");
        assert!(identities.of(&bearer(&expired), now).is_err());
        let foreign = mint(&[2; 32], "ana", Role::Operator, now, 60).expect("minted");
        assert!(identities.of(&bearer(&foreign), now).is_err());
        let (head, rest) = token.split_once('.').expect("three parts");
        let unsigned = format!("eyJhbGciOiJub25lIn0.{}", rest.split_once('.').expect("three parts").0);
        for forged in [format!("{head}.{rest}x"), format!("{unsigned}."), "rubbish".into(), String::new()] {
            assert!(identities.of(&bearer(&forged), now).is_err(), "{forged}");
        }
        assert!(identities.of(&HeaderMap::new(), now).is_err());
    }

    #[test]
    fn so_many_checked_tokens_are_remembered_and_then_all_are_checked_again() {
        let now = jsonwebtoken::get_current_timestamp();
        let identities = Identities::new(&[1; 32]);
        let token = |number: usize| mint(&[1; 32], &format!("p{number}"), Role::Member, now, 60).expect("minted");
        (0..TOKENS_MAX).for_each(|number| drop(identities.of(&bearer(&token(number)), now).expect("sound")));
        assert_eq!(identities.known.read().len(), TOKENS_MAX);
        assert!(
            identities.of(&bearer(&token(TOKENS_MAX)), now).is_ok() && identities.of(&bearer(&token(0)), now).is_ok()
        );
        assert_eq!(identities.known.read().len(), 2);
    }

    #[test]
    fn a_login_that_is_none_is_refused() {
        for login in ["", "a\nb", &"x".repeat(257)] {
            assert!(mint(&[1; 32], login, Role::Member, 0, 60).is_err());
        }
    }
}
