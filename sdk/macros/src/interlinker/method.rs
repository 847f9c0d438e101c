//! A method of the `impl` that is a part of the Interlinker, and whether it has the shape of one.

use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{FnArg, Ident, ImplItemFn, Result, ReturnType, Type, TypeReference};

use super::attributes::{Described, Example};
use crate::syntax::{Errors, Text, refuse_hashed, result_content};

/// Which part a method is.
pub enum Part {
    Instantiate,
    Action(Rules),
    View,
    Alarm,
    Migrate,
}

/// What stands on an action besides its title.
pub struct Rules {
    pub help: Text,
    pub allow: Vec<String>,
    pub anonymous: bool,
}

/// What a method takes after `self`.
pub enum Argument {
    Call,
    Input(Box<Type>),
}

/// A method that is a part.
pub struct Method {
    pub part: Part,
    pub ident: Ident,
    /// Its name in JSON.
    pub name: String,
    pub title: Text,
    pub examples: Vec<Example>,
    pub arguments: Vec<Argument>,
    pub output: Type,
    /// Whether it returns `Result<output>` rather than `output`.
    pub fallible: bool,
}

impl Method {
    /// Takes the part's attribute off a method, if it has one.
    pub fn take(function: &mut ImplItemFn) -> Result<Option<Self>> {
        let is_part = |attribute: &syn::Attribute| {
            ["instantiate", "action", "view", "alarm", "migrate"].iter().any(|part| attribute.path().is_ident(part))
        };
        let Some(position) = function.attrs.iter().position(is_part) else {
            return Ok(None);
        };
        let attribute = function.attrs.remove(position);
        let mut errors = Errors::default();
        while let Some(position) = function.attrs.iter().position(is_part) {
            errors.add(function.attrs.remove(position), "a method is one part: leave one of these attributes");
        }

        let ident = function.sig.ident.clone();
        let known: &[&str] = if attribute.path().is_ident("instantiate") {
            &["title", "example"]
        } else if attribute.path().is_ident("action") {
            &["title", "help", "allow", "anonymous", "example"]
        } else {
            &[]
        };
        let described = Described::parse(&attribute, known).unwrap_or_else(|error| {
            errors.push(error);
            Described::default()
        });
        let name = ident.unraw().to_string().replace('_', "-");
        let title = described.title.or_named(&name);
        let part = if attribute.path().is_ident("instantiate") {
            Part::Instantiate
        } else if attribute.path().is_ident("action") {
            Part::Action(Rules { help: described.help, allow: described.allow, anonymous: described.anonymous })
        } else if attribute.path().is_ident("alarm") {
            Part::Alarm
        } else if attribute.path().is_ident("migrate") {
            Part::Migrate
        } else {
            Part::View
        };

        check_signature(&mut errors, function, &part);
        let arguments = arguments(&mut errors, function, &part);
        let (output, fallible) = output(&mut errors, function, &part);
        errors.finish()?;
        let examples = described.examples;
        Ok(Some(Self { part, ident, name, title, examples, arguments, output, fallible }))
    }

    /// The type of the input, if it takes one.
    pub fn input(&self) -> Option<&Type> {
        self.arguments.iter().find_map(|argument| match argument {
            Argument::Input(ty) => Some(&**ty),
            Argument::Call => None,
        })
    }
}

impl Part {
    fn noun(&self) -> &'static str {
        match self {
            Self::Instantiate => "`#[instantiate]`",
            Self::Action(_) => "an action",
            Self::View => "a view",
            Self::Alarm => "an alarm",
            Self::Migrate => "`#[migrate]`",
        }
    }
}

