//! The mails that several benchmarks read.

/// An alert of 2 KiB as a UPS card sends it.
pub(crate) fn alert() -> String {
    let mut mail = String::from(
        "Received: from ups1 by relay.example.com; Mon, 1 Jan 2024 00:00:00 +0000\r\n\
         From: =?utf-8?q?Caf=C3=A9?= UPS <ups1@example.com>\r\nTo: 393471234567@sms.local\r\n\
         Subject: =?utf-8?Q?Batter=C3=ADa_baja?=\r\nMessage-ID: <1@ups1.example.com>\r\n\
         MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\
         Content-Transfer-Encoding: quoted-printable\r\n\r\n",
    );
    while mail.len() < 2048 {
        mail.push_str(
            "Input 231 V, battery 80 %, load 41 %, temperature 27 =C2=B0C, time left=\r\n 12 min\r\n",
        );
    }
    mail
}

/// A report of 100 KiB: HTML and an attachment, in nested multiparts.
pub(crate) fn report() -> String {
    let mut mail = String::from(
        "From: printer@example.com\r\nSubject: Scan\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/mixed; boundary=outer\r\n\r\n--outer\r\n\
         Content-Type: multipart/alternative; boundary=inner\r\n\r\n--inner\r\n\
         Content-Type: text/html; charset=utf-8\r\n\r\n<html><head><style>p{}</style></head><body>",
    );
    mail.push_str(&"<tr><td>Tray 1</td><td>empty&nbsp;&mdash; <b>refill</b></td></tr>\r\n".repeat(300));
    mail.push_str("</body></html>\r\n--inner--\r\n--outer\r\nContent-Type: application/pdf\r\n");
    mail.push_str(
        "Content-Disposition: attachment; filename=scan.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n",
    );
    while mail.len() < 100 * 1024 {
        mail.push_str("JVBERi0xLjQKJcfsj6IKNSAwIG9iago8PC9MZW5ndGggNiAwIFIvRmlsdGVyIC9GbGF0ZUQ=\r\n");
    }
    mail + "--outer--\r\n"
}

/// An alert of 2 KiB in ASCII as a monitor sends it.
pub(crate) fn plain() -> String {
    let mut mail = String::from(
        "Received: from mon by relay.example.com; Mon, 1 Jan 2024 00:00:00 +0000\r\n\
         From: Monitor <ups2@example.com>\r\nTo: oncall@sms.local\r\n\
         Subject: Problem: battery of rack 7\r\nMessage-ID: <2@mon.example.com>\r\n\
         MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\
         Content-Transfer-Encoding: 8bit\r\n\r\n\
         Problem started at 03:12:44 on 2024.01.01\r\nSeverity: High\r\nHost: rack7\r\n",
    );
    while mail.len() < 2048 {
        mail.push_str("Operational data: battery 80 %, load 41 %, 12 minutes left\r\n");
    }
    mail
}
