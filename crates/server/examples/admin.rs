//! A server with the admin API, on ports that the system chooses: prints where, and serves until its standard input
//! ends.
//!
//! `cargo run -p wigwag-server --example admin -- [TOKEN]`

use std::error::Error;
use std::{io, thread};

use tokio::sync::oneshot;
use wigwag_server::{AdminConfig, Config, Secret, Server};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let token = std::env::args().nth(1).map(Secret::new).transpose()?;
    let server = Server::bind(Config {
        host: "127.0.0.1".to_owned(),
        port: 0,
        text_port: Some(0),
        admin: Some(AdminConfig {
            port: 0,
            token,
            ..AdminConfig::default()
        }),
        ..Config::default()
    })
    .await?;
    println!("signalling at {}", server.url());
    println!("text protocol at {}", server.text_url().unwrap_or_default());
    println!("admin API at {}", server.admin_url().unwrap_or_default());
    let (stop, stopped) = oneshot::channel::<()>();
    thread::spawn(move || {
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        drop(stop);
    });
    server
        .run(async {
            let _ = stopped.await;
        })
        .await;
    Ok(())
}
