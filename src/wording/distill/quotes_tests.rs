//! Texts of replies, and of alerts that look like some.

use super::*;
use crate::wording::distill::Distilled;
use crate::wording::distill::Step;
use crate::wording::distill::signature;

fn kept(text: &str) -> String {
    let mut distilled = Distilled::whole(text);
    distilled.edit(Step::Quotes, &edits(text), signature::says_nothing_else);
    distilled.text.into_owned()
}

#[test]
fn quotes_go_with_their_attribution_in_any_language() {
    for attribution in [
        "On Mon, 3 Mar 2025 at 10:11, John Doe <john@example.com> wrote:",
        "On Mon, 3 Mar 2025 at 10:11, John Doe\n<john@example.com> wrote:",
        "On Mon, 3 Mar 2025 at 10:11, John Doe <john@example.com>\nwrote:",
        "On Monday, 3 March 2025 at 10:11,\nJohn Doe <john@example.com> wrote:",
        "On 3/3/25 10:11 AM, John Doe wrote:",
        "john@example.com wrote:",
        "Il giorno lun 3 mar 2025 alle ore 10:11 Mario Rossi <\nmario.rossi@example.com> ha scritto:",
        "Il 03/03/2025 10:11, Mario Rossi ha scritto:",
        "Am 03.03.2025 um 10:11 schrieb Jörg Weiß:",
        "Am 03.03.25 um 10:11 schrieb Jörg Weiß:",
        "Jörg Weiß <j@example.com> hat am 03.03.2025 10:11 geschrieben:",
        "Le lun. 3 mars 2025 à 10:11, Élodie Durand <e@example.com> a écrit :",
        "Le 03/03/2025 à 10:11, Élodie Durand a écrit\u{a0}:",
        "El lun, 3 mar 2025 a las 10:11, José (<j@example.com>) escribió:",
        "Em seg., 3 de mar. de 2025 às 10:11, João <j@example.com> escreveu:",
        "W dniu 3.03.2025 o 10:11, Łukasz pisze:",
        "pon., 3 mar 2025 o 10:11 Łukasz <l@example.com> napisał(a):",
        "Op ma 3 mrt 2025 om 10:11 schreef Jan <jan@example.com>:",
        "Den mån 3 mars 2025 kl 10:11 skrev Åsa <a@example.com>:",
        "ma 3. maalisk. 2025 klo 10.11 Väinö (v@example.com) kirjoitti:",
        "po 3. 3. 2025 v 10:11 odesílatel Jiří <j@example.com> napsal:",
        "Péter <p@example.com> ezt írta (időpont: 2025. márc. 3., H, 10:11):",
        "пн, 3 мар. 2025 г. в 10:11, Иван <i@example.com>:",
        "03.03.2025 10:11, Иван пишет:",
        "Στις Δευ 3 Μαρ 2025 στις 10:11, ο χρήστης Γιώργος <g@example.com> έγραψε:",
        "2025年3月3日(月) 10:11 山田 <y@example.com>:",
        "王 <w@example.com> 于2025年3月3日周一 10:11写道：",
        "2025년 3월 3일 (월) 오전 10:11, 김 <k@example.com>님이 작성:",
    ] {
        for (text, rest) in [
            (format!("Restart it.\n\n{attribution}\n> Disk full\n>\n> /var\n"), "Restart it.\n\n"),
            (format!("Yes.\n\n{attribution}\n\n> Disk full"), "Yes.\n\n"),
            (format!("{attribution}\n>Disk full\n>> what?\n\nRestart it."), "\nRestart it."),
            // Inside, as Apple's mailers write it.
            (format!("Ja.\n\n> {}\n> \n> Disk full\n", attribution.replace('\n', "\n> ")), "Ja.\n\n"),
            (format!("> {}\n>a\nYes.\n> b\n", attribution.replace('\n', "\n> ")), "Yes.\n"),
            (format!("{attribution}\n> a?\nYes.\n> b?\n\n> c?\nNo.\n"), "Yes.\nNo.\n"),
        ] {
            assert_eq!(kept(&text), rest, "{text}");
        }
    }
}

