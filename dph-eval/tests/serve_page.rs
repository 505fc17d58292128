//! The page of `dph-eval serve`, driven in Chromium.
#![cfg(all(feature = "flex", feature = "serve"))]
#![allow(clippy::unwrap_used)]

#[path = "support/browser.rs"]
mod browser;
#[path = "support/server.rs"]
mod server;
mod support;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::thread;

use dph_core::testing::chromium;
use serde_json::{Value, json};
use server::Server;
use support::{llama, write_model_with_head};

/// Stands before the service and adds a script to its page.
fn with_script(server: &Server, script: &str) -> SocketAddr {
    let page = browser::with_probe(&server.get("/").text(), script);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, service) = (listener.local_addr().unwrap(), server.address);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, page) = (stream.unwrap(), page.clone());
            thread::spawn(move || pass_on(stream, service, &page));
        }
    });
    address
}

/// Answers a request for the page, and passes other requests on.
fn pass_on(mut stream: TcpStream, service: SocketAddr, page: &str) {
    let mut request = vec![0; 65_536];
    let Ok(read) = stream.read(&mut request) else { return };
    request.truncate(read);
    if request.starts_with(b"GET / ") {
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
            page.len()
        );
        let _ = stream.write_all(&[head.as_bytes(), page.as_bytes()].concat());
        return;
    }
    let mut other = TcpStream::connect(service).unwrap();
    other.write_all(&request).unwrap();
    let (mut from, mut to) = (stream.try_clone().unwrap(), other.try_clone().unwrap());
    thread::spawn(move || std::io::copy(&mut from, &mut to));
    let _ = std::io::copy(&mut other, &mut stream);
}

const GENERATE: &str = "
    const wait = async done => { for (let i = 0; i < 20000 && !done(); i++) await new Promise(go => setTimeout(go, 10)); };
    const set = (id, value) => { const input = document.getElementById(id); input.value = value; input.dispatchEvent(new Event('input')); };
    await wait(() => document.getElementById('model').options.length);
    set('prompt', 'Who wrote <b>it</b>?'); set('n', 5); set('seed', 7); set('tokens', 48); set('drop', DROP);
    document.getElementById('prompt').dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', ctrlKey: true, bubbles: true }));
    await wait(() => document.querySelector('article.chosen'));
    const cards = [...document.querySelectorAll('article')];";

#[test]
fn answers_arrive_side_by_side() {
    let place = tempfile::tempdir().unwrap();
    write_model_with_head(&place.path().join("model"), &llama(), &["preference", "helpfulness"]);
    let server = Server::start(place.path(), &["model"]);
    let page = server.get("/");
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    assert!(page.header("content-security-policy").unwrap().contains("default-src 'none'"));
    let text = page.text();
    for outside in ["http://", "https://", "<link", "@import", "src="] {
        assert!(!text.contains(outside), "{outside}");
    }
    let Some(chromium) = chromium() else { return };
    let script = GENERATE.replace("DROP", "0")
        + "return { cards: cards.length, chosen: cards.findIndex(card => card.classList.contains('chosen')),
             likely: cards.filter(card => card.classList.contains('likely')).length,
             rewards: cards.map(card => +card.querySelector('b').textContent), texts: cards.map(card => card.querySelector('.text').textContent),
             colours: new Set([...document.querySelectorAll('.text span')].map(span => span.style.background)).size,
             heads: [...document.getElementById('head').options].map(option => option.value), bold: document.querySelectorAll('.text b').length,
             wide: document.documentElement.scrollWidth <= innerWidth, status: document.getElementById('status').textContent };";
    let found = browser::probe(&chromium, &format!("http://{}/", with_script(&server, &script)), 300_000);
    let body = json!({"messages": [{"role": "user", "content": "Who wrote <b>it</b>?"}], "n": 5, "seed": 7, "max_tokens": 48, "temperature": 1.0});
    let expected = server.post("/v1/chat/completions", &body).ok();
    let choices = expected["choices"].as_array().unwrap();
    assert_eq!((&found["cards"], &found["likely"]), (&json!(5), &json!(1)), "{found:#}");
    // The page has them by their numbers, and the response the best first.
    let place_of = |choice: &Value| {
        let texts = found["texts"].as_array().unwrap();
        texts.iter().position(|text| *text == choice["message"]["content"]).unwrap()
    };
    for choice in choices {
        let shown = found["rewards"][place_of(choice)].as_f64().unwrap();
        assert!((shown - choice["reward"].as_f64().unwrap()).abs() < 1e-3, "{found:#}");
    }
    assert_eq!(found["chosen"], place_of(&choices[0]), "{found:#}");
    assert!(found["colours"].as_u64() > Some(5), "{found:#}");
    assert_eq!(
        (&found["heads"], &found["bold"], &found["wide"]),
        (&json!(["preference", "helpfulness"]), &json!(0), &json!(true))
    );
    assert_eq!(found["status"], "Seed 7");

    // Those that are dropped fade while others grow.
    let script = "
        const tokens = () => document.querySelectorAll('.text span').length;
        let first;
        new MutationObserver(() => { if (document.querySelector('article.dropped')) first ??= tokens(); })
            .observe(document.getElementById('answers'), { subtree: true, attributes: true });"
        .to_owned()
        + &GENERATE.replace("DROP", "4")
        + "return { dropped: cards.filter(card => card.classList.contains('dropped')).length, first, tokens: tokens() };";
    let found = browser::probe(&chromium, &format!("http://{}/", with_script(&server, &script)), 300_000);
    assert!(found["dropped"].as_u64() >= Some(2), "{found}");
    assert!(found["first"].as_u64() < found["tokens"].as_u64(), "{found}");
    // For whoever wants to see it.
    if let Some(path) = std::env::var_os("DPH_SCREENSHOT").map(PathBuf::from) {
        let address = format!("http://{}/", with_script(&server, &script));
        let shot = format!("--screenshot={}", path.display());
        browser::open(&chromium, &address, 300_000, &[&shot, "--window-size=1280,1000", "--hide-scrollbars"]);
    }
}

