#!/bin/sh
# A PostgreSQL server of its own for tests, on loopback, in a directory that goes with it. Prints its URL and ends with standard
# input: press Ctrl-D, or Ctrl-C. The tests start it themselves; by hand:
#
#     sh tests/postgres.sh
#     LOCKGATE_TEST_POSTGRES=… cargo test postgres
#
# Ends with 3 where PostgreSQL is not installed.
set -eu
cd /
bin=
for found in /usr/lib/postgresql/*/bin /usr/local/bin /opt/homebrew/bin "$(dirname "$(command -v initdb || echo /none)")"; do
    if [ -x "$found/initdb" ]; then bin=$found; fi
done
if [ -z "$bin" ]; then
    echo 'PostgreSQL is not installed (Debian: apt-get install postgresql)' >&2
    exit 3
fi
# The server refuses to run as root. The script is handed over as text, because its file may be out of that user's reach.
if [ "$(id -u)" = 0 ]; then
    exec runuser -u postgres -- sh -c "$(cat "$OLDPWD/$0" 2>/dev/null || cat "$0")"
fi
directory=$(mktemp -d /tmp/lockgate-postgres-XXXXXX)
server=
end() {
    trap - EXIT INT TERM
    if [ -n "$server" ]; then
        kill -INT "$server" 2>/dev/null || true
        wait "$server" 2>/dev/null || true
    fi
    rm -rf "$directory"
}
trap end EXIT
trap 'exit 130' INT TERM
password=pg-$(od -An -N8 -tx1 /dev/urandom | tr -d ' \n')
printf '%s\n' "$password" >"$directory/password"
"$bin/initdb" --pgdata "$directory/data" --username lockgate --pwfile "$directory/password" --auth scram-sha-256 \
    --encoding UTF8 --locale C.UTF-8 --no-sync >"$directory/initdb.log" 2>&1 || { cat "$directory/initdb.log" >&2; exit 1; }
attempt=0
while [ "$attempt" -lt 20 ]; do
    attempt=$((attempt + 1))
    port=$((20000 + ($$ * 7 + attempt * 1009) % 12000))
    # Nothing here has to outlive the machine.
    "$bin/postgres" -D "$directory/data" -p "$port" -c listen_addresses=127.0.0.1 -c unix_socket_directories= \
        -c fsync=off -c full_page_writes=off -c max_connections=200 -c shared_buffers=32MB -c autovacuum=off \
        >"$directory/server.log" 2>&1 </dev/null &
    server=$!
    # The file says that this very server is ready, and not another one that has the port.
    while kill -0 "$server" 2>/dev/null; do
        if grep -q ready "$directory/data/postmaster.pid" 2>/dev/null; then
            echo "postgres://lockgate:$password@127.0.0.1:$port/postgres"
            cat >/dev/null
            exit 0
        fi
        sleep 0.1
    done
done
cat "$directory/server.log" >&2
exit 1
