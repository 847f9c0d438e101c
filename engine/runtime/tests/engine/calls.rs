//! Calls that ask the world outside, over a disk that fails: what was recorded is not asked for again, and what the call did
//! is done once.

use interlink_host::{Grants, HttpGrant, HttpRequest, HttpResponse, Origin, Outbound, OutboundError};
use interlink_journal::faults::{Fault, FaultyDisk, Operation};
use interlink_model::id::AssetId;
use interlink_runtime::NewAsset;
use parking_lot::Mutex;
use serde_json::json;

use super::disk::{options, recovered};
use super::*;

const WEBHOOK: &[u8] = include_bytes!("../../../../interlinkers/dist/webhook.wasm");

/// When the disk fails, counted in writes behind the next request to a path.
struct Failure {
    path: &'static str,
    writes_before: usize,
}

/// The world outside: it counts what it is asked, and the disk may fail while it is.
struct Outside {
    disk: Arc<FaultyDisk>,
    failure: Mutex<Option<Failure>>,
    /// Path and idempotency key of every request.
    asked: Mutex<Vec<(String, String)>>,
}

impl Outside {
    fn keys(&self, path: &str) -> Vec<String> {
        let asked = self.asked.lock();
        asked.iter().filter(|(asked, _)| asked == path).map(|(_, key)| key.clone()).collect()
    }
}

impl Outbound for Outside {
    fn send(&self, request: &HttpRequest) -> Result<HttpResponse, OutboundError> {
        let path = request.url.rsplit('/').next().expect("a path").to_owned();
        let key = request.headers.last().expect("a key").1.clone();
        if let Some(failure) = self.failure.lock().take_if(|failure| failure.path == path) {
            (0..failure.writes_before).for_each(|_| self.disk.pass_next(Operation::Write));
            self.disk.fail_next(Operation::Write, Fault::NoSpace);
        }
        self.asked.lock().push((path, key));
        Ok(HttpResponse { status: 200, headers: Vec::new(), body: b"{}".to_vec() })
    }
}

struct Scene {
    engine: Engine,
    ana: Caller,
    process: ProcessId,
    asset: AssetId,
    outside: Arc<Outside>,
    _data: tempfile::TempDir,
}

async fn scene() -> Scene {
    let data = tempfile::tempdir().expect("a directory");
    let (ambient, disk) = (given(), Arc::new(FaultyDisk::default()));
    let outside = Outside { disk: Arc::clone(&disk), failure: Mutex::default(), asked: Mutex::default() };
    let outside = Arc::new(outside);
    let outbound: Arc<dyn Outbound> = Arc::<Outside>::clone(&outside);
    let options = Options { outbound: Some(outbound), ..options(&ambient, &disk) };
    let engine = Engine::open(data.path(), options, &mut |_| {}).expect("opens");
    let ana = caller(&engine, "ana").await;
    let process = process(&engine, &ana, Permit::default()).await;
    run(&engine, &ana, process, Command::Start).await.expect("started");
    engine.publish(WEBHOOK, None, Actor::System, |_| answer(201), &Permit::default()).await.expect("published");
    let origin = Origin::of_url("http://outside.example").expect("an origin");
    let grants = Grants { http: vec![HttpGrant { methods: vec!["POST".into()], origin }], ..Grants::default() };
    engine.grant(Actor::System, "webhook", &grants, &answer(200), &Permit::default()).await.expect("granted");
    let interlinker = engine.interlinker("webhook").expect("there").reference;
    let input = json!({"urls": ["http://outside.example/one", "http://outside.example/two"]});
    let new = NewAsset { task: "a".into(), interlinker, name: "Services".into(), input };
    engine.instantiate(&ana, process, new, "en", |_| answer(201), Permit::default()).await.expect("made");
    let asset = *engine.process(process).expect("there").process.assets.keys().next().expect("one");
    Scene { engine, ana, process, asset, outside, _data: data }
}

impl Scene {
    /// Sends, as a client does: with a key, until what came of it is known; says how often it was told to come back.
    async fn send(&self, key: &str) -> usize {
        for times in 0..1_000 {
            recovered(&self.engine).await;
            let request = Request { method: "POST", path: "/send", key, body: b"{}" };
            let permit = match self.engine.enter(&self.ana, request).await.expect("let in") {
                Entry::New(permit) => permit,
                Entry::Answered(_) => return times,
                Entry::OtherBody => panic!("the body is the same"),
            };
            let input = json!({"text": "hello"});
            match self.engine.act(&self.ana, self.asset, "send", input, "en", None, |_| answer(200), permit).await {
                Ok(_) => return times,
                Err(Trouble::Unknown(_) | Trouble::Busy { .. }) => {}
                Err(trouble) => panic!("{trouble}"),
            }
        }
        panic!("it is never done");
    }

    async fn send_once(&self, key: &str) -> Result<Answer, Trouble> {
        let request = Request { method: "POST", path: "/send", key, body: b"{}" };
        let Ok(Entry::New(permit)) = self.engine.enter(&self.ana, request).await else { panic!("it is new") };
        let input = json!({"text": "hello"});
        self.engine.act(&self.ana, self.asset, "send", input, "en", None, |_| answer(200), permit).await
    }

    /// How often it was done, as the asset and the history say.
    async fn sent(&self) -> u64 {
        let (_, shown) = self.engine.view(&self.ana, self.asset, json!({}), "en").await.expect("shown");
        let events = self.engine.events(self.process, 0, usize::MAX).expect("a history");
        let performed = events.iter().filter(|event| event.kind == "ActionPerformed").count() as u64;
        let sent = shown["sent"].as_u64().expect("a number");
        assert_eq!(performed, sent);
        sent
    }

    fn fail(&self, path: &'static str, writes_before: usize) {
        *self.outside.failure.lock() = Some(Failure { path, writes_before });
    }
}

#[tokio::test]
async fn a_call_whose_answer_could_not_be_recorded_goes_on_under_its_own_keys_when_it_is_repeated() {
    let scene = scene().await;
    scene.fail("two", 0);
    assert!(scene.send("first").await > 0, "the client was told to come back");
    assert_eq!(scene.sent().await, 1);
    let (one, two) = (scene.outside.keys("one"), scene.outside.keys("two"));
    assert_eq!(one.len(), 1, "what was recorded is not asked for again");
    assert_eq!(two.len(), 2);
    assert_eq!(two[0], two[1], "whoever answers can tell that it is the same");
}

#[tokio::test]
async fn a_call_whose_outcome_could_not_be_written_is_done_once_and_asks_nobody_again() {
    let scene = scene().await;
    scene.fail("two", 1);
    assert!(scene.send("first").await > 0, "the client was told to come back");
    assert_eq!(scene.sent().await, 1);
    assert_eq!((scene.outside.keys("one").len(), scene.outside.keys("two").len()), (1, 1));
    assert_eq!(scene.send("second").await, 0, "another request is another call");
    assert_eq!(scene.sent().await, 2);
}

#[tokio::test]
async fn a_call_that_was_left_open_and_overtaken_ends_and_another_begins() {
    let scene = scene().await;
    scene.fail("two", 1);
    assert!(matches!(scene.send_once("first").await, Err(Trouble::Unknown(_))));
    recovered(&scene.engine).await;
    assert_eq!(scene.send("second").await, 0, "nobody waits for it");
    assert!(matches!(scene.send_once("first").await, Err(Trouble::Busy { .. })));
    assert_eq!(scene.send("first").await, 0);
    assert_eq!(scene.sent().await, 2);
    assert_eq!(scene.outside.keys("two").len(), 3);
}
