#!/bin/sh
# Starts Valkey with the users of users.acl and the passwords in /run/secrets.
# usage: start.sh OPTIONS-OF-VALKEY-SERVER
set -eu
umask 077
while read -r word user rest; do
    case $rest in
        *'>PASSWORD'*)
            password=$(cat "${SECRETS:-/run/secrets}/redis_${user}_password")
            before=${rest%%>PASSWORD*}
            rest="$before>$password${rest#*>PASSWORD}"
            ;;
    esac
    echo "$word $user $rest"
done < "${USERS:-/etc/betcore/users.acl}" > "${ACL_FILE:-/run/valkey/users.acl}"
exec valkey-server "$@" --aclfile "${ACL_FILE:-/run/valkey/users.acl}"
