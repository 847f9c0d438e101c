//! What happens to a call that asks the world outside its asset.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{InterlinkerRef, UseOutcome};
use crate::events;
use crate::id::{AssetId, PersonId, ProcessId};
use crate::sealed::Sealed;

/// Under which idempotency key a call was asked for: its answer is remembered there, whoever ends it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnswerScope {
    /// The stream of the key.
    #[serde(with = "serde_bytes")]
    pub stream: Vec<u8>,
    /// The version that the answer takes there.
    pub version: u64,
    /// An HMAC of the request's body.
    #[serde(with = "serde_bytes")]
    pub body_mac: Vec<u8>,
    /// Who asked.
    pub person: PersonId,
    /// Whether as an operator.
    pub operator: bool,
    /// Number of their key.
    pub key: u64,
}

/// What a call is that is no instantiation, no action and no alarm. It asks nobody outside, and is recorded only where it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Aside {
    /// It shows the asset; its input is the query.
    View,
    /// It brings the asset's state to what this version reads; its input is the version that left it.
    Migration,
}

events! {
    /// What happens to a call.
    CallEvent {
        /// A call is about to ask the world outside its asset for something, for the first time.
        CallStarted {
            /// Of which Interlinker, in which version.
            pub interlinker: InterlinkerRef,
            /// On which process.
            pub process: ProcessId,
            /// On which task.
            pub task: String,
            /// On which asset: of an instantiation, the one that it makes.
            pub asset: AssetId,
            /// The version of the asset that the call sees; absent for an instantiation.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub version: Option<u64>,
            /// The action; absent for an instantiation.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub action: Option<String>,
            /// What it was called with.
            pub input: Sealed<Value>,
            /// What a new asset is called.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub name: Option<Sealed<String>>,
            /// The language to answer in.
            pub language: String,
            /// The effect for which it is made.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub effect: Option<u64>,
            /// Where its answer is remembered.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub answer: Option<AnswerScope>,
            /// The service at whose door it is made.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub service: Option<String>,
            /// Whether `action` is the name of an alarm that rings.
            #[serde(default, skip_serializing_if = "std::ops::Not::not")]
            pub alarm: bool,
            /// What it is besides; absent for an instantiation, an action and an alarm.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub aside: Option<Aside>,
            /// The settings and grants that the call began with, where there were any.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub given: Option<Sealed<Value>>,
        } sealed(input, name, given),
        /// The world answered: recorded before the Interlinker saw it.
        CallAnswered {
            /// Which of its questions, from 1.
            pub number: u32,
            /// `clock`, `random`, `http`, `secret`, `people` or `asset`.
            pub kind: String,
            /// The question.
            pub request: Sealed<serde_bytes::ByteBuf>,
            /// The answer.
            pub answer: Sealed<serde_bytes::ByteBuf>,
        } sealed(request, answer),
        /// The Interlinker failed in it: kept for whoever writes it, who can run it again.
        CallFailed {
            /// The limit that it crossed, or `trap`.
            pub limit: String,
            /// What it said, with its place.
            pub detail: Sealed<String>,
            /// What it logged: a list of level and line.
            pub logs: Sealed<Value>,
        } sealed(detail, logs),
        /// The call ended, in the append of what came of it.
        CallEnded {
            /// How.
            pub outcome: UseOutcome,
        } sealed(),
    }
}

events! {
    /// What happens to a secret.
    SecretEvent {
        /// A secret was set.
        SecretSet {
            /// Its name.
            pub name: String,
            /// The secret.
            pub value: Sealed<String>,
        } sealed(value),
        /// A secret was removed.
        SecretRemoved {
            /// Its name.
            pub name: String,
        } sealed(),
    }
}
