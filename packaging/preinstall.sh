#!/bin/sh
# Before the files come: the user that the services run as. It owns nothing; its group reads /etc/amictl.
set -e
if id amictl >/dev/null 2>&1; then
	exit 0
fi
home=/var/lib/amictl shell=/usr/sbin/nologin
if command -v useradd >/dev/null; then
	if grep -q '^amictl:' /etc/group; then group='--gid amictl'; else group=--user-group; fi
	# shellcheck disable=SC2086 # two words
	useradd --system $group --no-create-home --home-dir $home --shell $shell amictl
else # BusyBox
	grep -q '^amictl:' /etc/group || addgroup -S amictl
	adduser -S -D -H -h $home -s $shell -G amictl amictl
fi