fn check_signature(errors: &mut Errors, function: &ImplItemFn, part: &Part) {
    let signature = &function.sig;
    let noun = part.noun();
    if let Some(token) = &signature.asyncness {
        errors.add(token, format!("{noun} is not async: the host waits for it"));
    }
    if !signature.generics.params.is_empty() {
        errors.add(&signature.generics, format!("{noun} has no parameters of type: write out what it takes"));
    }
    let receiver = signature.receiver();
    let borrows = receiver.is_some_and(|receiver| receiver.reference.is_some());
    let mutable = receiver.is_some_and(|receiver| receiver.mutability.is_some());
    match part {
        Part::Instantiate | Part::Migrate if !(borrows && mutable) => {
            errors.add(Spot(function), format!("{noun} sets the state: take `&mut self`"));
        }
        Part::Action(_) | Part::Alarm if !borrows => {
            errors.add(Spot(function), format!("{noun} works on the state: take `&mut self`, or `&self` to only read"));
        }
        Part::View if !borrows || mutable => {
            errors.add(Spot(function), format!("{noun} changes nothing: take `&self`"));
        }
        _ => {}
    }
}

/// Where to point for a wrong receiver: at it, else at the method's name.
struct Spot<'function>(&'function ImplItemFn);

impl quote::ToTokens for Spot<'_> {
    fn to_tokens(&self, tokens: &mut proc_macro2::TokenStream) {
        match self.0.sig.receiver() {
            Some(receiver) => receiver.to_tokens(tokens),
            None => self.0.sig.ident.to_tokens(tokens),
        }
    }
}

fn arguments(errors: &mut Errors, function: &ImplItemFn, part: &Part) -> Vec<Argument> {
    let mut arguments: Vec<Argument> = Vec::new();
    for argument in &function.sig.inputs {
        let FnArg::Typed(argument) = argument else {
            continue;
        };
        let is_second = |kind: fn(&Argument) -> bool| arguments.iter().any(kind);
        match &*argument.ty {
            Type::Reference(reference) if is_call(reference) => {
                if is_second(|argument| matches!(argument, Argument::Call)) {
                    errors.add(argument, "the call is given once");
                }
                arguments.push(Argument::Call);
            }
            Type::Reference(reference) => {
                errors.add(reference, "take the input by value, it is yours; only the call comes as `&Call`");
            }
            ty => {
                if is_second(|argument| matches!(argument, Argument::Input(_))) {
                    let message =
                        format!("{} takes one input: put both in a struct with `#[derive(Input)]`", part.noun());
                    errors.add(argument, message);
                }
                refuse_hashed(errors, ty);
                arguments.push(Argument::Input(Box::new(ty.clone())));
            }
        }
    }
    arguments
}

fn is_call(reference: &TypeReference) -> bool {
    matches!(&*reference.elem, Type::Path(path) if path.path.segments.last().is_some_and(|last| last.ident == "Call"))
}

fn output(errors: &mut Errors, function: &ImplItemFn, part: &Part) -> (Type, bool) {
    let nothing: Type = syn::parse_quote!(());
    let returned = match &function.sig.output {
        ReturnType::Default => None,
        ReturnType::Type(_, ty) => Some(&**ty),
    };
    let content = returned.and_then(result_content);
    let (output, fallible) = match (part, returned, content) {
        (_, _, Some(content)) => (content.clone(), true),
        (Part::View, Some(output), None) => (output.clone(), false),
        (Part::View, None, None) => {
            errors.add(&function.sig.ident, "a view shows something: return a type with `#[derive(Output)]`");
            (nothing, false)
        }
        (Part::Instantiate, _, None) => {
            wrong_return(errors, function, "`#[instantiate]` may refuse: return `Result<()>`");
            (nothing, true)
        }
        (Part::Migrate, _, None) => {
            wrong_return(errors, function, "`#[migrate]` may refuse: return `Result<()>`");
            (nothing, true)
        }
        (Part::Alarm, _, None) => {
            wrong_return(errors, function, "an alarm may refuse, and is tried again then: return `Result<()>`");
            (nothing, true)
        }
        (Part::Action(_), _, None) => {
            wrong_return(errors, function, "an action may refuse: return `Result<…>`, such as `Result<Receipt>`");
            (nothing, true)
        }
    };
    refuse_hashed(errors, &output);
    (output, fallible)
}

fn wrong_return(errors: &mut Errors, function: &ImplItemFn, message: &str) {
    match &function.sig.output {
        ReturnType::Default => errors.push(syn::Error::new(function.sig.ident.span(), message)),
        ReturnType::Type(_, ty) => errors.push(syn::Error::new(ty.span(), message)),
    }
}
