//! Limits of the engine, crossed by one.

use interlink_model::facts::UseKind;
use interlink_runtime::usage::registry::{ROWS_PER_PAGE_MAX, UseFilter};
use interlink_runtime::{ANSWER_BYTES_MAX, NewAsset};
use serde_json::json;

use super::dispatch::POLL;
use super::*;

#[tokio::test]
async fn an_answer_is_remembered_up_to_a_size_and_a_larger_one_is_given_and_not_remembered() {
    let data = tempfile::tempdir().expect("a directory");
    let engine = open(data.path(), &given());
    let ana = caller(&engine, "ana").await;
    let id = process(&engine, &ana, Permit::default()).await;
    for (key, bytes, is_remembered) in [("fits", ANSWER_BYTES_MAX, true), ("large", ANSWER_BYTES_MAX + 1, false)] {
        let request = Request { method: "POST", path: "/any", key, body: b"{}" };
        let Ok(Entry::New(permit)) = engine.enter(&ana, request).await else { panic!("a new key is new") };
        let large = Answer { body: vec![b'x'; bytes], ..answer(200) };
        let command = if is_remembered { Command::Start } else { Command::Suspend };
        let told = engine.command(&ana, id, &command, None, None, |_, _| large.clone(), permit).await;
        assert!(told.expect("it is given") == large);
        let again = engine.enter(&ana, request).await.expect("entered");
        assert_eq!(matches!(again, Entry::Answered(first) if first == large), is_remembered, "{bytes} bytes");
    }
}

#[tokio::test]
async fn a_page_of_uses_looks_at_so_many_and_says_where_the_next_goes_on() {
    let data = tempfile::tempdir().expect("a directory");
    let ambient = given();
    let engine = open(data.path(), &ambient);
    let ana = caller(&engine, "ana").await;
    engine.publish(POLL, None, Actor::System, |_| answer(201), &Permit::default()).await.expect("published");
    let id = process(&engine, &ana, Permit::default()).await;
    run(&engine, &ana, id, Command::Start).await.expect("started");
    let new = NewAsset {
        task: "a".into(),
        interlinker: engine.interlinker("poll").expect("there").reference,
        name: "P".into(),
        input: json!({"question": "Which?", "options": ["A", "B"], "quorum": 1}),
    };
    let made = |made: Result<(&interlink_model::asset::Asset, &str), &Trouble>| match made {
        Ok((asset, _)) => Answer { body: asset.id.to_string().into_bytes(), ..answer(201) },
        Err(_) => answer(500),
    };
    let asset = engine.instantiate(&ana, id, new, "en", made, Permit::default()).await.expect("made");
    let asset = String::from_utf8(asset.body).expect("an id");
    let asset = interlink_model::id::AssetId::parse(&asset).expect("an id");
    for _ in 0..ROWS_PER_PAGE_MAX {
        engine.view(&ana, asset, json!({}), "en").await.expect("a view");
    }
    // A stop in order writes what views left. The use that made the asset is one more than a page looks at.
    engine.close();
    drop(engine);
    let engine = open(data.path(), &ambient);
    let others = UseFilter { interlinker: Some("nothing".into()), ..UseFilter::default() };
    let first = engine.uses(&others, 0, 10).expect("a page");
    assert!(first.uses.is_empty() && first.next.is_some(), "it looked at all it may, and found nothing");
    let rest = engine.uses(&others, first.next.expect("more"), 10).expect("a page");
    assert!(rest.uses.is_empty() && rest.next.is_none(), "there was one more");
    let all = engine.uses(&UseFilter::default(), 0, ROWS_PER_PAGE_MAX + 10).expect("a page");
    assert_eq!((all.uses.len(), all.next), (ROWS_PER_PAGE_MAX, first.next));
    assert_eq!(all.uses[0].1.kind, UseKind::Instantiate);
}
