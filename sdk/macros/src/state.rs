//! `#[derive(State)]`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Error, Fields, Result};

pub fn derive(item: &DeriveInput) -> Result<TokenStream> {
    let Data::Struct(data) = &item.data else {
        return Err(Error::new_spanned(&item.ident, "a state is a struct: its fields are `Value<…>` and `Map<…, …>`"));
    };
    let Fields::Named(fields) = &data.fields else {
        return Err(Error::new_spanned(&item.ident, "a state's fields have names, under which they are kept"));
    };
    if !item.generics.params.is_empty() {
        return Err(Error::new_spanned(&item.generics, "a state has no parameters: write out the types of its fields"));
    }
    let name = &item.ident;
    let bindings = fields.named.iter().map(|field| {
        let (ident, ty) = (&field.ident, &field.ty);
        let key = ident.as_ref().map(|ident| ident.unraw().to_string());
        let bind = quote_spanned!(ty.span()=> <#ty as ::interlink_sdk::__private::Field>::bind);
        quote!(#ident: #bind(::std::clone::Clone::clone(session), #key))
    });
    Ok(quote! {
        impl ::interlink_sdk::__private::State for #name {
            fn bind(session: &::interlink_sdk::__private::Session) -> Self {
                Self { #(#bindings),* }
            }
        }
    })
}
