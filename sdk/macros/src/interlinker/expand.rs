//! The code that `#[interlinker]` adds: the trait, the component's exports, and the test that writes the manifest.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::Type;
use syn::spanned::Spanned;

use super::Definition;
use super::attributes::Example;
use super::method::{Argument, Method, Part};

pub fn implementation(definition: &Definition, state: &Type) -> TokenStream {
    let manifest = manifest(definition);
    let instantiate = call(&definition.instantiate);
    let view = call(&definition.view);
    let action_names: Vec<&str> = definition.actions.iter().map(|action| action.name.as_str()).collect();
    let actions = definition.actions.iter().map(call);
    let alarm_names: Vec<&str> = definition.alarms.iter().map(|alarm| alarm.name.as_str()).collect();
    let alarms = definition.alarms.iter().map(call);
    let ring = (!alarm_names.is_empty()).then(|| {
        quote! {
            fn ring(&mut self, cx: &::interlink_sdk::Call, name: &str, input: &str) -> ::interlink_sdk::Result<::std::string::String> {
                let _ = (cx, input);
                match name {
                    #(#alarm_names => { #alarms })*
                    other => ::interlink_sdk::__private::no_such_alarm(other, &[#(#alarm_names),*]),
                }
            }
        }
    });
    let migrate = definition.migrate.as_ref().map(|method| {
        let migrate = call(method);
        quote! {
            fn migrate(&mut self, cx: &::interlink_sdk::Call, input: &str) -> ::interlink_sdk::Result<::std::string::String> {
                let _ = (cx, input);
                #migrate
            }
        }
    });
    let exports = exports(definition, state);
    quote! {
        impl ::interlink_sdk::__private::Interlinker for #state {
            fn manifest() -> ::interlink_sdk::__private::Manifest {
                #manifest
            }

            fn instantiate(&mut self, cx: &::interlink_sdk::Call, input: &str) -> ::interlink_sdk::Result<::std::string::String> {
                let _ = (cx, input);
                #instantiate
            }

            fn call(&mut self, cx: &::interlink_sdk::Call, action: &str, input: &str) -> ::interlink_sdk::Result<::std::string::String> {
                let _ = (cx, input);
                match action {
                    #(#action_names => { #actions })*
                    other => ::interlink_sdk::__private::no_such_action(other, &[#(#action_names),*]),
                }
            }

            fn view(&self, cx: &::interlink_sdk::Call, input: &str) -> ::interlink_sdk::Result<::std::string::String> {
                let _ = (cx, input);
                #view
            }

            #ring

            #migrate
        }

        #exports

        #[cfg(test)]
        #[test]
        fn interlink_manifest() {
            ::interlink_sdk::__private::write_manifest(&<#state as ::interlink_sdk::__private::Interlinker>::manifest());
        }

        #[cfg(test)]
        #[test]
        fn interlink_examples() {
            ::interlink_sdk::__private::run_examples::<#state>();
        }
    }
}

/// Reads the input, runs the method, writes the output.
fn call(method: &Method) -> TokenStream {
    let ident = &method.ident;
    let arguments = method.arguments.iter().map(|argument| match argument {
        Argument::Call => quote!(cx),
        // The version that left the state is a text as it is.
        Argument::Input(_) if matches!(method.part, Part::Migrate) => quote!(::std::string::String::from(input)),
        Argument::Input(ty) => {
            let parse = quote_spanned!(ty.span()=> ::interlink_sdk::__private::parse::<#ty>);
            quote!(#parse(input)?)
        }
    });
    let output = &method.output;
    let render = quote_spanned!(output.span()=> ::interlink_sdk::__private::render::<#output>);
    let question = method.fallible.then(|| quote!(?));
    quote!(#render(&self.#ident(#(#arguments),*)#question))
}

fn manifest(definition: &Definition) -> TokenStream {
    let about = &definition.about;
    let (name, title, description) = (&about.name, &about.title, &about.description);
    let version = about.version.as_ref().map_or_else(|| quote!(env!("CARGO_PKG_VERSION")), |version| quote!(#version));
    let licence = about.licence.as_ref().map_or_else(|| quote!(env!("CARGO_PKG_LICENSE")), |licence| quote!(#licence));
    let languages = if about.languages.is_empty() {
        quote!(manifest.languages = manifest.common_languages();)
    } else {
        let languages = &about.languages;
        quote!(manifest.languages = vec![#(#languages.into()),*];)
    };
    let (problems, grants) = (&about.problems, &about.grants);
    let instantiate_title = &definition.instantiate.title;
    let instantiate_input = input_schema(&definition.instantiate);
    let instantiate_examples = examples(&definition.instantiate);
    let actions = definition.actions.iter().map(action);
    let view_query = match definition.view.input() {
        Some(_) => input_schema(&definition.view),
        None => quote!(::interlink_sdk::prelude::json!({})),
    };
    let view_output = output_schema(&definition.view);
    let alarms = definition.alarms.iter().map(|alarm| &alarm.name);
    let settings = match &about.settings {
        Some(ty) => {
            let schema = quote_spanned!(ty.span()=> ::interlink_sdk::__private::input_schema::<#ty>);
            quote!(#schema())
        }
        None => quote!(::interlink_sdk::prelude::json!(null)),
    };
    quote! {
        use ::interlink_sdk::__private::manifest;
        let mut manifest = manifest::Manifest {
            manifest: manifest::FORMAT,
            name: #name.into(),
            version: #version.into(),
            world: manifest::WORLD.into(),
            sdk: manifest::SDK.into(),
            nature: "software".into(),
            title: #title,
            description: #description,
            languages: ::std::vec::Vec::new(),
            licence: #licence.into(),
            problem_profiles: vec![#(#problems.into()),*],
            instantiate: manifest::Instantiate {
                title: #instantiate_title,
                input: #instantiate_input,
                examples: #instantiate_examples,
            },
            actions: vec![#(#actions),*],
            view: manifest::View { query: #view_query, output: #view_output },
            grants: #grants,
            alarms: vec![#(#alarms.into()),*],
            settings: #settings,
        };
        #languages
        manifest
    }
}

fn action(method: &Method) -> TokenStream {
    let Part::Action(rules) = &method.part else {
        return TokenStream::new();
    };
    let (name, title) = (&method.name, &method.title);
    let (help, allow, anonymous) = (&rules.help, &rules.allow, rules.anonymous);
    let (input, output, examples) = (input_schema(method), output_schema(method), examples(method));
    quote! {
        manifest::Action {
            name: #name.into(),
            title: #title,
            help: #help,
            input: #input,
            output: #output,
            allow: vec![#(#allow.into()),*],
            anonymous: #anonymous,
            examples: #examples,
        }
    }
}

fn examples(method: &Method) -> TokenStream {
    let examples = method.examples.iter().map(|Example { title, input, output, problem }| {
        let output = output.clone().unwrap_or_else(|| quote!(null));
        quote! {
            manifest::Example {
                title: #title.into(),
                input: ::interlink_sdk::prelude::json!(#input),
                output: ::interlink_sdk::prelude::json!(#output),
                problem: #problem.into(),
            }
        }
    });
    quote!(vec![#(#examples),*])
}

fn input_schema(method: &Method) -> TokenStream {
    match method.input() {
        Some(ty) => {
            let schema = quote_spanned!(ty.span()=> ::interlink_sdk::__private::input_schema::<#ty>);
            quote!(#schema())
        }
        None => quote!(::interlink_sdk::__private::input_schema::<::interlink_sdk::Nothing>()),
    }
}

fn output_schema(method: &Method) -> TokenStream {
    let output = &method.output;
    let schema = quote_spanned!(output.span()=> ::interlink_sdk::__private::output_schema::<#output>);
    quote!(#schema())
}

/// The component's exports. wit-bindgen's code is the only one here that is `unsafe`.
fn exports(definition: &Definition, state: &Type) -> TokenStream {
    let alarms = (!definition.alarms.is_empty()).then(|| {
        quote! {
            #[cfg(target_arch = "wasm32")]
            #[allow(unsafe_code)]
            const _: () = {
                use ::interlink_sdk::__private::guest;
                use guest::alarms::exports::interlink::interlinker::alarms;
                struct Component;
                impl alarms::Guest for Component {
                    fn ring(
                        name: ::std::string::String,
                        input: ::std::string::String,
                    ) -> ::std::result::Result<::std::string::String, alarms::Problem> {
                        guest::ring::<#state>(&name, &input)
                    }
                }
                guest::alarms::export_alarms!(Component with_types_in ::interlink_sdk::__private::guest::alarms);
            };
        }
    });
    let migration = definition.migrate.is_some().then(|| {
        quote! {
            #[cfg(target_arch = "wasm32")]
            #[allow(unsafe_code)]
            const _: () = {
                use ::interlink_sdk::__private::guest;
                use guest::migration::exports::interlink::interlinker::migration;
                struct Component;
                impl migration::Guest for Component {
                    fn migrate(
                        version: ::std::string::String,
                    ) -> ::std::result::Result<::std::string::String, migration::Problem> {
                        guest::migrate::<#state>(&version)
                    }
                }
                guest::migration::export_migration!(Component with_types_in ::interlink_sdk::__private::guest::migration);
            };
        }
    });
    quote! {
        #alarms
        #migration

        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code)]
        const _: () = {
            use ::interlink_sdk::__private::{bindings, guest};
            use bindings::exports::interlink::interlinker::asset;
            type Answer = ::std::result::Result<::std::string::String, asset::Problem>;
            struct Component;
            impl asset::Guest for Component {
                fn instantiate(input: ::std::string::String) -> Answer {
                    guest::instantiate::<#state>(&input)
                }
                fn call(action: ::std::string::String, input: ::std::string::String) -> Answer {
                    guest::call::<#state>(&action, &input)
                }
                fn view(query: ::std::string::String) -> Answer {
                    guest::view::<#state>(&query)
                }
            }
            bindings::export!(Component with_types_in ::interlink_sdk::__private::bindings);
        };
    }
}
