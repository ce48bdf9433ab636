<?php
// A form by file_get_contents, as scripts on small devices and in old ticket systems send one.
[, $url, $user, $password, $charset, $to, $text] = $argv;
$context = stream_context_create(['http' => [
    'method' => 'POST',
    'header' => "Content-Type: application/x-www-form-urlencoded; charset=$charset\r\n"
        . 'Authorization: Basic ' . base64_encode("$user:$password") . "\r\n",
    'content' => http_build_query(['to' => $to, 'text' => iconv('UTF-8', $charset, $text)]),
    'timeout' => 30,
]]);
$answer = file_get_contents($url, false, $context);
if ($answer === false) {
    exit(1);
}
echo $answer;
