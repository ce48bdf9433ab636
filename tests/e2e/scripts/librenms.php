<?php
// What LibreNMS asks and looks at, in our words: of SMSEagle the first two characters of the body, of playSMS
// that the status is not above 202. Numbers are kept a line each and joined by commas.
[, $transport, $base, $user, $secret, $mobiles, $title] = $argv;
$to = implode(',', preg_split('/[,\r\n]+/', $mobiles));
$url = match ($transport) {
    'smseagle' => "$base/index.php/http_api/send_sms?"
        . http_build_query(['login' => $user, 'pass' => $secret, 'to' => $to, 'message' => $title]),
    'playsms' => "$base/index.php?app=ws&op=pv&"
        . http_build_query(['u' => $user, 'h' => $secret, 'to' => $to, 'msg' => $title, 'from' => 'LibreNMS']),
};
$curl = curl_init($url);
curl_setopt($curl, CURLOPT_CUSTOMREQUEST, 'GET');
curl_setopt($curl, CURLOPT_RETURNTRANSFER, true);
$answer = curl_exec($curl);
$status = curl_getinfo($curl, CURLINFO_RESPONSE_CODE);
$is_sent = $transport === 'smseagle' ? str_starts_with((string) $answer, 'OK') : $status <= 202;
echo "$status $answer";
exit($is_sent ? 0 : 1);
