//! The demo's clients: a printer that mails and a machine that posts a form.

use std::net::SocketAddr;

use anyhow::Context;
use lettre::message::{Attachment, MultiPart, SinglePart, header::ContentType};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};

/// Mails as a multifunction printer does: a text, the same as HTML, and the scan. Returns the reply
/// to the final dot.
pub(super) async fn printer_mail(relay: SocketAddr, recipient: &str) -> anyhow::Result<String> {
    let text = "Paper jam in tray 2.\r\nLocation: 3rd floor, café side.\r\nJob 4711 is waiting.";
    let html =
        "<html><body><h1>Paper jam in tray 2.</h1><p>Location: 3rd floor, caf&eacute; side.</body></html>";
    let body = MultiPart::mixed()
        .multipart(MultiPart::alternative_plain_html(text.to_owned(), html.to_owned()))
        .singlepart(scan()?);
    let mail = Message::builder()
        .from("Printer 3F <printer@example.com>".parse()?)
        .to(format!("<{recipient}>").parse()?)
        .subject("Störung: Drucker 3F")
        .multipart(body)?;
    let transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(relay.ip().to_string())
        .port(relay.port())
        .build();
    let response = transport.send(mail).await.context("the relay did not take the mail")?;
    Ok(format!("{} {}", response.code(), response.message().collect::<Vec<_>>().join(" ")))
}

fn scan() -> anyhow::Result<SinglePart> {
    Ok(Attachment::new("scan.pdf".to_owned())
        .body(b"%PDF-1.4 not a page".to_vec(), ContentType::parse("application/pdf")?))
}

/// Posts a form as an appliance does. Returns the answer.
pub(super) async fn form(relay: SocketAddr, to: &str, text: &str) -> anyhow::Result<String> {
    let form = form_urlencoded::Serializer::new(String::new())
        .append_pair("to", to)
        .append_pair("text", text)
        .finish();
    // Plain text on loopback needs no certificate roots.
    let client = reqwest::Client::builder().tls_certs_only([]).no_proxy().build()?;
    let response = client
        .post(format!("http://{relay}/sms"))
        .header("Content-Type", "application/x-www-form-urlencoded")
        .body(form)
        .send()
        .await
        .context("the relay did not answer the form")?
        .error_for_status()?;
    Ok(format!("{} {}", response.status(), response.text().await?.trim().replace('\n', " ")))
}
