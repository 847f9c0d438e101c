//! The imports of the world, as functions of a guest.

use wasmtime::component::{ComponentType, Lift, Linker, LinkerInstance, Lower};
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

/// The imports of every world that is spoken: functions are the same in all of them. Interfaces only grow under a patch
/// version, so `state@0.1.0` is found in `state@0.1.1`; publication refuses what a version did not have yet.
pub(crate) fn linker(engine: &Engine) -> wasmtime::Result<Linker<Guest>> {
    let mut linker = Linker::new(engine);
    for version in ["0.1.1", "1.1.0"] {
        let mut world = World { linker: &mut linker, version };
        world.add_state()?;
        world.add_call()?;
        world.add_outside()?;
    }
    let mut newest = World { linker: &mut linker, version: "1.1.0" };
    newest.add_texts()?;
    newest.add_kept()?;
    newest.add_wanted()?;
    newest.add_company()?;
    Ok(linker)
}

type Store<'a> = StoreContextMut<'a, Guest>;

/// A world in one of its versions.
struct World<'l> {
    linker: &'l mut Linker<Guest>,
    version: &'static str,
}

/// A problem on its way to the guest.
fn lowered<T>(answer: Result<T, Problem>) -> (Result<T, WitProblem>,) {
    (answer.map_err(WitProblem::from),)
}

impl World<'_> {
    fn interface(&mut self, name: &str) -> wasmtime::Result<LinkerInstance<'_, Guest>> {
        self.linker.instance(&format!("interlink:interlinker/{name}@{}", self.version))
    }

    /// The asset's own state.
    fn add_state(&mut self) -> wasmtime::Result<()> {
        let mut state = self.interface("state")?;
        state.func_wrap("get", |mut store: Store<'_>, (key,): (String,)| Ok((store.data_mut().get(&key)?,)))?;
        state.func_wrap("set", |mut store: Store<'_>, (key, value): (String, Vec<u8>)| {
            Ok(store.data_mut().set(&key, value)?)
        })?;
        state.func_wrap("delete", |mut store: Store<'_>, (key,): (String,)| Ok(store.data_mut().delete(&key)?))?;
        type Range = (String, Option<String>, u32);
        state.func_wrap("range", |mut store: Store<'_>, (prefix, after, limit): Range| {
            Ok((store.data_mut().range(&prefix, after.as_deref(), limit)?,))
        })?;
        state.func_wrap("count", |mut store: Store<'_>, (prefix,): (String,)| Ok((store.data_mut().count(&prefix)?,)))
    }

    /// The asset's own state as text.
    fn add_texts(&mut self) -> wasmtime::Result<()> {
        let mut texts = self.interface("texts")?;
        texts.func_wrap("get", |mut store: Store<'_>, (key,): (String,)| Ok((store.data_mut().get_text(&key)?,)))?;
        texts.func_wrap("set", |mut store: Store<'_>, (key, value): (String, String)| {
            Ok(store.data_mut().set(&key, value.into_bytes())?)
        })?;
        type Range = (String, Option<String>, u32);
        texts.func_wrap("range", |mut store: Store<'_>, (prefix, after, limit): Range| {
            Ok((store.data_mut().range_of_texts(&prefix, after.as_deref(), limit)?,))
        })
    }

    /// The call: who makes it, what came of it, what it logs.
    fn add_call(&mut self) -> wasmtime::Result<()> {
        let mut context = self.interface("context")?;
        context.func_wrap("get", |mut store: Store<'_>, (): ()| Ok((store.data_mut().context()?,)))?;
        let mut outcome = self.interface("outcome")?;
        outcome.func_wrap("declare", |mut store: Store<'_>, (outcome,): (String,)| {
            Ok(store.data_mut().declare(&outcome)?)
        })?;
        let mut log = self.interface("log")?;
        log.func_wrap("write", |mut store: Store<'_>, (level, message): (String, String)| {
            Ok(store.data_mut().log(level, &message)?)
        })
    }

    /// The world outside the asset.
    fn add_outside(&mut self) -> wasmtime::Result<()> {
        let mut clock = self.interface("clock")?;
        clock.func_wrap("now", |mut store: Store<'_>, (): ()| Ok((store.data_mut().clock()?,)))?;
        let mut random = self.interface("random")?;
        random.func_wrap("bytes", |mut store: Store<'_>, (count,): (u32,)| Ok((store.data_mut().random(count)?,)))?;
        let mut http = self.interface("http")?;
        http.func_wrap("send", |mut store: Store<'_>, (request, body): (String, Vec<u8>)| {
            let sent = store.data_mut().http(&request, body)?;
            Ok(lowered(sent))
        })?;
        let mut secrets = self.interface("secrets")?;
        secrets.func_wrap("get", |mut store: Store<'_>, (name,): (String,)| Ok((store.data_mut().secret(&name)?,)))
    }

    /// What is kept for the asset besides its state.
    fn add_kept(&mut self) -> wasmtime::Result<()> {
        let mut settings = self.interface("settings")?;
        settings.func_wrap("get", |mut store: Store<'_>, (): ()| Ok((store.data_mut().settings()?,)))?;
        let mut blobs = self.interface("blobs")?;
        blobs.func_wrap("put", |mut store: Store<'_>, (media_type, content): (String, Vec<u8>)| {
            Ok(lowered(store.data_mut().put_blob(&media_type, content)?))
        })?;
        blobs.func_wrap("size", |mut store: Store<'_>, (digest,): (String,)| {
            Ok((store.data_mut().blob_size(&digest)?,))
        })?;
        blobs.func_wrap("get", |mut store: Store<'_>, (digest, offset, limit): (String, u64, u32)| {
            Ok((store.data_mut().blob(&digest, offset, limit)?,))
        })
    }

    /// What a call wants besides its changes.
    fn add_wanted(&mut self) -> wasmtime::Result<()> {
        let mut notify = self.interface("notify")?;
        notify.func_wrap("send", |mut store: Store<'_>, (message,): (String,)| {
            Ok(lowered(store.data_mut().notify(&message)?))
        })?;
        let mut usage = self.interface("usage")?;
        usage.func_wrap("note", |mut store: Store<'_>, (word, amount): (String, i64)| {
            Ok(lowered(store.data_mut().note(&word, amount)?))
        })?;
        let mut schedule = self.interface("schedule")?;
        schedule.func_wrap("set", |mut store: Store<'_>, (name, at, input): (String, i64, String)| {
            Ok(lowered(store.data_mut().set_alarm(&name, at, &input)?))
        })?;
        schedule.func_wrap("cancel", |mut store: Store<'_>, (name,): (String,)| {
            Ok((store.data_mut().cancel_alarm(&name)?,))
        })
    }

    /// The asset's company.
    fn add_company(&mut self) -> wasmtime::Result<()> {
        let mut people = self.interface("people")?;
        people.func_wrap("all", |mut store: Store<'_>, (): ()| {
            let people = store.data_mut().people()?;
            Ok(lowered(people))
        })?;
        let mut assets = self.interface("assets")?;
        assets.func_wrap("call", |mut store: Store<'_>, (asset, action, input): (String, String, String)| {
            let acted = store.data_mut().asset(&asset, &action, &input)?;
            Ok(lowered(acted))
        })
    }
}