#[test]
fn pasted_answers_are_compared() {
    let place = tempfile::tempdir().unwrap();
    write_model_with_head(&place.path().join("model"), &llama(), &["preference"]);
    let server =
        Server::start_with(place.path(), &["model", "--max-answers", "6"], &[("DPH_API_KEYS", "secret")]);
    let Some(chromium) = chromium() else { return };
    let script = "
        const wait = async done => { for (let i = 0; i < 20000 && !done(); i++) await new Promise(go => setTimeout(go, 10)); };
        const key = document.getElementById('key');
        await wait(() => !document.getElementById('key-field').hidden);
        key.value = 'secret'; key.dispatchEvent(new Event('change'));
        await wait(() => document.getElementById('model').options.length);
        const isAsked = !document.getElementById('key-field').hidden, most = document.getElementById('n').max;
        document.getElementById('tab-generate').dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowRight', bubbles: true }));
        const isShown = !document.getElementById('compare').hidden && document.getElementById('generate').hidden;
        document.getElementById('question').value = 'Who?';
        document.getElementById('add').click();
        [...document.querySelectorAll('#pasted textarea')].forEach((area, index) => { area.value = ['Ann.', 'Bob wrote it.', 'Nobody knows'][index]; });
        document.getElementById('compare').requestSubmit();
        // The newest of two comparisons counts.
        document.getElementById('compare').requestSubmit();
        await wait(() => document.querySelectorAll('article').length === 3 && document.querySelector('article.chosen'));
        const cards = [...document.querySelectorAll('article')];
        const names = card => card.querySelector('span').textContent;
        const first = cards.map(names);
        document.querySelector('#pasted textarea').value = ' ';
        document.getElementById('compare').requestSubmit();
        await wait(() => document.querySelectorAll('article').length === 2 && document.querySelector('article.chosen'));
        const without = [...document.querySelectorAll('article')].map(names);
        const focused = [...document.querySelectorAll('input[type=range]')].every(slider => slider.labels.length === 1);
        return { first, without, focused, isShown, isAsked, most, texts: cards.map(card => card.querySelector('.text').textContent), rewards: cards.map(card => +card.querySelector('b').textContent) };";
    let found = browser::probe(&chromium, &format!("http://{}/", with_script(&server, script)), 300_000);
    let body = json!({"query": "Who?", "texts": ["Ann.", "Bob wrote it.", "Nobody knows"], "raw_scores": true, "return_text": true});
    let headers = [("Content-Type", "application/json"), ("Authorization", "Bearer secret")];
    let expected =
        server.send(&server::request("POST", "/rerank", &headers, body.to_string().as_bytes())).ok();
    let texts: Vec<&Value> = expected.as_array().unwrap().iter().map(|rank| &rank["text"]).collect();
    assert_eq!(
        (&found["isShown"], &found["isAsked"], &found["most"]),
        (&json!(true), &json!(false), &json!("6")),
        "{found:#}"
    );
    // Answers are numbered as they were pasted.
    let named = |names: &Value| {
        let mut names: Vec<String> = serde_json::from_value(names.clone()).unwrap();
        names.iter_mut().for_each(|name| *name = name.split_once(". ").unwrap().1.into());
        names.sort();
        names
    };
    assert_eq!(named(&found["first"]), ["Answer 1", "Answer 2", "Answer 3"]);
    assert_eq!(named(&found["without"]), ["Answer 2", "Answer 3"]);
    assert_eq!(found["focused"], true, "a slider has a name");
    assert_eq!(found["texts"].as_array().unwrap().iter().collect::<Vec<_>>(), texts);
    for (found, rank) in found["rewards"].as_array().unwrap().iter().zip(expected.as_array().unwrap()) {
        assert!((found.as_f64().unwrap() - rank["score"].as_f64().unwrap()).abs() < 1e-3);
    }
}
