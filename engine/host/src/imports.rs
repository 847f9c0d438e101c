//! The imports of the world, as functions of a guest.

use wasmtime::component::{ComponentType, Lift, Linker, Lower};
use wasmtime::{Engine, StoreContextMut};

use crate::call::Problem;
use crate::guest::Guest;

/// The problem record of the world.
#[derive(ComponentType, Lift, Lower)]
#[component(record)]
pub(crate) struct WitProblem {
    code: String,
    detail: String,
    pointer: Option<String>,
    data: Option<String>,
}

impl From<WitProblem> for Problem {
    fn from(WitProblem { code, detail, pointer, data }: WitProblem) -> Self {
        Self { code, detail, pointer, data }
    }
}

impl From<Problem> for WitProblem {
    fn from(Problem { code, detail, pointer, data }: Problem) -> Self {
        Self { code, detail, pointer, data }
    }
}

/// The imports of the newest world. Interfaces only grow under a patch version, so they are those of the earlier ones:
/// the linker finds `state@0.1.0` in `state@0.1.1`, and publication refuses what a version did not have yet.
pub(crate) fn linker(engine: &Engine) -> wasmtime::Result<Linker<Guest>> {
    let mut linker = Linker::new(engine);
    add_state(&mut linker)?;
    add_call(&mut linker)?;
    add_outside(&mut linker)?;
    Ok(linker)
}

/// The asset's own state.
fn add_state(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    let mut state = linker.instance("interlink:interlinker/state@0.1.1")?;
    state.func_wrap("get", |mut store: StoreContextMut<'_, Guest>, (key,): (String,)| {
        Ok((store.data_mut().get(&key)?,))
    })?;
    state.func_wrap("set", |mut store: StoreContextMut<'_, Guest>, (key, value): (String, Vec<u8>)| {
        Ok(store.data_mut().set(&key, value)?)
    })?;
    state.func_wrap("delete", |mut store: StoreContextMut<'_, Guest>, (key,): (String,)| {
        Ok(store.data_mut().delete(&key)?)
    })?;
    type Range = (String, Option<String>, u32);
    state.func_wrap("range", |mut store: StoreContextMut<'_, Guest>, (prefix, after, limit): Range| {
        Ok((store.data_mut().range(&prefix, after.as_deref(), limit)?,))
    })?;
    state.func_wrap("count", |mut store: StoreContextMut<'_, Guest>, (prefix,): (String,)| {
        Ok((store.data_mut().count(&prefix)?,))
    })?;
    Ok(())
}

/// The call: who makes it, what came of it, what it logs.
fn add_call(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    let mut context = linker.instance("interlink:interlinker/context@0.1.1")?;
    context.func_wrap("get", |mut store: StoreContextMut<'_, Guest>, (): ()| Ok((store.data_mut().context()?,)))?;
    let mut outcome = linker.instance("interlink:interlinker/outcome@0.1.1")?;
    outcome.func_wrap("declare", |mut store: StoreContextMut<'_, Guest>, (outcome,): (String,)| {
        Ok(store.data_mut().declare(&outcome)?)
    })?;
    let mut log = linker.instance("interlink:interlinker/log@0.1.1")?;
    log.func_wrap("write", |mut store: StoreContextMut<'_, Guest>, (level, message): (String, String)| {
        Ok(store.data_mut().log(level, &message)?)
    })?;
    Ok(())
}

/// The world outside the asset.
fn add_outside(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    let mut clock = linker.instance("interlink:interlinker/clock@0.1.1")?;
    clock.func_wrap("now", |mut store: StoreContextMut<'_, Guest>, (): ()| Ok((store.data_mut().clock()?,)))?;
    let mut random = linker.instance("interlink:interlinker/random@0.1.1")?;
    random.func_wrap("bytes", |mut store: StoreContextMut<'_, Guest>, (count,): (u32,)| {
        Ok((store.data_mut().random(count)?,))
    })?;
    let mut http = linker.instance("interlink:interlinker/http@0.1.1")?;
    http.func_wrap("send", |mut store: StoreContextMut<'_, Guest>, (request, body): (String, Vec<u8>)| {
        Ok((store.data_mut().http(&request, body)?.map_err(WitProblem::from),))
    })?;
    let mut secrets = linker.instance("interlink:interlinker/secrets@0.1.1")?;
    secrets.func_wrap("get", |mut store: StoreContextMut<'_, Guest>, (name,): (String,)| {
        Ok((store.data_mut().secret(&name)?,))
    })?;
    Ok(())
}
