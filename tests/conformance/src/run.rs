//! A case is run against a subject, step by step, and held to what must come of it.
//!
//! Besides what a case says, after each call that was not done the asset has to be as it was: its version, what is
//! shown of it, its state where its view shows it, and what people were told. And after every case a well-behaved
//! neighbour has to be served.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::case::{Case, Comes, Component, Is, Step};
use crate::hand::Guest;
use crate::hand::asking::Asking;
use crate::outside::Outside;
use crate::subject::{Act, Asked, Came, Place, Subject, Told};

/// What came of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// All that must be so is so.
    Kept,
    /// Something is not.
    Broken(String),
    /// The subject cannot be asked this.
    NotAsked(String),
}

/// Where cases are run: a subject, a service outside, a neighbour.
pub struct Stage<'s> {
    subject: &'s mut dyn Subject,
    outside: Outside,
    /// Begins the names of all that this run publishes.
    prefix: String,
    cases: usize,
    neighbour: Option<String>,
}

/// What there is in one case.
struct Scene {
    /// Names of its guests, by their numbers.
    names: Vec<String>,
    /// Assets by what the case calls them: their ids, and whether their view shows their state.
    assets: BTreeMap<&'static str, (String, bool)>,
    me: String,
}

/// How an asset is.
#[derive(Debug, PartialEq)]
struct Witness {
    shown: Value,
    state: Option<Value>,
    messages: Vec<String>,
}

impl<'s> Stage<'s> {
    /// Begins a run, whose name no other run on this subject has.
    ///
    /// # Errors
    ///
    /// When there is no port for the service outside.
    pub fn new(subject: &'s mut dyn Subject, run: &str) -> std::io::Result<Self> {
        let prefix = format!("conformance-{run}");
        Ok(Self { subject, outside: Outside::start()?, prefix, cases: 0, neighbour: None })
    }

    /// Runs a case.
    pub fn run(&mut self, case: &Case) -> Verdict {
        self.cases += 1;
        if let Err(reason) = self.subject.prepare(&case.needs) {
            return Verdict::NotAsked(reason.0);
        }
        self.outside.forget();
        let played = self.play(case);
        let served = self.subject.prepare(&[]).map_err(|reason| reason.0).and_then(|()| self.serves());
        match (played, served) {
            (Err(broken), _) => Verdict::Broken(broken),
            (_, Err(broken)) => Verdict::Broken(format!("afterwards a neighbour is not served: {broken}")),
            _ => Verdict::Kept,
        }
    }

    /// A neighbour is served as if nothing had been.
    fn serves(&mut self) -> Told<()> {
        let asset = match &self.neighbour {
            Some(asset) => asset.clone(),
            None => {
                let name = format!("{}-neighbour", self.prefix);
                let guest = Asking::new().count("").set("here", b"1").whole().saying("name", json!(name));
                if let Some(slug) = self.subject.publish(&guest.bytes())? {
                    return Err(format!("it is not even published: {slug}"));
                }
                let (asset, came) = self.subject.make(&name, Place::Here, &json!("before"))?;
                held(&Comes::Done, &came)?;
                self.neighbour.insert(asset).clone()
            }
        };
        let act = Act { asset: asset.clone(), action: "go".into(), input: json!({}) };
        held(&Comes::Done, &self.subject.act(&act)?)?;
        let state = self.state(&asset)?;
        is("here", &Is::Text("1".into()), found(&state, "here").as_ref())
    }

    fn play(&mut self, case: &Case) -> Told<()> {
        let names = (0..case.components.len()).map(|number| format!("{}-{}-{number}", self.prefix, self.cases));
        let mut scene = Scene { names: names.collect(), assets: BTreeMap::new(), me: self.subject.me()? };
        for (number, step) in case.steps.iter().enumerate() {
            self.step(case, &mut scene, step).map_err(|broken| {
                let told = format!("{step:?}");
                format!("step {} ({}): {broken}", number + 1, told.chars().take(160).collect::<String>())
            })?;
        }
        Ok(())
    }

