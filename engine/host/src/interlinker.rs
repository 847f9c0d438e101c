//! A component that is ready to run.

use std::collections::HashMap;

use interlink_model::facts::InterlinkerRef;
use interlink_model::manifest::{Action, Manifest};
use serde_json::Value;
use wasmtime::component::types::{ComponentItem, Type};
use wasmtime::component::{Component, ComponentExportIndex, InstancePre, Linker};

use crate::call::Entry;
use crate::guest::Guest;
use crate::limits::Limits;
use crate::markup::{Kinds, MarkupFault, Rendered, make_safe, render};
use crate::publish::{PublishError, compile, exported, markup_in};

/// Places in an input that are told, at most.
const ERRORS_MAX: usize = 50;

/// A place in an input that does not fit its schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputError {
    /// JSON pointer.
    pub pointer: String,
    /// What would fit.
    pub detail: String,
}

/// A component that is ready to run: compiled, linked, its schemas compiled.
pub struct Interlinker {
    manifest: Manifest,
    digest: String,
    pub(crate) pre: InstancePre<Guest>,
    pub(crate) instantiate: ComponentExportIndex,
    pub(crate) call: ComponentExportIndex,
    pub(crate) view: ComponentExportIndex,
    pub(crate) migrate: Option<ComponentExportIndex>,
    pub(crate) ring: Option<ComponentExportIndex>,
    instantiate_schema: Option<jsonschema::Validator>,
    view_schema: Option<jsonschema::Validator>,
    settings_schema: Option<jsonschema::Validator>,
    action_schemas: HashMap<String, Option<jsonschema::Validator>>,
    /// Whether its view, and which of its actions, answer with HTML or Markdown.
    markup_of_view: Kinds,
    markup_of_actions: HashMap<String, Kinds>,
    limits: Limits,
}

impl std::fmt::Debug for Interlinker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Interlinker({} {})", self.manifest.name, self.manifest.version)
    }
}

impl Interlinker {
    pub(crate) fn new(
        linker: &Linker<Guest>,
        component: &Component,
        manifest: Manifest,
        digest: String,
        limits: &Limits,
    ) -> Result<Self, PublishError> {
        let asset = Interface::of(component, "asset")?;
        let asset = asset.ok_or_else(|| PublishError::Export { reason: "it is missing".into() })?;
        let (instantiate, call, view) = (asset.find("instantiate", 1)?, asset.find("call", 2)?, asset.find("view", 1)?);
        let optional = |interface: &str, name: &str, params: usize| match Interface::of(component, interface)? {
            Some(found) => found.find(name, params).map(Some),
            None => Ok(None),
        };
        let (migrate, ring) = (optional("migration", "migrate", 1)?, optional("alarms", "ring", 2)?);
        let pre = linker.instantiate_pre(component);
        let pre = pre.map_err(|error| PublishError::Invalid { reason: format!("{error:#}") })?;
        let actions = manifest.actions.iter().map(|action| {
            let place = format!("actions/{}/input", action.name);
            Ok((action.name.clone(), compile(&place, &action.input)?))
        });
        let action_schemas = actions.collect::<Result<_, PublishError>>()?;
        let marked = manifest.actions.iter().map(|action| {
            let place = format!("actions/{}/output", action.name);
            Ok((action.name.clone(), markup_in(&place, &action.output)?))
        });
        let markup_of_actions = marked.collect::<Result<_, PublishError>>()?;
        let markup_of_view = markup_in("view/output", &manifest.view.output)?;
        let instantiate_schema = compile("instantiate/input", &manifest.instantiate.input)?;
        let view_schema = compile("view/query", &manifest.view.query)?;
        let settings_schema = compile("settings", &manifest.settings)?;
        Ok(Self {
            manifest,
            digest,
            pre,
            instantiate,
            call,
            view,
            migrate,
            ring,
            instantiate_schema,
            view_schema,
            settings_schema,
            action_schemas,
            markup_of_view,
            markup_of_actions,
            limits: limits.clone(),
        })
    }

    /// Whether its assets can set alarms.
    pub fn rings(&self) -> bool {
        self.ring.is_some()
    }

    /// Whether it brings the state of earlier versions to its own.
    pub fn migrates(&self) -> bool {
        self.migrate.is_some()
    }

    /// What it says of itself.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// `sha256:` and 64 hex digits.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Name, version, digest.
    pub fn reference(&self) -> InterlinkerRef {
        let Manifest { name, version, .. } = &self.manifest;
        InterlinkerRef { name: name.clone(), version: version.to_string(), digest: self.digest.clone() }
    }

    /// An action of the manifest.
    pub fn action(&self, name: &str) -> Option<&Action> {
        self.manifest.actions.iter().find(|action| action.name == name)
    }

