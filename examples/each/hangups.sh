#!/usr/bin/env bash
# The hangups of a cluster, a line of JSON each, until the end: hangups.sh HOST:PORT CLUSTER
# A bridge with --each Hangup puts them on the bus. `nats sub --raw 'ami.one.CLUSTER.*.Hangup'` does the same; this needs bash alone.
set -euo pipefail
address=${1:?HOST:PORT} cluster=${2:?CLUSTER}
exec 3<>"/dev/tcp/${address%:*}/${address##*:}"
printf 'CONNECT {"verbose":false}\r\nSUB ami.one.%s.*.Hangup 1\r\n' "$cluster" >&3
while IFS= read -r line <&3; do
	case $line in
	PING*) printf 'PONG\r\n' >&3 ;;
	MSG*) # MSG SUBJECT 1 LENGTH, and then the line
		IFS= read -r event <&3
		printf '%s\n' "${event%$'\r'}"
		;;
	-ERR*)
		printf '%s\n' "$line" >&2
		exit 1
		;;
	esac
done
