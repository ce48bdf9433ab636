#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

#[test]
fn one_time_passwords_are_known() {
    let mut wrong = Vec::new();
    for text in [
        "Your verification code is 482913",
        "Your Acme code is 482913. Don't share it with anyone.",
        "482913 is your Acme verification code.",
        "G-482913 is your Google verification code.",
        "<#> Your ExampleApp code is: 123456\nFA+9qCX9VSu",
        "Use code 482913 to log in to your account",
        "Use 482913 to verify your login at the portal",
        "Your one-time password is 48291",
        "One-Time Password: 482913",
        "OTP: 482913",
        "Your OTP for the payment of EUR 120.00 at SHOP 24 is 482913.",
        "123 456 is your Instagram code",
        "Your code: 123-456",
        "PIN: 4821",
        "Your login PIN is 4821",
        "Code: 482913 (valid for 5 minutes)",
        "Example code.\n\n@example.com #482913",
        "Passcode 482913",
        "Your access code is 7KX9Q2",
        "SMS passcode: 482913",
        "Dein Bestätigungscode lautet 482913",
        "Ihr Sicherheitscode: 482913",
        "482913 ist Ihr Code für die Anmeldung.",
        "Ihre TAN für die Überweisung über 120,00 EUR auf das Konto DE12...89: 482913",
        "mTAN 482913 fuer Auftrag von 14:02",
        "Ihr Einmalpasswort ist 482913",
        "Votre code de vérification est 482913",
        "Code de sécurité : 482913",
        "482913 est votre code de connexion",
        "Tu código de verificación es 482913",
        "Su clave es 4829",
        "Il tuo codice di verifica è 482913",
        "Codice di sicurezza: 482913",
        "Uw verificatiecode is 482913",
        "Je beveiligingscode: 482913",
        "O seu código de confirmação é 482913",
        "Twój kod weryfikacyjny to 482913",
        "Váš ověřovací kód je 482913",
        "Din engångskod är 482913",
        "Din engangskode er 482913",
        "Vahvistuskoodisi on 482913",
        "Ваш код подтверждения: 482913",
        "Doğrulama kodunuz: 482913",
        "Az Ön ellenőrző kódja: 482913",
        "Codul dvs. de verificare este 482913",
        "Ο κωδικός επαλήθευσής σας είναι 482913",
    ] {
        wrong.extend((!is_one_time_password(text)).then_some(text));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn alarms_are_not_taken_for_one_time_passwords() {
    let mut wrong = Vec::new();
    for text in [
        "",
        "482913",
        "Error code 5012",
        "Error code: 5012 on PLC 3",
        "Fault. Code: 5012",
        "event code 4625",
        "Event code: 4625, your attention is needed",
        "PIN pad offline",
        "PIN pad 4821 offline",
        "HTTP status code 5003 from the portal",
        "Job backup ended with exit code 1370",
        "Code d'erreur 5012",
        "Code erreur : 5012",
        "Codice di errore: 5012",
        "Código de error 5012",
        "Kod błędu: 5012",
        "Fehlercode 5012",
        "Fehler-Code: 5012",
        "Failed password for root from 10.0.0.1 port 52344 ssh2",
        "Failed password for invalid user 4821 from 192.0.2.7",
        "Too many OTP failures for user 10023",
        "OTP server: 5012 errors",
        "2FA service down, ticket 48291",
        "Password of account 48291 expires in 14 days",
        "Password changed: 4723",
        "Your password expires in 14 days. Ticket: 482913",
        "Verification of backup 20261122 failed",
        "Backup verification: 20261122 files",
        "Certificate valid until 2026-11-22, serial 482913",
        "Access denied: badge 48291 at door 3",
        "Security alarm: zone 4821",
        "Door code changed by user 4821",
        "Postal code 80331",
        "Sensor code: 4821",
        "Product code: 482913",
        "UPS on battery, 4821 VA, code 3",
        "Disk usage 91% on srv1, code 12",
        "Login from 192.0.2.7:52344",
        "Tan 4821",
        "source code: 482913 lines",
        "Sicherheitssystem Zone 4821 ausgelöst",
        "Kühlhaus 3: Code 4821",
        "Your server has error code 5012",
        "Status: 5012. Code freeze.",
        "123456 - link down",
        "Wrong PIN: 4821",
        "code 1.2.3.4000",
        "Verification code 12",
        "Verification code 12345678901",
    ] {
        wrong.extend(is_one_time_password(text).then_some(text));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn hostile_texts_take_no_longer_than_others() {
    for piece in ["code ", "1234 ", "your code 12 ", "a-", "123 ", "\u{130}", "one time "] {
        is_one_time_password(&piece.repeat(200_000));
    }
}

proptest! {
    #[test]
    fn nothing_panics(text in "(code|your|[0-9]{1,6}|is|-|:|[.] |PIN|G|\\PC| ){0,30}") {
        is_one_time_password(&text);
    }
}
