//! Where no platform answers.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use socket2::{Domain, Socket, Type};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::words::Why;

const SERVER: &[u8] = include_bytes!("../../src/gateway/testdata/server.pem");
const KEY: &[u8] = include_bytes!("../../src/gateway/testdata/server.key");
/// It has not signed the certificate.
pub const STRANGER: &[u8] = include_bytes!("../../src/gateway/testdata/stranger.pem");

pub struct Places {
    /// Bound and not listening: nobody else can take the port, and every connection is refused.
    refused: Socket,
    tls: SocketAddr,
    _tasks: JoinSet<()>,
}

impl Places {
    pub async fn open() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let refused = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        refused.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        let config = rustls::ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(
                vec![CertificateDer::from_pem_slice(SERVER).unwrap()],
                PrivateKeyDer::from_pem_slice(KEY).unwrap(),
            )
            .unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let tls = listener.local_addr().unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // The client turns away from the certificate.
                assert!(acceptor.accept(stream).await.is_err(), "the client trusts a stranger");
            }
        });
        Self { refused, tls, _tasks: tasks }
    }

    pub fn base_url(&self, why: Why) -> String {
        match why {
            Why::Refused => {
                let address = self.refused.local_addr().unwrap().as_socket().unwrap();
                format!("http://{address}")
            }
            // RFC 6761 section 6.4: this name never resolves.
            Why::Dns => "http://platform.invalid".to_owned(),
            Why::Tls => format!("https://{}", self.tls),
        }
    }
}
