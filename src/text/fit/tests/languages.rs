//! A sentence of an alert in each of many languages, and what comes of it.

use super::*;

/// As sentence, parts as it is; and what `always` writes in one part of GSM.
const OTHER_SCRIPTS: [(&str, u32, &str); 5] = [
    // Greek
    (
        "Προσοχή: η ψύξη σταμάτησε, η θερμοκρασία είναι 41 °C. Ελέγξτε αμέσως το μηχάνημα 3.",
        2,
        "ΠPOΣOXH: H ΨYΞH ΣTAMATHΣE, H ΘEPMOKPAΣIA EINAI 41 C. EΛEΓΞTE AMEΣΩΣ TO MHXANHMA 3.",
    ),
    // Russian
    (
        "Внимание: охлаждение серверной остановлено, температура 41 °C. Срочно проверьте.",
        2,
        "Vnimanie: okhlazhdenie servernoi ostanovleno, temperatura 41 C. Srochno prover'te.",
    ),
    // Arabic
    (
        "تنبيه: توقف التبريد في غرفة الخوادم ودرجة الحرارة 41 درجة. يرجى الفحص فوراً من فضلكم.",
        2,
        "tnbyh: twqf altbryd fy Grfh alkhwadm wdrjh alHrarh 41 drjh. yrja alfHS fwraan mn fDlkm.",
    ),
    // Japanese
    (
        "警告:サーバー室の冷房が停止しました。温度は41度です。すぐに確認してください。",
        1,
        "Jing Gao:sa-ba-Shi noLeng Fang gaTing Zhi simasita. Wen Du ha41Du desu. suguniQue Ren sitekudasai.",
    ),
    // Hindi
    (
        "चेतावनी: सर्वर कक्ष का तापमान 41 डिग्री है। कृपया तुरंत जाँच करें।",
        1,
        "cetaavnii: srvr kkss kaa taapmaan 41 ddigrii hai. kRpyaa turNt jaaNc kreN.",
    ),
];

/// A sentence of two parts, and how `auto` and `always` both write it in one.
const LATIN: [(&str, &str); 11] = [
    // Italian
    (
        "Allarme: la temperatura della sala server è di 41 °C, più del limite. Perché? L’impianto s’è fermato già da un’ora.",
        "Allarme: la temperatura della sala server è di 41 C, più del limite. Perché? L'impianto s'è fermato già da un'ora.",
    ),
    // German
    (
        "Störung: Die Kühlung im Serverraum ist ausgefallen – bitte prüfen Sie „Anlage 3“, größte Überhitzung seit März.",
        "Störung: Die Kühlung im Serverraum ist ausgefallen - bitte prüfen Sie \"Anlage 3\", größte Überhitzung seit März.",
    ),
    // French
    (
        "Alerte : la température du local « serveurs » dépasse 30 °C, ça chauffe, contrôlez l’armoire nº 3 dès que possible.",
        "Alerte : la température du local \" serveurs \" dépasse 30 C, ca chauffe, controlez l'armoire no 3 dès que possible.",
    ),
    // Spanish
    (
        "Atención: ¿quién está de guardia? La refrigeración se apagó a las 3 de la mañana y el número de averías sube.",
        "Atencion: ¿quién esta de guardia? La refrigeracion se apago a las 3 de la mañana y el numero de averias sube.",
    ),
    // Portuguese
    (
        "Atenção: a refrigeração do salão não está a funcionar, é preciso verificar já o módulo três; não há energia.",
        "Atencao: a refrigeracao do salao nao esta a funcionar, é preciso verificar ja o modulo tres; nao ha energia.",
    ),
    // Polish
    (
        "Uwaga: awaria klimatyzacji w serwerowni, temperatura wzrosła do 41 °C. Proszę natychmiast sprawdzić urządzenie.",
        "Uwaga: awaria klimatyzacji w serwerowni, temperatura wzrosla do 41 C. Prosze natychmiast sprawdzic urzadzenie.",
    ),
    // Czech
    (
        "Pozor: porucha chlazení v serverovně, teplota stoupla na 41 °C. Prosím okamžitě zkontrolujte zařízení číslo 3.",
        "Pozor: porucha chlazeni v serverovne, teplota stoupla na 41 C. Prosim okamzite zkontrolujte zarizeni cislo 3.",
    ),
    // Hungarian
    (
        "Figyelem: a szerverterem hűtése leállt, a hőmérséklet 41 °C. Kérjük, azonnal ellenőrizze a készüléket, őrszem.",
        "Figyelem: a szerverterem hütése leallt, a hömérséklet 41 C. Kérjük, azonnal ellenörizze a készüléket, örszem.",
    ),
    // Turkish
    (
        "Dikkat: sunucu odasının soğutması durdu, sıcaklık 41 °C oldu. Lütfen cihazı hemen kontrol ediniz, İlk Çağrı.",
        "Dikkat: sunucu odasinin sogutmasi durdu, sicaklik 41 C oldu. Lütfen cihazi hemen kontrol ediniz, Ilk Çagri.",
    ),
    // Romanian
    (
        "Atenție: răcirea camerei serverelor s-a oprit, temperatura a ajuns la 41 °C. Vă rugăm să verificați și priza.",
        "Atentie: racirea camerei serverelor s-a oprit, temperatura a ajuns la 41 C. Va rugam sa verificati si priza.",
    ),
    // Swedish
    (
        "Varning: kylan i serverrummet har stannat, temperaturen är 41 °C. Åk dit och kontrollera fläktarna på våning två.",
        "Varning: kylan i serverrummet har stannat, temperaturen är 41 C. Åk dit och kontrollera fläktarna på våning två.",
    ),
];

#[test]
fn languages_in_latin_letters_fit_into_one_part_by_auto() {
    for (sentence, written) in LATIN {
        let sent = |transliteration| only(sentence, &Fitting { transliteration, ..Fitting::in_parts(9) });
        assert_eq!(sent(Transliteration::Off), (sentence.to_owned(), Encoding::Ucs2, 2));
        assert_eq!(sent(Transliteration::Auto), (written.to_owned(), Encoding::Gsm7, 1));
        assert_eq!(sent(Transliteration::Always), (written.to_owned(), Encoding::Gsm7, 1));
    }
}

#[test]
fn other_scripts_stay_by_auto_and_are_written_by_sound_by_always() {
    for (sentence, parts, written) in OTHER_SCRIPTS {
        let sent = |transliteration| only(sentence, &Fitting { transliteration, ..Fitting::in_parts(9) });
        assert_eq!(sent(Transliteration::Off), (sentence.to_owned(), Encoding::Ucs2, parts));
        assert_eq!(sent(Transliteration::Auto), (sentence.to_owned(), Encoding::Ucs2, parts));
        assert_eq!(sent(Transliteration::Always), (written.to_owned(), Encoding::Gsm7, 1));
    }
}
