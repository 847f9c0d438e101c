//! Problem documents (RFC 9457): what every refusal looks like, the framework's own included.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use interlink_host::{Fault, PublishError};
use interlink_model::process::{Process, Rejection, Rule};
use interlink_model::schema::finding::{Finding, Refusal, RefusalKind};
use interlink_model::service::{Service, ServiceStatus};
use interlink_runtime::{Answer, Trouble};
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

/// Why a request was not done, and what would change that.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Problem {
    /// A stable address of the kind of problem; it ends in a slug.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind of problem in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened here, and what would satisfy it.
    pub detail: String,
    /// Places in the input that do not fit.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Misfit>,
    /// Facts of this kind of problem.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    pub facts: Map<String, Value>,
    /// When to come back.
    #[serde(skip)]
    pub retry_after_s: Option<u32>,
}

/// A place in the input that does not fit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Misfit {
    /// JSON pointer (RFC 6901).
    pub pointer: String,
    /// What would fit.
    pub detail: String,
    /// Line in the source, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// Column in the source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<usize>,
    /// File in a bundle.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
}

impl Misfit {
    /// A place and what would fit there.
    pub fn new(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), detail: detail.into(), line: None, column: None, file: None }
    }
}

impl From<Finding> for Misfit {
    fn from(finding: Finding) -> Self {
        let detail = match &finding.help {
            Some(help) => format!("{}; {help}", finding.message),
            None => finding.message,
        };
        Self { pointer: finding.pointer, detail, line: finding.line, column: finding.column, file: finding.file }
    }
}

