#!/bin/sh
# Before the files go for good: the services end, and are not started at boot again.
set -e
case ${1:-} in upgrade | deconfigure | failed-upgrade | 1) exit 0 ;; esac # 1 is rpm's
command -v systemctl >/dev/null || exit 0
if [ -d /run/systemd/system ]; then
	systemctl stop amictl-serve.service 'amictl-check@*.timer' 'amictl-check@*.service'
fi
for link in /etc/systemd/system/*.wants/amictl-serve.service /etc/systemd/system/*.wants/amictl-check@*.timer; do
	[ ! -L "$link" ] || systemctl disable "${link##*/}"
done
