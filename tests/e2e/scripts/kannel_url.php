<?php
// Kannel's URL, put together as the scripts of its manual's readers do: latin1, and the answer's first character.
[, $url, $user, $password, $to, $text] = $argv;
$answer = @file_get_contents($url . '?' . http_build_query([
    'user' => $user,
    'pass' => $password,
    'to' => $to,
    'from' => 'PHP',
    'charset' => 'ISO-8859-1',
    'text' => iconv('UTF-8', 'ISO-8859-1', $text),
]));
if ($answer === false || $answer[0] !== '0') {
    fwrite(STDERR, "not sent\n");
    exit(1);
}
echo $answer;