impl Problem {
    /// A problem of a kind.
    pub fn new(status: StatusCode, slug: &str, title: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("/problems/{slug}"),
            title: title.into(),
            status: status.as_u16(),
            detail: detail.into(),
            errors: Vec::new(),
            facts: Map::new(),
            retry_after_s: None,
        }
    }

    /// 400: it cannot be read.
    pub fn malformed(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed", "This cannot be read", detail)
    }

    /// 500: a defect of the server.
    pub fn internal(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "The server failed", detail)
    }

    /// 422: it can be read and does not fit.
    pub fn invalid(errors: Vec<Misfit>) -> Self {
        let detail = match errors.first() {
            Some(first) if first.pointer.is_empty() => first.detail.clone(),
            Some(first) => format!("{}: {}", first.pointer, first.detail),
            None => String::from("it does not fit"),
        };
        Self {
            errors,
            ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid-input", "The input does not fit", detail)
        }
    }

    /// 404: it is not there, or not to be seen.
    pub fn not_found(what: &str, id: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "This is not there", format!("there is no {what} `{id}`"))
    }

    /// 403: it is not allowed.
    pub fn forbidden(rule: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", "This is not allowed", rule)
    }

    fn with(mut self, fact: &str, value: Value) -> Self {
        self.facts.insert(fact.into(), value);
        self
    }

    /// The document as an answer that can be remembered.
    pub fn answer(&self) -> Answer {
        Answer {
            status: self.status,
            content_type: "application/problem+json".into(),
            body: serde_json::to_vec(self).expect("a problem encodes"),
            location: None,
            etag: None,
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self).expect("a problem encodes");
        let mut response = (status, [(header::CONTENT_TYPE, "application/problem+json")], body).into_response();
        if let Some(seconds) = self.retry_after_s {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<Trouble> for Problem {
    fn from(trouble: Trouble) -> Self {
        Self::from(&trouble)
    }
}

impl From<&Trouble> for Problem {
    fn from(trouble: &Trouble) -> Self {
        let detail = trouble.to_string();
        match trouble {
            Trouble::NotFound { what, id } => Self::not_found(what, id),
            Trouble::Names { pointer, .. } => {
                let problem = Self::invalid(vec![Misfit::new(pointer.clone(), detail.clone())]);
                Self { kind: "/problems/no-such-thing".into(), detail, ..problem }
            }
            Trouble::Rejected(rejection, process) => Self::rejected(rejection, process),
            Trouble::WrongVersion { found, .. } => Self::new(
                StatusCode::PRECONDITION_FAILED,
                "wrong-version",
                "It has changed since you looked",
                format!("{detail}; read it again"),
            )
            .with("version", json!(found)),
            Trouble::Input(errors) => {
                Self::invalid(errors.iter().map(|error| Misfit::new(&error.pointer, &error.detail)).collect())
            }
            Trouble::Schema(refusal) => Self::schema(refusal),
            Trouble::Component(error) => {
                let status = match error {
                    PublishError::NotWasm => StatusCode::BAD_REQUEST,
                    PublishError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
                    _ => StatusCode::UNPROCESSABLE_ENTITY,
                };
                let refused = Self::new(status, "component-refused", "This component cannot be published", detail);
                refused.with("reason", json!(error.slug()))
            }
            Trouble::Signature(_) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "signature-refused", "The signature is not enough", detail)
            }
            Trouble::Taken { what: "key", found, .. } => Self::new(
                StatusCode::CONFLICT,
                "key-taken",
                "This id stands for another key",
                format!("{detail}; an id stands for one key for good: give the new key a new id"),
            )
            .with("found", json!(found)),
            Trouble::Taken { found, .. } => Self::new(
                StatusCode::CONFLICT,
                "version-taken",
                "This version is there with other content",
                format!("{detail}; give the new content a new version"),
            )
            .with("found", json!(found)),
            Trouble::Conflict { pointer, .. } => {
                let errors = vec![Misfit::new(pointer.clone(), detail.clone())];
                let title = "This is there, and differs in a way that would lose work";
                Self { errors, ..Self::new(StatusCode::CONFLICT, "service-conflict", title, detail) }
            }
            Trouble::Service(refusal) => {
                Self::new(StatusCode::CONFLICT, refusal.rule, "The service does not take this step", detail)
            }
            Trouble::Closed(service) => Self::closed(service),
            Trouble::Refused(problem) => {
                let slug = problem.slug();
                let detail = problem.detail.clone();
                let refused = Self::new(StatusCode::CONFLICT, slug, "The Interlinker refuses", detail);
                let refused = refused.with("code", json!(slug));
                let refused = match problem.no_code() {
                    Some(given) => refused.with("no_code", json!(given)),
                    None => refused,
                };
                let errors = problem.pointer.iter().map(|pointer| Misfit::new(pointer, &problem.detail));
                let data = problem.data.as_deref().and_then(|data| serde_json::from_str(data).ok());
                let refused = Self { errors: errors.collect(), ..refused };
                match data {
                    Some(data) => refused.with("data", data),
                    None => refused,
                }
            }
            Trouble::Failed(fault) => {
                let limit = fault.limit();
                match fault {
                    Fault::Busy { .. } | Fault::Crowded { .. } | Fault::Aside { .. } => {
                        let busy = Self::new(StatusCode::TOO_MANY_REQUESTS, "busy", "Too much waits already", detail);
                        return Self { retry_after_s: Some(1), ..busy.with("limit", json!(limit)) };
                    }
                    Fault::OverBudget { owed_ms, ms_per_s, retry_after_s, .. } => {
                        let title = "This Interlinker has used its CPU time up";
                        let over = Self::new(StatusCode::TOO_MANY_REQUESTS, "interlinker-over-budget", title, detail);
                        let over = over.with("limit", json!(limit)).with("owed_ms", json!(owed_ms));
                        let over = over.with("ms_per_s", json!(ms_per_s));
                        return Self { retry_after_s: Some(*retry_after_s), ..over };
                    }
                    _ => {}
                }
                Self::new(StatusCode::BAD_GATEWAY, "interlinker-failed", "The Interlinker failed", detail)
                    .with("limit", json!(limit))
            }
            Trouble::Busy { retry_after_s, .. } => {
                let busy = Self::new(StatusCode::TOO_MANY_REQUESTS, "busy", "Too much waits already", detail);
                Self { retry_after_s: Some(*retry_after_s), ..busy }
            }
            Trouble::Paused { pause, .. } => {
                let paused = Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "interlinker-paused",
                    "This Interlinker is paused",
                    format!("{detail}; what happens by itself goes on when it is resumed"),
                );
                let paused = Self { retry_after_s: Some(60), ..paused };
                paused.with("paused_at", json!(crate::views::time(pause.at)))
            }
            Trouble::Failing { failures, last, retry_after_s, .. } => {
                let title = "This Interlinker fails";
                let failing = Self::new(StatusCode::SERVICE_UNAVAILABLE, "interlinker-failing", title, detail);
                let failing = failing.with("failures", json!(failures)).with("last", crate::views::last_failure(last));
                Self { retry_after_s: Some(*retry_after_s), ..failing }
            }
            Trouble::Quota { what, wanted, max, .. } => {
                let quota =
                    Self::new(StatusCode::CONFLICT, "quota-exceeded", "There would be more than there may be", detail);
                quota.with("limit", json!(what)).with("wanted", json!(wanted)).with("max", json!(max))
            }
            Trouble::Revoked { withdrawal, .. } => Self::new(
                StatusCode::CONFLICT,
                "interlinker-revoked",
                "This Interlinker was revoked",
                format!("{detail}; what it made can be looked at, and a version that was not revoked can be used"),
            )
            .with("reason", json!(withdrawal.reason))
            .with("revoked_at", json!(crate::views::time(withdrawal.at))),
            Trouble::InTheWay { slug, .. } => {
                Self::new(StatusCode::CONFLICT, slug, "Something stands in the way", detail)
            }
            Trouble::Forbidden { .. } => Self::forbidden(detail),
            Trouble::TooLarge(_) => {
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "This is too large to be written", detail)
            }
            Trouble::StateDamaged => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "state-damaged", "This cannot be told for now", detail)
            }
            Trouble::ReadOnly(_) => {
                let refused =
                    Self::new(StatusCode::SERVICE_UNAVAILABLE, "read-only", "Nothing is taken for now", detail);
                Self { retry_after_s: Some(5), ..refused }
            }
            Trouble::Unknown(reason) => {
                tracing::error!(reason, "a command's outcome is not known");
                let detail = format!("{detail}; repeat it with the same Idempotency-Key");
                let unknown = Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "outcome-unknown",
                    "It is not known whether this was done",
                    detail,
                );
                Self { retry_after_s: Some(5), ..unknown }
            }
            Trouble::Unread(_) => {
                tracing::error!(detail, "a reading failed");
                let title = "The disk cannot be read for now";
                let unread = Self::new(StatusCode::SERVICE_UNAVAILABLE, "disk-unreadable", title, detail);
                Self { retry_after_s: Some(5), ..unread }
            }
            Trouble::Lost { from, to, .. } => {
                Self::new(StatusCode::GONE, "history-lost", "This part of the history is lost", detail)
                    .with("lost", json!({"from": from, "to": to}))
            }
            Trouble::Damaged { .. } => {
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "damaged", "What is on disk is damaged", detail)
            }
        }
    }
}

