#!/bin/sh
# A Secret Service of its own for tests: a session bus and an unlocked keyring in a directory that goes with them. Prints the address
# of the bus and ends with standard input: press Ctrl-D, or Ctrl-C. The tests start it themselves; by hand:
#
#     sh tests/keyring.sh
#     DBUS_SESSION_BUS_ADDRESS=… lockgate login
#
# Ends with 3 where the programs are not installed.
set -eu
for program in dbus-daemon gnome-keyring-daemon; do
    if ! command -v "$program" >/dev/null; then
        echo "$program is not installed (Debian: apt-get install dbus gnome-keyring)" >&2
        exit 3
    fi
done
directory=$(mktemp -d /tmp/lockgate-keyring-XXXXXX)
bus=
keyring=
end() {
    trap - EXIT INT TERM
    for process in $keyring $bus; do
        kill "$process" 2>/dev/null || true
        wait "$process" 2>/dev/null || true
    done
    rm -rf "$directory"
}
trap end EXIT
trap 'exit 130' INT TERM
export HOME="$directory" XDG_DATA_HOME="$directory/data" XDG_CACHE_HOME="$directory/cache" XDG_RUNTIME_DIR="$directory/run"
mkdir -m 700 -p "$XDG_DATA_HOME" "$XDG_CACHE_HOME" "$XDG_RUNTIME_DIR"
export DBUS_SESSION_BUS_ADDRESS="unix:path=$directory/run/bus"
dbus-daemon --session --nofork --nopidfile --address="$DBUS_SESSION_BUS_ADDRESS" </dev/null >"$directory/bus.log" 2>&1 &
bus=$!
attempt=0
until [ -S "$directory/run/bus" ]; do
    attempt=$((attempt + 1))
    if [ "$attempt" -gt 100 ]; then cat "$directory/bus.log" >&2; exit 1; fi
    sleep 0.1
done
# The password of the new keyring comes by standard input; without one the daemon would ask for it on a screen.
printf 'test' | gnome-keyring-daemon --foreground --unlock --components=secrets >"$directory/keyring.log" 2>&1 &
keyring=$!
attempt=0
until dbus-send --session --print-reply --dest=org.freedesktop.DBus / org.freedesktop.DBus.GetNameOwner \
    string:org.freedesktop.secrets >/dev/null 2>&1; do
    attempt=$((attempt + 1))
    if [ "$attempt" -gt 100 ]; then cat "$directory/keyring.log" >&2; exit 1; fi
    sleep 0.1
done
echo "$DBUS_SESSION_BUS_ADDRESS"
cat >/dev/null
