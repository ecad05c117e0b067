//! The way to the service: streams over the one way out, with TLS unless a stand-in is spoken to in clear.

use std::io;

use tokio::time::{Duration, Instant};
use wire_whatsapp::{Connecting, Connector, Stream, Target};

use crate::kernel::egress::Egress;

/// For the name, the connection and TLS; the greeting has some time more.
const TIME: Duration = Duration::from_secs(15);

/// Connects through the egress policy.
pub struct Way(pub Egress);

impl Connector for Way {
    fn connect<'a>(&'a self, target: Target<'a>) -> Connecting<'a> {
        Box::pin(async move {
            let deadline = Instant::now() + TIME;
            let stream: Result<Box<dyn Stream>, _> = if target.secure {
                self.0
                    .connect_tls(target.host, target.port, deadline)
                    .await
                    .map(|stream| Box::new(stream) as _)
            } else {
                self.0.connect(target.host, target.port, deadline).await.map(|stream| Box::new(stream) as _)
            };
            stream.map_err(|error| io::Error::other(error.code()))
        })
    }
}