impl Problem {
    /// A broken rule, with what it waits for by name.
    fn rejected(rejection: &Rejection, process: &Process) -> Self {
        let Rejection { rule, detail, waiting_for } = rejection;
        if matches!(rule, Rule::NoSuchItem | Rule::NoSuchAsset | Rule::NoSuchIncident) {
            return Self::new(StatusCode::NOT_FOUND, rule.slug(), rule.title(), detail.clone());
        }
        let status = match rule {
            Rule::DatesRefused | Rule::TooMuch => StatusCode::UNPROCESSABLE_ENTITY,
            Rule::MayNotVote => StatusCode::FORBIDDEN,
            _ => StatusCode::CONFLICT,
        };
        let problem = Self::new(status, rule.slug(), rule.title(), detail.clone());
        if waiting_for.is_empty() {
            return problem;
        }
        let language = crate::language::Wanted::default();
        let waiting = waiting_for.iter().map(|item| crate::views::brief(process, *item, &language));
        let waiting: Vec<_> = waiting.collect();
        problem.with("waiting_for", json!(waiting))
    }

    /// A service that is not open, in the words of whom it serves.
    fn closed(service: &Service) -> Self {
        let name = &service.name;
        let step = service.last_move();
        let because =
            step.and_then(|step| step.reason.as_ref()).map(|reason| format!(": {reason}")).unwrap_or_default();
        let problem = match service.status {
            ServiceStatus::Paused => {
                let detail = format!("`{name}` is closed for a while{because}; come back later");
                let title = "This service is closed for a while";
                let paused = Self::new(StatusCode::SERVICE_UNAVAILABLE, "service-paused", title, detail);
                Self { retry_after_s: Some(PAUSED_RETRY_S), ..paused }
            }
            ServiceStatus::Retired => {
                let detail = format!("`{name}` was ended for good{because}");
                Self::new(StatusCode::GONE, "service-retired", "This service is over", detail)
            }
            ServiceStatus::Deployed | ServiceStatus::Active => {
                let detail = format!("`{name}` is not open yet; it will be when an operator activates it");
                Self::new(StatusCode::NOT_FOUND, "service-not-active", "This service is not open yet", detail)
            }
        };
        match step {
            Some(step) => problem.with("since", json!(crate::views::time(step.at))),
            None => problem,
        }
    }

