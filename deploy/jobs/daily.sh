#!/bin/sh
# Runs a command now and then every 24 hours. The file /tmp/failed exists while its last run failed.
# usage: daily.sh COMMAND ARGUMENTS
while :; do
    if "$@"; then rm -f /tmp/failed; else touch /tmp/failed; fi
    sleep 86400 &
    wait $!
done
