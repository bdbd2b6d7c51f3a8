#!/bin/sh
# Makes every password and key that docker-compose.yml needs, one file each, in the folder `secrets`.
# It keeps each password and key that is there already, so it is safe to run it again. To replace
# one, remove its file, run this again, and follow "Mend" in docs/OPERATIONS.md.
set -eu
cd "$(dirname "$0")/.."
mkdir -p secrets
# Nobody but the owner can enter the folder. The containers can read the files, which are mounted
# one by one, and run as different users.
chmod 700 secrets
umask 022

# Passwords are hexadecimal, so that URLs need no escapes.
make_once() {
    [ ! -s "secrets/$1" ] || return 0
    openssl rand -hex 32 > "secrets/$1.part"
    mv "secrets/$1.part" "secrets/$1"
    echo "made secrets/$1" >&2
}

password() {
    make_once "$1"
    cat "secrets/$1"
}

for key in journal_key operator_key secrets_key dashboard_password grafana_password; do
    make_once "$key"
done
make_once postgres_password
make_once postgres_replication_password

# Both servers of PostgreSQL are named, so that a failover to the standby needs no other URL.
servers='postgres:5432,standby:5432/betcore?target_session_attrs=read-write'
for role in migrator gateway worker operator; do
    secret=$(password "postgres_${role}_password")
    echo "postgresql://$role:$secret@$servers" > "secrets/database_url_$role"
done
for role in gateway worker portal dashboard operator; do
    secret=$(password "redis_${role}_password")
    echo "redis://$role:$secret@redis:6379/0" > "secrets/redis_url_$role"
done
