//! A client that speaks word by word: what devices do and no library would.

use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use socket2::{Domain, Socket, Type};

use super::PATIENCE;

/// A connection. What it hears is whole replies, their lines joined by LF; "" once the server has closed.
pub struct Talk(BufReader<Stream>);

enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Talk {
    /// Connects, hears the greeting and says EHLO.
    pub fn greeted(relay: SocketAddr) -> Self {
        let mut talk = Self::to(relay);
        assert!(talk.hear().starts_with("220 "));
        assert!(talk.say("EHLO client.test").starts_with("250-"));
        talk
    }

    /// Connects and waits for nothing.
    pub fn to(relay: SocketAddr) -> Self {
        Self::from(Ipv4Addr::LOCALHOST, relay)
    }

    /// Connects with an address of its own, one of loopback.
    pub fn from(source: Ipv4Addr, relay: SocketAddr) -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::new(IpAddr::V4(source), 0).into()).unwrap();
        socket.connect(&relay.into()).unwrap();
        let stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self(BufReader::new(Stream::Plain(stream)))
    }

    /// Shakes hands with somebody whom `authority` vouches for.
    pub fn secure(self, authority: &str) -> Self {
        assert!(self.0.buffer().is_empty(), "nothing comes between the reply and the handshake");
        let Stream::Plain(mut stream) = self.0.into_inner() else { panic!("it has TLS already") };
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(authority.as_bytes()).unwrap()).unwrap();
        let config = ClientConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mut tls = ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap();
        while tls.is_handshaking() {
            tls.complete_io(&mut stream).unwrap();
        }
        Self(BufReader::new(Stream::Tls(Box::new(StreamOwned::new(tls, stream)))))
    }

    /// The serial number of the server's certificate.
    pub fn serial(&self) -> u64 {
        let Stream::Tls(stream) = self.0.get_ref() else { panic!("it has no TLS") };
        let certificate = &stream.conn.peer_certificates().unwrap()[0];
        let (_, parsed) = x509_parser::parse_x509_certificate(certificate).unwrap();
        parsed.serial.to_string().parse().unwrap()
    }

    /// The next reply.
    pub fn hear(&mut self) -> String {
        let mut reply = String::new();
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).unwrap_or(0) == 0 {
                return reply;
            }
            reply.push_str(line.trim_end());
            if line.as_bytes().get(3) != Some(&b'-') {
                return reply;
            }
            reply.push('\n');
        }
    }

    /// Sends octets as they are. The server may have closed meanwhile.
    pub fn send(&mut self, octets: &[u8]) {
        let stream = self.0.get_mut();
        let _ = stream.write_all(octets).and_then(|()| stream.flush());
    }

    /// The reply to AUTH PLAIN.
    pub fn login(&mut self, username: &str, password: &str) -> String {
        self.say(&format!("AUTH PLAIN {}", STANDARD.encode(format!("\0{username}\0{password}"))))
    }

    /// One whole mail of any octets, LF line ends, to all these. The reply to the final dot.
    pub fn mail(&mut self, from: &str, to: &[&str], mail: &[u8]) -> String {
        self.hand_in(from, to, mail);
        self.hear()
    }

    /// The same without waiting for that reply.
    pub fn hand_in(&mut self, from: &str, to: &[&str], mail: &[u8]) {
        assert_eq!(self.say(&format!("MAIL FROM:<{from}>")), "250 2.1.0 sender ok");
        for recipient in to {
            assert_eq!(self.say(&format!("RCPT TO:<{recipient}>")), "250 2.1.5 recipient ok");
        }
        assert!(self.say("DATA").starts_with("354 "));
        let lines = mail.split(|octet| *octet == b'\n').flat_map(|line| {
            let stuffed: &[u8] = if line.starts_with(b".") { b"." } else { b"" };
            [stuffed, line, b"\r\n"]
        });
        let mut octets = lines.collect::<Vec<_>>().concat();
        octets.extend_from_slice(b".\r\n");
        self.send(&octets);
    }

    /// Sends a line and hears the reply.
    pub fn say(&mut self, line: &str) -> String {
        self.send(format!("{line}\r\n").as_bytes());
        self.hear()
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(octets),
            Self::Tls(stream) => stream.write(octets),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}
