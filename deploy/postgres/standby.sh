#!/bin/sh
# Starts a standby of the server `postgres`. An empty volume is filled with a copy of it first.
# usage: standby.sh OPTIONS-OF-POSTGRES
# To rebuild a standby, remove its container and its volume.
set -eu
umask 077
echo "*:*:*:replication:$(cat /run/secrets/postgres_replication_password)" > /tmp/pgpass
export PGPASSFILE=/tmp/pgpass PGHOST=postgres PGUSER=replication

if [ ! -s "$PGDATA/PG_VERSION" ]; then
    # The primary keeps its log for the standby: at most max_slot_wal_keep_size of it.
    psql --no-psqlrc --quiet --dbname betcore --set ON_ERROR_STOP=1 <<'END'
        select pg_drop_replication_slot(slot_name) from pg_replication_slots
        where slot_name = 'standby' and not active;
        select pg_create_physical_replication_slot('standby', true);
END
    # It gets its name at the end, so that an interrupted copy is never started.
    rm -rf "$PGDATA.unfinished"
    mkdir -p "$(dirname "$PGDATA")"
    pg_basebackup --pgdata="$PGDATA.unfinished" --checkpoint=fast --wal-method=stream --progress \
        --slot=standby --write-recovery-conf --no-password \
        --dbname="host=postgres user=replication passfile=/tmp/pgpass application_name=standby"
    rm -rf "$PGDATA"
    mv "$PGDATA.unfinished" "$PGDATA"
fi
# PGHOST and PGUSER are of the commands above, and not of the health check.
unset PGHOST PGUSER
exec postgres "$@"