#[test]
fn the_mail_under_a_reply_goes() {
    for under in [
        "-----Original Message-----\nFrom: zabbix@example.com\n\nDisk full",
        "----- Original Message -----\nanything",
        "-----Messaggio originale-----\nDa: zabbix\nInviato: ieri\n\nDisco pieno",
        "-----Ursprüngliche Nachricht-----\nVon: z\n\nPlatte voll",
        "-----Message d'origine-----\r\nDe : z\r\n\r\nDisque plein",
        "-------- Mensaje original --------\nDisco lleno",
        "-----Исходное сообщение-----\nДиск заполнен",
        "________________________________\nFrom: z@example.com\nDate: Monday\nTo: a\nSubject: b\n\nDisk full",
        "________________________________\n\nVon: z@example.com\nGesendet: Montag\nBetreff: b\n\nPlatte voll",
        "From: Zabbix <z@example.com>\nDate: Monday, 3 March 2025 at 10:11\nTo: Ops\nSubject: Disk\n\nfull",
        "From: Zabbix <z@example.com>\nTo: Ops\nSent: Monday, 3 March 2025\nSubject: Disk\n\nfull",
        // Of HTML, without a blank line.
        "From: Zabbix\nSent: Monday\nTo: Ops\nSubject: Disk\nfull since 10:11",
        "From: Zabbix\nDate: Monday\nTo: Ops\nCc: IT\nSubject: Disk\nImportance: High\nDisk is full",
        "Von: Zabbix\nGesendet: Montag\nAn: Ops\nBetreff: Platte\nPlatte voll\nHost: web1",
        "差出人：Zabbix\n送信日時：月曜\n宛先：Ops\n件名：ディスク\n満杯",
        "From: Zabbix <z@example.com>\nSent: Monday, 3 March 2025 10:11\nTo: Ops; John; Mary;\n Jane\nSubject: Disk\n\nfull",
        "*From:* Zabbix\n*Sent:* Monday\n*To:* Ops\n*Cc:* IT\n*Subject:* Disk\n\nfull",
        "Da: Zabbix\nInviato: lunedì 3 marzo 2025 10:11\nA: Ops\nOggetto: Disco\n\npieno",
        "Von: Zabbix\nGesendet: Montag, 3. März 2025 10:11\nAn: Ops\nBetreff: Platte\n\nvoll",
        "De : Zabbix\nEnvoyé : lundi 3 mars 2025 10:11\nÀ : Ops\nObjet : Disque\n\nplein",
        "De\u{a0}: Zabbix\nEnvoyé\u{a0}: lundi\nÀ\u{a0}: Ops\nObjet\u{a0}: Disque\n\nplein",
        "De: Zabbix\nEnviado el: lunes\nPara: Ops\nAsunto: Disco\n\nlleno",
        "De: Zabbix\nEnviada em: segunda\nPara: Ops\nAssunto: Disco\n\ncheio",
        "Od: Zabbix\nWysłano: poniedziałek\nDo: Ops\nTemat: Dysk\n\npełny",
        "От: Zabbix\nОтправлено: понедельник\nКому: Ops\nТема: Диск\n\nзаполнен",
        "发件人: Zabbix\n发送时间: 2025年3月3日\n收件人: Ops\n主题: 磁盘\n\n已满",
        "差出人：Zabbix\n送信日時：月曜\n宛先：Ops\n件名：ディスク\n\n満杯",
    ] {
        assert_eq!(kept(&format!("Restart it.\n\n{under}")), "Restart it.\n\n", "{under}");
        let with_quote = format!("Restart it.\nOn 3 Mar 2025 J wrote:\n> a\n{under}");
        assert_eq!(kept(&with_quote), "Restart it.\n", "{under}");
        assert_eq!(kept(under), under, "nothing else is there");
        for signature in ["Sent from my iPhone", "-- \nJohn Doe"] {
            let text = format!("{signature}\n\n{under}");
            assert_eq!(kept(&text), text, "nothing else but a signature is there");
        }
    }
}

