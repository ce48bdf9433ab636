//! Starting and ending.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use arc_swap::ArcSwap;
use sms_relay::http::{Behind, Figures, Listener, Server, Settings};

use super::support::{Door, Recorder, form, limits, sms};

#[tokio::test]
async fn shutdown_lets_a_request_end_and_closes_idle_connections() {
    let door = Door::open().await;
    let mut idle = door.connect().await;
    idle.send("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").await;
    idle.until("alive\n").await;
    let mut silent = door.connect().await;
    door.recorder.waits.store(true, Ordering::SeqCst);
    let mut busy = door.connect().await;
    busy.send("POST /sms HTTP/1.1\r\nHost: a\r\nContent-Length: 13\r\n\r\nto=391&text=a").await;
    door.recorder.arrived.notified().await;
    door.shutdown.send(true).unwrap();
    assert_eq!(idle.rest().await, "");
    assert_eq!(silent.rest().await, "");
    assert!(!door.running.is_finished());
    door.recorder.go.notify_one();
    let answer = busy.rest().await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
    assert_eq!(door.forms(), [form(&["391"], "a")]);
    let address = door.addresses[0];
    door.running.await.unwrap();
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_sender_that_is_gone_ends_the_server_too() {
    let door = Door::open().await;
    drop(door.shutdown);
    door.running.await.unwrap();
}

#[tokio::test]
async fn an_address_in_use_ends_the_start_and_is_named() {
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap();
    let settings = Settings {
        listeners: vec![Listener {
            name: "main".to_owned(),
            bind: address,
            allow_get: false,
            metrics: false,
            callbacks: false,
            sms: sms(false),
            profiles: Vec::new(),
            api: false,
            proxies: None,
            tls: None,
        }],
        limits: limits(),
    };
    let accounts = Arc::new(ArcSwap::from_pointee(Vec::new()));
    let recorder = Arc::new(Recorder::default());
    let behind = Behind { submitter: recorder.clone(), lookup: recorder.clone(), callbacks: recorder };
    let door = Arc::new(ArcSwap::from_pointee(None));
    let error =
        Server::bind(settings, accounts, door, behind, Figures::new(), Arc::default()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "HTTP listener `main` cannot listen on {address}: Address already in use (os error 98); \
             free the address or change it"
        )
    );
}
