#!/bin/bash
# Signs a request: bash sign.sh ID TIMESTAMP NONCE, the secret in SECRET, the body on stdin.
set -euo pipefail

# For tries only: other users of this machine can see the secret in the list of processes.
# The body goes through a file: a shell variable would lose its line ends.
body=$(mktemp)
trap 'rm -f "$body"' EXIT
cat >"$body"
{
  if [ -s "$body" ]; then cat "$body"; printf .; fi
  printf '%s.%s.%s' "$1" "$2" "$3"
} | openssl dgst -sha256 -mac HMAC -macopt "key:$SECRET" -r | cut -d' ' -f1