#[test]
fn alerts_lose_nothing() {
    for text in [
        // Thresholds.
        "PROBLEM\n> 90 % used on /var\n> 80 % used on /home",
        "Load average\n> 5.0",
        "> 90% used\nHost: web1",
        ">>> disk full <<<\nHost: web1",
        "At 10:11:\n> cpu 99 %",
        "Disks on 3 March 2025:\n> /var 91 %\n> /home 95 %",
        "CPU > 90 %",
        // Differences, from nightly jobs.
        "web1 setuid diffs:\n12a13,14\n> -r-sr-xr-x 1 root /usr/bin/x\n> -r-sr-xr-x 1 root /usr/bin/y",
        "< old\n---\n> new",
        // A prompt.
        ">>> import os\n>>> os.sep\n'/'",
        "$ ls > x\n> y",
        // Alerts about mails.
        "Virus found\nFrom: a@example.com\nTo: b@example.com\nSubject: Invoice\nDate: Mon, 3 Mar 2025\n\nEICAR in invoice.zip",
        "Quarantined\nFrom: a@example.com\nSent: Monday\nTo: b@example.com\nSubject: Invoice\nVirus: EICAR\n\nreleased by nobody",
        "Blocked\nFrom: a@example.com\nSent: Monday\nTo: b@example.com\nSubject: Invoice\nReason: EICAR\nsee log",
        "Blocked\nFrom: a@example.com\nSent: Monday\nTo: b;\n c\nSubject: Invoice\nEICAR found",
        "Blocked\nFrom: a@example.com\nTo: b@example.com\nDate: Monday\nSubject: Invoice\n\nEICAR found",
        "Blocked\nFrom: a@example.com\nTo: b@example.com\nSubject: Invoice\nSent: Monday\n\nEICAR found",
        "This mail was blocked:\n\nFrom: a@example.com\nSent: Monday\nTo: b@example.com\nSubject: Invoice\n\nEICAR",
        "Mail to the shop of 3.3.2025 (<a@example.com>) failed:\n> 550 no such user",
        "Fax\nFrom: +39 02 1234\nTo: 101\nPages: 3\n\nsee attachment",
        "Voicemail\nFrom: 101\nTo: 102\nDuration: 0:12",
        // Layout.
        "Alarm\n__________\nHost: web1\nFrom: UPS\n\nOn battery",
        "Alarm\n-----Details-----\nOn battery",
        "Alarm\n--Original Message-----\nOn battery",
        "Alarm\n-----Original Message--\nOn battery",
        "Alarm\n__________\nFrom: 10:11\nTo: 10:16\nOn battery",
        "Alarm\n__________\nFrom: 101\nDate: Monday\nOn battery",
        // Forwarded mails.
        "FYI\n---------- Forwarded message ---------\nFrom: Z\nDate: Monday\nTo: Ops\nSubject: Disk\nDisk full",
        "Begin forwarded message:\nFrom: Z\nDate: 3 March 2025\nTo: Ops\nSubject: Disk\nDisk full",
        "FYI\n\n---------- Forwarded message ---------\nFrom: Zabbix <z@example.com>\nDate: Mon, 3 Mar 2025\nSubject: Disk\nTo: Ops\n\nDisk full",
        "Begin forwarded message:\n\nFrom: Z\nDate: 3 March 2025\nTo: Ops\nSubject: Disk\n\nDisk full",
        // No quote behind it.
        "On 3 Mar 2025, J <j@example.com> wrote:\nDisk full",
        "On 3 Mar 2025, J <j@example.com> wrote:\n\n\n\n> Disk full\nx",
        "> a\n\n> b",
        // Not at the beginning of the quote, or no quote behind it.
        "> a\n> On 3 Mar 2025, J <j@example.com> wrote:\n> Disk full",
        "> On 3 Mar 2025, J <j@example.com> wrote:",
        "> On 3 Mar 2025, J\n> <j@example.com> wrote:\nDisk full",
        "> 90 % at 3 Mar 2025:\n> 95 %",
    ] {
        assert_eq!(kept(text), text);
        let with_words = format!("Look at web1\n\n{text}\n\nand at web2");
        assert_eq!(kept(&with_words), with_words);
    }
}

#[test]
fn a_header_without_a_mail_behind_it_stays() {
    for end in ["", "\n", "\n\n \n"] {
        let text =
            format!("Blocked\nFrom: a@example.com\nSent: Monday\nTo: b@example.com\nSubject: Invoice{end}");
        assert_eq!(kept(&text), text);
    }
}

#[test]
fn quotes_stay_where_nothing_else_is() {
    for text in [
        "On 3 Mar 2025, J <j@example.com> wrote:\n> Disk full",
        "On 3 Mar 2025, J <j@example.com> wrote:\n> Disk full\n\nSent from my iPhone",
        "Sent from my iPhone\n> On 3 Mar 2025, J <j@example.com> wrote:\n> Disk full",
    ] {
        assert_eq!(kept(text), text);
    }
}

#[test]
fn a_line_of_words_in_front_of_an_attribution_stays() {
    let text = "Restart it on 3 Mar 2025.\nJohn <john@example.com> wrote:\n> when?";
    assert_eq!(kept(text), "Restart it on 3 Mar 2025.\n");
    let text = "Down since 3 Mar 2025\nOn 4 Mar 2025, Jo wrote:\n> when?";
    assert_eq!(kept(text), "Down since 3 Mar 2025\n");
    // A single sign is a quote only as mailers write one.
    let text = "On 3 Mar 2025, J wrote:\n> a?\nNo,\n>90 % it is";
    assert_eq!(kept(text), "No,\n>90 % it is");
}