    fn step(&mut self, case: &Case, scene: &mut Scene, step: &Step) -> Told<()> {
        match step {
            Step::Publish(number, slug) => self.publish(case, scene, *number, *slug),
            Step::Grant(number, grants) => {
                let grants = self.filled(scene, grants);
                self.subject.grant(&scene.names[*number], &grants)
            }
            Step::Secret(name, value) => self.subject.secret(name, value),
            Step::Settings(number, settings, comes) => {
                held(comes, &self.subject.settings(&scene.names[*number], settings)?)
            }
            Step::Make { asset, of, place, input, comes } => {
                let input = self.filled(scene, input);
                let (id, came) = self.subject.make(&scene.names[*of], *place, &input)?;
                let shows = matches!(&case.components[*of], Component::Guest(guest) if guest.shows_state());
                scene.assets.insert(asset, (id, shows));
                held(comes, &came)
            }
            Step::Act { asset, action, input, comes } => {
                let act = self.to_act(scene, asset, action, input)?;
                self.unharmed(scene, asset, comes, |subject| subject.act(&act))
            }
            Step::Again { asset, action, input, comes } => {
                let act = self.to_act(scene, asset, action, input)?;
                self.unharmed(scene, asset, comes, |subject| subject.run_again(&act))
            }
            Step::AtOnce { assets, action, input, times, fails } => {
                let asked = assets.iter().map(|asset| match action {
                    Some(action) => self.to_act(scene, asset, action, input).map(Asked::Act),
                    None => scene.id(asset).map(Asked::View),
                });
                let asked = asked.collect::<Told<Vec<_>>>()?;
                let asked: Vec<_> = (0..*times).flat_map(|_| asked.clone()).collect();
                at_once(&self.subject.at_once(&asked)?, fails)
            }
            Step::View(asset, comes) => {
                let id = scene.id(asset)?;
                self.unharmed(scene, asset, comes, |subject| subject.view(&id, &json!({})))
            }
            Step::Upgrade(asset, version, comes) => {
                let id = scene.id(asset)?;
                self.unharmed(scene, asset, comes, |subject| subject.upgrade(&id, version))
            }
            Step::PutBlob(asset, media_type, content, comes) => {
                let id = scene.id(asset)?;
                held(comes, &self.subject.put_blob(&id, media_type, content)?)
            }
            Step::FillBlobs { asset, many, bytes } => {
                let id = scene.id(asset)?;
                (0..*many).try_for_each(|number| {
                    let mut content = number.to_le_bytes().to_vec();
                    content.resize(*bytes, 0);
                    let came = self.subject.put_blob(&id, "application/octet-stream", &content)?;
                    held(&Comes::Done, &came).map_err(|broken| format!("blob {}: {broken}", number + 1))
                })
            }
            Step::Ring(asset) => self.subject.ring(&scene.id(asset)?),
            Step::RingAtWill(asset, alarm, comes) => {
                let id = scene.id(asset)?;
                self.unharmed(scene, asset, comes, |subject| subject.ring_at_will(&id, alarm))
            }
            _ => self.look(scene, step),
        }
    }

    /// Steps that change nothing.
    fn look(&mut self, scene: &Scene, step: &Step) -> Told<()> {
        match step {
            Step::Keeps(asset, key, is_so) => {
                let state = self.state(&scene.id(asset)?)?;
                let is_so = self.filled_text(scene, is_so);
                is(key, &is_so, found(&state, key).as_ref())
            }
            Step::Has(asset, pointer, is_so) => {
                let shown = self.subject.asset(&scene.id(asset)?)?;
                let field = shown.pointer(pointer).map(text_of);
                is(pointer, is_so, field.map(|text| (text.len(), text.into_bytes())).as_ref())
            }
            Step::Heard(is_so) => {
                let heard = json!(self.subject.messages()?).to_string().into_bytes();
                is("what was told", is_so, Some(&(heard.len(), heard)))
            }
            Step::Noted(asset, is_so) => {
                let noted = json!(self.subject.noted(&scene.id(asset)?)?).to_string().into_bytes();
                is("what was noted", is_so, Some(&(noted.len(), noted)))
            }
            Step::Logged(many, longest) => {
                let lines = self.subject.logs()?;
                let found = (lines.len(), lines.iter().map(|(_, line)| line.len()).max().unwrap_or(0));
                if found == (*many, *longest) { Ok(()) } else { Err(format!("lines, and the longest: {found:?}")) }
            }
            Step::Arrived(path, many) => {
                let found = self.outside.arrived(path);
                if found == *many { Ok(()) } else { Err(format!("{found} requests have arrived")) }
            }
            Step::AtOnceOutside(most) => {
                let found = self.outside.most();
                if found == *most { Ok(()) } else { Err(format!("{found} were there at once")) }
            }
            other => Err(format!("{other:?} is no look")),
        }
    }