    /// The schema of what an entry answers, what it marks there, and how many bytes the answer has at most.
    fn markup(&self, entry: &Entry) -> Option<(&Value, Kinds, usize)> {
        match entry {
            Entry::View { .. } => Some((&self.manifest.view.output, self.markup_of_view, self.limits.transfer_bytes)),
            Entry::Action { name, .. } => {
                let kinds = self.markup_of_actions.get(name).copied().unwrap_or_default();
                self.action(name).map(|action| (&action.output, kinds, self.limits.output_bytes))
            }
            _ => None,
        }
    }

    /// Makes the HTML in what an entry answered safe.
    pub(crate) fn make_safe(&self, entry: &Entry, output: &mut Value) -> Result<(), MarkupFault> {
        match self.markup(entry) {
            Some((schema, kinds, bytes_max)) if kinds.html => make_safe(schema, output, bytes_max),
            _ => Ok(()),
        }
    }

    /// Renders the Markdown in what its view answered.
    pub fn render_view(&self, output: &Value) -> Rendered {
        self.render(&Entry::View { query: Value::Null }, output)
    }

    /// Renders the Markdown in what an entry answered.
    pub(crate) fn render(&self, entry: &Entry, output: &Value) -> Rendered {
        match self.markup(entry) {
            Some((schema, kinds, bytes_max)) if kinds.markdown => render(schema, output, bytes_max),
            _ => Rendered::new(),
        }
    }

    /// Checks what an asset is to be made with.
    pub fn check_instantiate(&self, input: &Value) -> Result<(), Vec<InputError>> {
        check(self.instantiate_schema.as_ref(), input)
    }

    /// Checks an action's input. An action that is not there takes anything: look it up first.
    pub fn check_action(&self, action: &str, input: &Value) -> Result<(), Vec<InputError>> {
        check(self.action_schemas.get(action).and_then(Option::as_ref), input)
    }

    /// Checks what is asked of a view.
    pub fn check_view(&self, query: &Value) -> Result<(), Vec<InputError>> {
        check(self.view_schema.as_ref(), query)
    }

    /// Checks the settings that an operator gives it.
    pub fn check_settings(&self, settings: &Value) -> Result<(), Vec<InputError>> {
        check(self.settings_schema.as_ref(), settings)
    }
}

fn check(schema: Option<&jsonschema::Validator>, input: &Value) -> Result<(), Vec<InputError>> {
    let Some(schema) = schema else { return Ok(()) };
    let wrong = schema.iter_errors(input).take(ERRORS_MAX);
    let wrong: Vec<_> = wrong
        .map(|error| InputError { pointer: error.instance_path().to_string(), detail: error.to_string() })
        .collect();
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

/// An interface that a component exports.
struct Interface<'c> {
    component: &'c Component,
    index: ComponentExportIndex,
    name: &'c str,
}

impl<'c> Interface<'c> {
    /// The interface of this name, of whichever version of the world; nothing where it is absent.
    fn of(component: &'c Component, name: &'c str) -> Result<Option<Self>, PublishError> {
        let index = exported(name).find_map(|name| component.get_export_index(None, &name));
        Ok(index.map(|index| Self { component, index, name }))
    }

    /// A function that takes so many texts and answers a text or a problem.
    fn find(&self, name: &str, params: usize) -> Result<ComponentExportIndex, PublishError> {
        let wrong = |reason: String| PublishError::Export { reason };
        let found = self.component.get_export(Some(&self.index), name);
        let (item, index) = found.ok_or_else(|| wrong(format!("`{name}` of `{}` is missing", self.name)))?;
        let fits = match item {
            ComponentItem::ComponentFunc(function) => {
                let texts = function.params().filter(|(_, kind)| matches!(kind, Type::String)).count();
                let all = function.params().count();
                let mut results = function.results();
                let answers = results.next().is_some_and(|kind| is_answer(&kind)) && results.next().is_none();
                texts == params && all == params && answers
            }
            _ => false,
        };
        if fits { Ok(index) } else { Err(wrong(format!("`{name}` has other types than in {}", crate::WORLD))) }
    }
}

/// `result<string, problem>`.
fn is_answer(kind: &Type) -> bool {
    let Type::Result(result) = kind else { return false };
    let Some(Type::Record(problem)) = result.err() else { return false };
    let optional = |kind: &Type| matches!(kind, Type::Option(option) if matches!(option.ty(), Type::String));
    let fields: Vec<_> = problem.fields().map(|field| (field.name.to_owned(), field.ty.clone())).collect();
    let named: Vec<_> = fields.iter().map(|(name, _)| name.as_str()).collect();
    matches!(result.ok(), Some(Type::String))
        && named == ["code", "detail", "pointer", "data"]
        && fields[..2].iter().all(|(_, kind)| matches!(kind, Type::String))
        && fields[2..].iter().all(|(_, kind)| optional(kind))
}
