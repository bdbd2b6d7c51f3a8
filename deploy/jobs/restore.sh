#!/bin/sh
# Fills an empty PGDATA from a folder of backup.sh: as the server was at one moment, or at the end
# of the copied log. It overwrites nothing. docs/OPERATIONS.md, "Restore", says what to do then.
# usage: restore.sh [TIME]    such as '2026-01-31 12:00:00Z'
set -eu
umask 077
BACKUPS=${BACKUPS:-/var/lib/postgresql/backups}
sockets=$(mktemp -d)
part=$PGDATA.unfinished

fail() {
    echo "restore.sh: $*" >&2
    exit 1
}

# The newest copy that ended before the moment.
chosen=
moment=${1:+$(date -u -d "$1" +%s%N)}
for about in "$BACKUPS"/*Z/backup.json; do
    [ -e "$about" ] || fail "$BACKUPS has no finished backup"
    ended=$(sed -n 's/.*"finished_at" *: *"\([^"]*\)".*/\1/p' "$about" | tr -d '\n')
    if [ -z "$moment" ] || [ "$(date -u -d "$ended" +%s%N)" -lt "$moment" ]; then
        chosen=$(dirname "$about")
    fi
done
[ -n "$chosen" ] || fail "no backup ended before $1"
[ ! -e "$PGDATA" ] || [ -z "$(ls -A "$PGDATA")" ] || fail "$PGDATA is not empty: use a new volume"
[ ! -e "$part" ] || fail "$part is from an unfinished restore: remove it"

echo "restoring $chosen"
mkdir -p "$(dirname "$PGDATA")"
cp -a "$chosen/base" "$part"
# What `alter system` had set is not restored. It could name a standby that does not exist yet.
: > "$part/postgresql.auto.conf"
rm -f "$part/standby.signal"
touch "$part/recovery.signal"
cat > "$part/restore_command.sh" <<END
# The last file of the log is incomplete. PostgreSQL reads as far as it goes.
for folder in "$BACKUPS"/wal*; do
    cp "\$folder/\$1" "\$2" 2> /dev/null && exit 0
    cp "\$folder/\$1.partial" "\$2" 2> /dev/null && exit 0
done
exit 1
END
cat > "$part/restore.conf" <<END
listen_addresses = ''
unix_socket_directories = '$sockets'
hba_file = '$sockets/pg_hba.conf'
hot_standby = off
restore_command = 'sh restore_command.sh "%f" "%p"'
recovery_target_action = promote
END
echo "local all all trust" > "$sockets/pg_hba.conf"
[ -z "${1:-}" ] || echo "recovery_target_time = '$1'" >> "$part/restore.conf"
pg_ctl start --silent --wait --timeout 600 --pgdata "$part" --log "$part/restore.log" \
    --options "-c config_file=$part/restore.conf -c data_directory=$part" ||
    fail "PostgreSQL did not start: $(tail -n 3 "$part/restore.log")"

# It answers when it has reached the moment.
until psql --host "$sockets" --username "${PGUSER:-betcore}" --dbname betcore --no-psqlrc --quiet \
    --set ON_ERROR_STOP=1 > /dev/null 2>> "$part/psql.log" <<'END'
    -- Ids beyond the backup may be in the books of providers. Nothing new may get them.
    begin;
    select setval('ledger_ids', last_value + 1000000000000) from ledger_ids;
    select setval('player_id_seq', last_value + 1000000000) from player_id_seq;
    select setval('account_id_seq', last_value + 1000000000) from account_id_seq;
    commit;
END
do
    if [ ! -e "$part/postmaster.pid" ] || grep -q 'ERROR' "$part/psql.log"; then
        pg_ctl stop --silent --mode fast --pgdata "$part" 2> /dev/null || true
        fail "PostgreSQL did not finish the restore: $(grep -h -e FATAL -e PANIC -e ERROR \
            "$part/restore.log" "$part/psql.log" | grep -v 'not accepting connections')"
    fi
    sleep 1
done
pg_ctl stop --silent --wait --timeout 600 --mode fast --pgdata "$part"
rm -rf "$part/restore.conf" "$part/restore_command.sh" "$part/restore.log" "$part/psql.log" "$sockets"
sync
mv "$part" "$PGDATA"
echo "restored to $PGDATA"