    fn publish(&mut self, case: &Case, scene: &Scene, number: usize, slug: Option<&str>) -> Told<()> {
        let bytes = match &case.components[number] {
            Component::Bytes(bytes) => bytes.clone(),
            Component::Guest(guest) => self.named(scene, guest, number),
        };
        match (self.subject.publish(&bytes)?, slug) {
            (None, None) => Ok(()),
            (Some(found), Some(slug)) if found == slug => Ok(()),
            (None, Some(slug)) => Err(format!("it was published, and not refused with `{slug}`")),
            (Some(found), _) => Err(format!("it was refused with `{found}`")),
        }
    }

    /// A guest under its name. Later versions of one bear its name.
    fn named(&self, scene: &Scene, guest: &Guest, number: usize) -> Vec<u8> {
        let first = if guest.is_later() { 0 } else { number };
        guest.clone().named(&scene.names[first]).bytes()
    }

    fn to_act(&self, scene: &Scene, asset: &str, action: &str, input: &Value) -> Told<Act> {
        Ok(Act { asset: scene.id(asset)?, action: action.into(), input: self.filled(scene, input) })
    }

    /// Does something with an asset; where it is not done, nothing of it is left.
    fn unharmed(
        &mut self,
        scene: &Scene,
        asset: &str,
        comes: &Comes,
        does: impl FnOnce(&mut dyn Subject) -> Told<Came>,
    ) -> Told<()> {
        let before = self.witness(scene, asset)?;
        let came = does(&mut *self.subject)?;
        held(comes, &came)?;
        if matches!(came, Came::Done(_)) {
            return Ok(());
        }
        let after = self.witness(scene, asset)?;
        if before == after { Ok(()) } else { Err(format!("{came}, and the asset is not as it was: {after:?}")) }
    }

    fn witness(&mut self, scene: &Scene, asset: &str) -> Told<Witness> {
        let (id, shows) = scene.assets.get(asset).cloned().ok_or_else(|| format!("there is no asset {asset}"))?;
        let state = if shows { Some(self.state(&id)?) } else { None };
        Ok(Witness { shown: self.subject.asset(&id)?, state, messages: self.subject.messages()? })
    }

    /// The state of an asset whose view shows it.
    fn state(&mut self, asset: &str) -> Told<Value> {
        match self.subject.view(asset, &json!({}))? {
            Came::Done(state) => Ok(state),
            other => Err(format!("its view was to show its state, and {other}")),
        }
    }

    /// A value with what stands for its placeholders.
    fn filled(&self, scene: &Scene, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.fill(scene, text)),
            Value::Array(values) => values.iter().map(|value| self.filled(scene, value)).collect(),
            Value::Object(fields) => {
                fields.iter().map(|(name, value)| (name.clone(), self.filled(scene, value))).collect()
            }
            other => other.clone(),
        }
    }

    fn filled_text(&self, scene: &Scene, is: &Is) -> Is {
        match is {
            Is::Text(text) => Is::Text(self.fill(scene, text)),
            other => other.clone(),
        }
    }

    fn fill(&self, scene: &Scene, text: &str) -> String {
        let port = self.outside.port();
        let text = text.replace("{outside}", &format!("http://127.0.0.1:{port}"));
        let mut text = text.replace("{port}", &port.to_string()).replace("{me}", &scene.me);
        for (number, name) in scene.names.iter().enumerate() {
            text = text.replace(&format!("{{name:{number}}}"), name);
        }
        for (asset, (id, _)) in &scene.assets {
            text = text.replace(&format!("{{asset:{asset}}}"), id);
        }
        text
    }
}

impl Scene {
    fn id(&self, asset: &str) -> Told<String> {
        self.assets.get(asset).map(|(id, _)| id.clone()).ok_or_else(|| format!("there is no asset {asset}"))
    }
}

/// Holds what came to what must come.
fn held(comes: &Comes, came: &Came) -> Told<()> {
    let is_so = match (comes, came) {
        (Comes::Done, Came::Done(_)) => true,
        (Comes::Answer(answer), Came::Done(found)) => answer == found,
        (Comes::Refused(code), Came::Refused(found)) | (Comes::NotTaken(code), Came::NotTaken(found)) => code == found,
        (Comes::Failed(words), Came::Failed(found)) => words.contains(&found.as_str()),
        _ => false,
    };
    if is_so { Ok(()) } else { Err(came.to_string()) }
}

