#!/bin/sh
# Verifies the ledger with the last seal, and makes the next one.
# Seals are small, and are kept for ever. Copy them to where no administrator of the database writes.
set -eu
SEALS=${SEALS:-/var/lib/betcore/seals}
mkdir -p "$SEALS"
last=$(find "$SEALS" -name '*.json' | sort | tail -n 1)
betcore ledger verify ${last:+--seal "$last"}
part=$SEALS/$(date -u +%Y%m%dT%H%M%SZ)
betcore ledger seal --out "$part.part"
mv "$part.part" "$part.json"
