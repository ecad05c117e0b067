//! `vestibule backup` and `vestibule health`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use hyper::header::HeaderMap;
use ipnet::IpNet;
use vestibule::kernel::egress::{Egress, Request, Setup};
use vestibule::store::Error;

/// Copies the embedded database.
pub async fn backup(file: PathBuf) -> anyhow::Result<()> {
    let core = super::quiet_core().await?;
    match core.connect.store().backup(&file).await {
        Ok(()) => {}
        Err(Error::Conflict) => bail!("{} exists already; name a new file", file.display()),
        Err(Error::NotFound) => bail!("this is PostgreSQL: back it up with pg_dump (docs/operations.md)"),
        Err(error) => return Err(anyhow!(error).context("the copy could not be written")),
    }
    eprintln!(
        "{} holds the database as it was at one moment. Keep the key file ({}) elsewhere: without it this copy cannot be \
         read, and whoever has both can read everything.",
        file.display(),
        core.config.keys.file.display()
    );
    Ok(())
}

/// Asks the server with these settings whether it is ready; for containers, which have no other program to ask with.
pub async fn health() -> anyhow::Result<()> {
    let config = super::load()?;
    let mut address = config.server.listen;
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    let own = Setup { allow: vec![IpNet::from(address.ip())], ..Setup::default() };
    let request = Request {
        method: hyper::Method::GET,
        url: format!("http://{address}/readyz").parse()?,
        headers: HeaderMap::new(),
        body: hyper::body::Bytes::new(),
        time_limit: Duration::from_secs(5),
        size_limit: 1024,
    };
    let egress = Egress::new(own).map_err(anyhow::Error::msg)?;
    let answer = egress.send(request).await.context("the server does not answer")?;
    let said = String::from_utf8_lossy(&answer.body).trim().to_owned();
    if !answer.status.is_success() {
        bail!("{said}");
    }
    println!("{said}");
    Ok(())
}
