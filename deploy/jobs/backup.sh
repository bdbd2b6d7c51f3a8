#!/bin/sh
# Copies a whole PostgreSQL. Bets go on meanwhile. The folder is like one of `betcore backup`.
# usage: backup.sh copy     one verified copy; then remove all but the newest $KEEP
#        backup.sh daily    the same every day, until SIGTERM
#        backup.sh follow   every change as it is made, until SIGTERM
# PGHOST and PGUSER name the server and the login.
set -eu
umask 077
BACKUPS=${BACKUPS:-/var/lib/postgresql/backups}
KEEP=${KEEP:-7}
export PGDATABASE="${PGDATABASE:-betcore}"
PGPASSWORD=$(cat "${PASSWORD_FILE:-/run/secrets/postgres_replication_password}")
export PGPASSWORD
mkdir -p "$BACKUPS"

ask() {
    psql --no-psqlrc --quiet --tuples-only --no-align --set ON_ERROR_STOP=1 --command "$1"
}

copy() {
    name=$(date -u +%Y%m%dT%H%M%S.000000Z)
    part=$BACKUPS/$name.unfinished
    mkdir "$part"
    rm -f "$BACKUPS/copy-needed"
    pg_basebackup --pgdata="$part/base" --checkpoint=fast --wal-method=stream --no-password
    pg_verifybackup --quiet "$part/base"
    # As the copy ended at this moment, it can be restored to any later one.
    ask "select json_build_object('folder', null, 'finished_at', clock_timestamp(),
            'major', current_setting('server_version_num')::int / 10000,
            'timeline', timeline_id,
            'server', (select system_identifier::text from pg_control_system()))
         from pg_control_checkpoint()" > "$part/backup.json"
    sync
    mv "$part" "$BACKUPS/$name"
    echo "copied to $BACKUPS/$name"
    remove_old
}

remove_old() {
    copies=$(find "$BACKUPS" -maxdepth 1 -name '*Z' | sort)
    count=$(echo "$copies" | wc -l)
    [ "$count" -gt "$KEEP" ] || return 0
    echo "$copies" | head -n "$((count - KEEP))" | while read -r old; do
        mv "$old" "$old.unfinished" # nothing uses it while it is removed
        rm -rf "$old.unfinished"
    done
    oldest=$(echo "$copies" | tail -n "$KEEP" | head -n 1)
    first=$(sed -n 's/^START WAL LOCATION: .*(file \([0-9A-F]*\))$/\1/p' "$oldest/base/backup_label")
    find "$BACKUPS" -path "$BACKUPS/wal*/*" -name '[0-9A-F]*' | while read -r file; do
        # Only whole names of the log are compared; `*.history` files are small, and stay.
        segment=$(basename "$file" .partial)
        [ ${#segment} -eq 24 ] || continue
        [ "$(printf '%s\n%s\n' "$segment" "$first" | sort | head -n 1)" = "$first" ] || rm "$file"
    done
}

follow() {
    # A reader that was away for too long has lost a part of the log. It begins again, in a new
    # folder, because a log with a gap cannot be restored beyond the gap.
    if [ "$(ask "select wal_status from pg_replication_slots
                 where slot_name = 'betcore_backup'")" = lost ]; then
        ask "select pg_drop_replication_slot('betcore_backup')" > /dev/null
        mv "$BACKUPS/wal" "$BACKUPS/wal-before-$(date -u +%Y%m%dT%H%M%SZ)"
        echo "the log has a gap: a new copy is needed" >&2
    fi
    mkdir -p "$BACKUPS/wal"
    # The log can be used only with a copy that was made after its beginning.
    [ -n "$(ls -A "$BACKUPS/wal")" ] || touch "$BACKUPS/copy-needed"
    pg_receivewal --slot=betcore_backup --create-slot --if-not-exists --no-password
    exec pg_receivewal --directory="$BACKUPS/wal" --slot=betcore_backup --synchronous \
        --status-interval=1 --no-password
}

case ${1:-} in
    copy) copy ;;
    follow) follow ;;
    daily)
        while :; do
            if [ -e "$BACKUPS/copy-needed" ] ||
                [ -z "$(find "$BACKUPS" -path '*Z/backup.json' -mmin -1440)" ]; then
                # A failure is not the end: the health check and an alert tell of an old copy.
                # It is a process of its own, because `set -e` is not obeyed on the left of `||`.
                sh "$0" copy || echo "the copy failed; the next try is in ten minutes" >&2
            fi
            sleep 600 &
            wait $!
        done
        ;;
    *)
        echo "usage: backup.sh copy|daily|follow" >&2
        exit 2
        ;;
esac
