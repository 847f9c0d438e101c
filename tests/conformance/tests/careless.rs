//! Hosts that are careless in one thing each: the cases have to see it.

use std::sync::Arc;

use interlink_conformance::{
    Act, Asked, Came, Group, InProcess, Names, Need, NotAsked, Place, Stage, Subject, Told, Verdict, cases,
};
use interlink_host::{HttpRequest, HttpResponse, Outbound, OutboundError};
use serde_json::{Value, json};

/// Nobody outside.
struct Nobody;

impl Outbound for Nobody {
    fn send(&self, _: &HttpRequest) -> Result<HttpResponse, OutboundError> {
        Err(OutboundError::Timeout)
    }
}

/// In what a host is careless.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    /// In nothing.
    Not,
    /// It takes every component.
    TakesAll,
    /// It says that every call was done.
    SaysDone,
    /// It keeps a trace of calls that failed.
    KeepsTrace,
    /// It grants every Interlinker what each was granted.
    GrantsAll,
    /// It rings no alarm.
    RingsNone,
    /// It names every limit the same.
    OneWord,
    /// It serves nobody any more once a call has failed.
    Stops,
}

struct Careless {
    host: InProcess,
    how: How,
    failed: u64,
    made: Vec<String>,
}

impl Careless {
    fn new(how: How) -> Self {
        let host = InProcess::new(Arc::new(Nobody), Arc::new(Names::default())).expect("a host can be made");
        Self { host, how, failed: 0, made: Vec::new() }
    }

    fn told(&mut self, came: Came) -> Came {
        if matches!(came, Came::Failed(_)) {
            self.failed += 1;
        }
        match (self.how, came) {
            (How::SaysDone, Came::Failed(_) | Came::NotTaken(_)) => Came::Done(json!(null)),
            (How::OneWord, Came::Failed(_)) => Came::Failed("limit".into()),
            (_, came) => came,
        }
    }
}

impl Subject for Careless {
    fn name(&self) -> String {
        format!("{:?}", self.how)
    }

    fn prepare(&mut self, needs: &[Need]) -> Result<(), NotAsked> {
        match needs.first() {
            Some(need) => Err(NotAsked(need.to_string())),
            None => self.host.prepare(needs),
        }
    }

    fn me(&mut self) -> Told<String> {
        self.host.me()
    }

    fn publish(&mut self, component: &[u8]) -> Told<Option<String>> {
        let came = self.host.publish(component)?;
        Ok(came.filter(|_| self.how != How::TakesAll))
    }

    fn grant(&mut self, interlinker: &str, grants: &Value) -> Told<()> {
        self.host.grant(interlinker, grants)
    }

    fn secret(&mut self, name: &str, value: &str) -> Told<()> {
        if self.how == How::GrantsAll {
            for interlinker in &self.made {
                self.host.grant(interlinker, &json!({ "secrets": [name] }))?;
            }
        }
        self.host.secret(name, value)
    }

    fn settings(&mut self, interlinker: &str, settings: &Value) -> Told<Came> {
        self.host.settings(interlinker, settings)
    }

    fn make(&mut self, interlinker: &str, place: Place, input: &Value) -> Told<(String, Came)> {
        if self.how == How::GrantsAll {
            self.host.grant(interlinker, &json!({"people": true, "notify": true}))?;
            self.made.push(interlinker.into());
        }
        self.host.make(interlinker, place, input)
    }

    fn act(&mut self, act: &Act) -> Told<Came> {
        if self.how == How::Stops && self.failed > 0 {
            return Ok(Came::NotTaken("stopped".into()));
        }
        let came = self.host.act(act)?;
        Ok(self.told(came))
    }

    fn at_once(&mut self, asked: &[Asked]) -> Told<Vec<Came>> {
        self.host.at_once(asked)
    }

    fn view(&mut self, asset: &str, query: &Value) -> Told<Came> {
        let came = self.host.view(asset, query)?;
        Ok(self.told(came))
    }

    fn asset(&mut self, asset: &str) -> Told<Value> {
        let mut shown = self.host.asset(asset)?;
        if self.how == How::KeepsTrace {
            shown["state_version"] = json!(shown["state_version"].as_u64().unwrap_or(0) + self.failed);
        }
        Ok(shown)
    }

    fn put_blob(&mut self, asset: &str, media_type: &str, content: &[u8]) -> Told<Came> {
        self.host.put_blob(asset, media_type, content)
    }

    fn upgrade(&mut self, asset: &str, version: &str) -> Told<Came> {
        self.host.upgrade(asset, version)
    }

    fn ring(&mut self, asset: &str) -> Told<()> {
        if self.how == How::RingsNone { Ok(()) } else { self.host.ring(asset) }
    }

    fn messages(&mut self) -> Told<Vec<String>> {
        self.host.messages()
    }

    fn noted(&mut self, asset: &str) -> Told<Vec<(String, i64)>> {
        self.host.noted(asset)
    }
}

/// Cases of a group that a host breaks which is careless in this, of those that are soon over.
fn broken(how: How, group: Group) -> Vec<&'static str> {
    let mut host = Careless::new(how);
    let mut stage = Stage::new(&mut host, "careless").expect("a port");
    let cases = cases::all();
    let soon = cases.iter().filter(|case| case.group == group && !case.words().contains(&"fuel"));
    soon.filter(|case| matches!(stage.run(case), Verdict::Broken(_))).map(|case| case.name).collect()
}

#[track_caller]
fn sees(how: How, group: Group, at_least: usize) {
    let broken = broken(how, group);
    assert!(broken.len() >= at_least, "{how:?}: {broken:?} of {group:?}");
}

#[test]
fn a_host_that_is_careless_in_nothing_breaks_nothing() {
    for group in [Group::Import, Group::Deputy, Group::Value, Group::Fishing] {
        assert_eq!(broken(How::Not, group), [] as [&str; 0]);
    }
}

#[test]
fn a_host_that_takes_every_component_is_seen() {
    sees(How::TakesAll, Group::Component, 20);
    sees(How::TakesAll, Group::World, 5);
}

#[test]
fn a_host_that_says_done_whatever_came_is_seen() {
    sees(How::SaysDone, Group::Value, 15);
}

#[test]
fn a_host_that_keeps_something_of_a_call_that_failed_is_seen() {
    sees(How::KeepsTrace, Group::Abuse, 20);
}

#[test]
fn a_host_that_grants_to_one_what_another_was_granted_is_seen() {
    sees(How::GrantsAll, Group::Deputy, 1);
    sees(How::GrantsAll, Group::Abuse, 2);
    sees(How::GrantsAll, Group::Fishing, 1);
}

#[test]
fn a_host_that_rings_no_alarm_is_seen() {
    assert_eq!(broken(How::RingsNone, Group::Import), ["an alarm rings once, with its name"]);
}

#[test]
fn a_host_that_tells_no_limit_from_another_is_seen() {
    sees(How::OneWord, Group::Limit, 10);
}

#[test]
fn a_host_that_serves_nobody_after_a_failure_is_seen() {
    sees(How::Stops, Group::Limit, 10);
}
