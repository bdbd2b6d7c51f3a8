<?php
// Signs a request: php sign.php ID TIMESTAMP NONCE, the secret in SECRET, the body on stdin.

// $body has the very bytes that are sent; it is empty for a GET.
function sign(string $secret, string $body, string $counterpartyId, string $timestamp, string $nonce): string
{
    $parts = [$counterpartyId, $timestamp, $nonce];
    $message = implode('.', $body === '' ? $parts : [$body, ...$parts]);
    return hash_hmac('sha256', $message, $secret);
}

echo sign(getenv('SECRET'), stream_get_contents(STDIN), $argv[1], $argv[2], $argv[3]), "\n";
