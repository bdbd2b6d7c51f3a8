#!/bin/sh
# Runs logins.sql with the passwords in /run/secrets.
set -eu
for role in migrator gateway worker operator replication; do
    password=$(cat "/run/secrets/postgres_${role}_password")
    export "$(echo "$role" | tr '[:lower:]' '[:upper:]')_PASSWORD=$password"
done
PGPASSWORD=$(cat /run/secrets/postgres_password)
export PGPASSWORD
exec psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --file /etc/betcore/logins.sql
