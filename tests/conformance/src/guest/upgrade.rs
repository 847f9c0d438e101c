//! From one version to the next: what the earlier one left, the later one takes over.

use std::sync::Arc;

use interlink_host::{Answers, Entry, Interlinker};
use interlink_model::manifest::Manifest;
use serde_json::{Value, json};

use super::{Asset, Checking, Ended, Findings, Mood, TAKES_OVER, after, ended, samples, told};

impl Checking<'_> {
    /// Has the assets that an earlier version makes and uses move to this one, and uses them on.
    pub(super) fn takes_over(&mut self, earlier: &Arc<Interlinker>) {
        let (from, to) = (earlier.manifest(), self.guest.manifest().clone());
        if from.name != to.name || from.version >= to.version {
            let what = format!(
                "`{}` {} is no earlier version of `{}` {}: an asset moves to a newer version of its own",
                from.name, from.version, to.name, to.version
            );
            return self.findings.add(TAKES_OVER, what);
        }
        let mut nobody_asks = Findings::default();
        let (host, guest, answers) = (self.host.clone(), Arc::clone(earlier), Answers::default());
        let before = Checking { host, guest, answers, findings: &mut nobody_asks };
        let left: Vec<_> = before.left().into_iter().map(|asset| (before.shown(&asset), asset)).collect();
        if left.is_empty() {
            self.findings.add(TAKES_OVER, format!("{} makes no asset that could move", from.version));
        }
        for (shown, asset) in left {
            let Some(moved) = self.moved(from, &asset) else { continue };
            self.same(from, &to, shown, &moved);
            self.rings_on(&moved);
            self.used(&to, moved);
        }
    }

    /// Assets as this version leaves them: the first and the last that can be made, new and when all was done with them.
    fn left(&self) -> Vec<Asset> {
        let manifest = self.guest.manifest();
        let makes = samples::inputs(&manifest.instantiate.input).into_iter();
        let makes = makes.filter(|input| self.guest.check_instantiate(input).is_ok());
        let made: Vec<_> =
            makes.filter_map(|input| self.done(&Entry::Instantiate { input }, &Asset::default())).collect();
        let chosen = made.first().into_iter().chain(made.get(1..).and_then(<[_]>::last));
        chosen.flat_map(|made| [made.clone(), self.lived(made.clone())]).collect()
    }

    /// An asset with which all was done that can be.
    fn lived(&self, mut asset: Asset) -> Asset {
        for action in &self.guest.manifest().actions {
            for input in samples::inputs(&action.input) {
                if self.guest.check_action(&action.name, &input).is_ok() {
                    let entry = Entry::Action { name: action.name.clone(), input };
                    asset = self.done(&entry, &asset).unwrap_or(asset);
                }
            }
        }
        asset
    }

    /// An asset after a call; nothing where that was not done.
    fn done(&self, entry: &Entry, asset: &Asset) -> Option<Asset> {
        self.call(entry, asset, Mood::Granting, Vec::new()).0.result.ok().map(|done| after(asset, done))
    }

    /// What an asset shows to whoever asks for nothing more.
    fn shown(&self, asset: &Asset) -> Option<Value> {
        let entry = Entry::View { query: json!({}) };
        self.guest.check_view(&json!({})).ok()?;
        self.call(&entry, asset, Mood::Granting, Vec::new()).0.result.ok().map(|done| done.output)
    }

    /// An asset that has moved. One that brings nothing over keeps its state as it is.
    fn moved(&mut self, from: &Manifest, asset: &Asset) -> Option<Asset> {
        if !self.guest.migrates() {
            return Some(asset.clone());
        }
        let entry = Entry::Migrate { version: from.version.to_string() };
        if let Ended::Refused(code, detail) = ended(&self.call(&entry, asset, Mood::Granting, Vec::new()).0) {
            let what = format!("{}: it refuses what {} left, `{code}`: {detail:.200}", told(&entry), from.version);
            self.findings.add(TAKES_OVER, what);
        }
        let moved = self.tried(entry, asset).map(|done| after(asset, done))?;
        if moved.state.is_empty() && !asset.state.is_empty() {
            let what = format!("of the {} keys that {} left nothing is there", asset.state.len(), from.version);
            self.findings.add(TAKES_OVER, what);
        }
        Some(moved)
    }

    /// What both versions show in the same form is the same.
    fn same(&mut self, from: &Manifest, to: &Manifest, before: Option<Value>, moved: &Asset) {
        let (Some(before), Some(now)) = (before, self.shown(moved)) else { return };
        let forms = |manifest: &Manifest| manifest.view.output["properties"].as_object().cloned().unwrap_or_default();
        let (earlier, later) = (forms(from), forms(to));
        for (name, form) in &earlier {
            let is_shown = later.get(name) == Some(form) && is_whole(form);
            if is_shown && before[name] != now[name] {
                let what =
                    format!("`{name}` of its view was {:.100} and is {:.100}", text(&before[name]), text(&now[name]));
                self.findings.add(TAKES_OVER, what);
            }
        }
    }

    /// Alarms that were set ring here.
    fn rings_on(&mut self, asset: &Asset) {
        let known = &self.guest.manifest().alarms;
        let lost: Vec<_> = asset.alarms.iter().filter(|name| !known.contains(name)).cloned().collect();
        for name in lost {
            self.findings.add(TAKES_OVER, format!("the alarm `{name}` is set, and it has none of this name"));
        }
    }
}

fn text(value: &Value) -> String {
    value.to_string()
}

/// Whether a form says all of itself: what refers to definitions may be something else in another version.
fn is_whole(form: &Value) -> bool {
    !form.to_string().contains("\"$ref\"")
}
