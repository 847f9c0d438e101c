//! Organizations.

use interlink_model::organization::Organization;
use interlink_runtime::quota_of;
use interlink_runtime::usage::held::{Held, Quota};
use serde_json::{Value, json};

use super::time;

/// What assets hold.
pub fn held(held: Held) -> Value {
    json!({"assets": held.assets, "state_bytes": held.state_bytes})
}

/// How much they may hold.
pub fn quota(quota: Quota) -> Value {
    json!({"assets": quota.assets, "state_bytes": quota.state_bytes})
}

/// Shows an organization.
pub fn organization(organization: &Organization, holds: Held) -> Value {
    json!({
        "id": organization.id.to_string(),
        "name": organization.name,
        "kind": organization.kind.as_str(),
        "held": held(holds),
        "quota": quota(quota_of(organization)),
        "version": organization.version,
        "created_by": organization.registered_by.to_string(),
        "created_at": time(organization.registered_at),
    })
}