/// Holds what came side by side: what is not done failed with one of these words, and some with the first of them.
fn at_once(came: &[Came], fails: &[&str]) -> Told<()> {
    let word = |came: &Came| match came {
        Came::Failed(word) => fails.iter().copied().find(|known| known == word),
        _ => None,
    };
    if let Some(wrong) = came.iter().find(|came| !matches!(came, Came::Done(_)) && word(came).is_none()) {
        return Err(wrong.to_string());
    }
    match fails.first() {
        Some(first) if !came.iter().any(|came| word(came) == Some(*first)) => {
            Err(format!("none of {} failed with `{first}`", came.len()))
        }
        _ => Ok(()),
    }
}

/// A value of a state as its view shows it: its size, and its beginning.
fn found(state: &Value, key: &str) -> Option<(usize, Vec<u8>)> {
    let digits: String = key.bytes().map(|byte| format!("{byte:02x}")).collect();
    let entry = state.as_array()?.iter().find(|entry| entry[0] == json!(digits))?;
    let size = usize::from_str_radix(entry[1].as_str()?, 16).ok()?;
    let value = entry[2].as_str()?;
    let bytes = (0..value.len()).step_by(2).filter_map(|at| u8::from_str_radix(value.get(at..at + 2)?, 16).ok());
    Some((size, bytes.collect()))
}

fn is(what: &str, is: &Is, found: Option<&(usize, Vec<u8>)>) -> Told<()> {
    let text = found.map(|(_, bytes)| String::from_utf8_lossy(bytes).into_owned());
    let is_so = match (is, found) {
        (Is::Absent, found) => found.is_none(),
        (_, None) => false,
        (Is::There, Some(_)) => true,
        (Is::Text(wanted), Some((_, bytes))) => wanted.as_bytes() == bytes,
        (Is::Bytes(wanted), Some((_, bytes))) => wanted == bytes,
        (Is::Size(wanted), Some((size, _))) => wanted == size,
        (Is::With(part), Some(_)) => text.as_ref().is_some_and(|text| text.contains(part)),
        (Is::Without(part), Some(_)) => text.as_ref().is_some_and(|text| !text.contains(part)),
    };
    let shown = text.map_or("not there".into(), |text| format!("{:?}", text.chars().take(300).collect::<String>()));
    if is_so { Ok(()) } else { Err(format!("{what} is {shown}")) }
}

fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_is_held_to_what_must_come() {
        let done = Came::Done(json!(1));
        assert!(held(&Comes::Done, &done).is_ok() && held(&Comes::Answer(json!(1)), &done).is_ok());
        assert!(held(&Comes::Answer(json!(2)), &done).is_err());
        assert!(held(&Comes::Failed(&["fuel"]), &done).is_err());
        let failed = Came::Failed("fuel".into());
        assert!(held(&Comes::Failed(&["stack", "fuel"]), &failed).is_ok());
        assert!(held(&Comes::Done, &failed).is_err() && held(&Comes::Failed(&["stack"]), &failed).is_err());
        let refused = Came::Refused("no".into());
        assert!(held(&Comes::Refused("no"), &refused).is_ok() && held(&Comes::NotTaken("no"), &refused).is_err());
    }

    #[test]
    fn side_by_side_some_fail_where_they_must() {
        let (done, busy) = (Came::Done(json!(null)), Came::Failed("busy".into()));
        assert!(at_once(&[done.clone(), busy.clone()], &["busy"]).is_ok());
        assert!(
            at_once(std::slice::from_ref(&done), &["busy"]).is_err()
                && at_once(&[done.clone(), busy.clone()], &[]).is_err()
        );
        assert!(at_once(&[busy], &["cpu", "busy"]).is_err() && at_once(&[done], &[]).is_ok());
    }

    #[test]
    fn a_state_is_read_as_its_view_shows_it() {
        let state = json!([["6b", "00000003", "616263"]]);
        assert_eq!(found(&state, "k"), Some((3, b"abc".to_vec())));
        assert_eq!(found(&state, "l"), None);
        let found = found(&state, "k");
        assert!(is("k", &Is::Text("abc".into()), found.as_ref()).is_ok());
        assert!(is("k", &Is::With("d"), found.as_ref()).is_err() && is("k", &Is::Absent, found.as_ref()).is_err());
    }
}
