#!/bin/sh
# Starts a standby of the server `postgres`. An empty volume is filled with a copy of it first.
# usage: standby.sh OPTIONS-OF-POSTGRES
# To rebuild a standby, remove its container and its volume.
set -eu
umask 077
export PGPASSFILE="${PGPASSFILE:-/tmp/pgpass}" PGHOST="${PGHOST:-postgres}"
export PGUSER="${PGUSER:-replication}"
password=$(cat "${PASSWORD_FILE:-/run/secrets/postgres_replication_password}")
echo "*:*:*:$PGUSER:$password" > "$PGPASSFILE"

if [ ! -s "$PGDATA/PG_VERSION" ]; then
    # The primary keeps its log for the standby: at most max_slot_wal_keep_size of it.
    psql --no-psqlrc --quiet --dbname betcore --set ON_ERROR_STOP=1 > /dev/null <<'END'
        select pg_drop_replication_slot(slot_name) from pg_replication_slots
        where slot_name = 'standby' and not active;
        select pg_create_physical_replication_slot('standby', true);
END
    # It gets its name at the end, so that an interrupted copy is never started. While it is copied,
    # it must not be called `standby`: bets would be answered because the copy has their log.
    rm -rf "$PGDATA.unfinished"
    mkdir -p "$(dirname "$PGDATA")"
    pg_basebackup --pgdata="$PGDATA.unfinished" --checkpoint=fast --wal-method=stream \
        --slot=standby --no-password --dbname="application_name=copy"
    # What `alter system` had set is of the primary.
    : > "$PGDATA.unfinished/postgresql.auto.conf"
    touch "$PGDATA.unfinished/standby.signal"
    sync
    rm -rf "$PGDATA"
    mv "$PGDATA.unfinished" "$PGDATA"
fi
# After a promotion there is no standby.signal any more, and these two settings have no effect.
exec postgres "$@" -c primary_slot_name=standby \
    -c "primary_conninfo=host=$PGHOST user=$PGUSER passfile=$PGPASSFILE application_name=standby"