    /// A refused schema, every finding with its place.
    pub fn schema(refusal: &Refusal) -> Self {
        let detail = refusal.to_string();
        let (status, slug, title) = match refusal.kind {
            RefusalKind::Malformed => (StatusCode::BAD_REQUEST, "malformed", "This cannot be read"),
            RefusalKind::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "too-large", "This is too large"),
            RefusalKind::Invalid => {
                (StatusCode::UNPROCESSABLE_ENTITY, "invalid-schema", "This is not a schema that can be run")
            }
        };
        let errors = refusal.findings.iter().cloned().map(Misfit::from).collect();
        Self { errors, ..Self::new(status, slug, title, detail) }
    }
}

/// When to come back to a service that is paused, in seconds: a person has to open it again.
const PAUSED_RETRY_S: u32 = 60;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_cannot_be_read_is_no_defect_and_no_damage() {
        let problem = Problem::from(Trouble::Unread("reading journal/x: Input/output error".into()));
        assert_eq!((problem.status, problem.kind.as_str()), (503, "/problems/disk-unreadable"));
        assert_eq!(problem.retry_after_s, Some(5));
        assert!(problem.detail.contains("journal/x"));
    }

    fn refused(code: &str) -> Problem {
        let refused = interlink_host::Problem { code: code.into(), detail: "no".into(), pointer: None, data: None };
        Problem::from(Trouble::Refused(refused))
    }

    #[test]
    fn what_an_interlinker_refuses_says_its_code_and_nothing_is_made_of_one_that_is_none() {
        let said = |problem: &Problem| ["code", "no_code"].map(|fact| problem.facts.get(fact).cloned());
        // The host has this slug, too: that there is a code says who speaks.
        let voted = refused("already-voted");
        assert_eq!((voted.status, voted.kind.as_str()), (409, "/problems/already-voted"));
        assert_eq!(said(&voted), [Some(json!("already-voted")), None]);
        for given in ["Already Voted", "", "../../me"] {
            let problem = refused(given);
            assert_eq!((problem.status, problem.kind.as_str()), (409, "/problems/refused"));
            assert_eq!(said(&problem), [Some(json!("refused")), Some(json!(given))]);
        }
        let own = Problem::not_found("process", "x");
        assert_eq!(said(&own), [None, None]);
    }
}
