<?php
// PHP's curl extension: an array of fields becomes multipart/form-data.
[, $url, $user, $password, $to, $text] = $argv;
$curl = curl_init($url);
curl_setopt_array($curl, [
    CURLOPT_POSTFIELDS => ['number' => $to, 'message' => $text],
    CURLOPT_USERPWD => "$user:$password",
    CURLOPT_RETURNTRANSFER => true,
    CURLOPT_TIMEOUT => 30,
]);
$answer = curl_exec($curl);
$status = curl_getinfo($curl, CURLINFO_RESPONSE_CODE);
echo "$status $answer";
exit($status === 200 ? 0 : 1);
