#!/bin/sh
# After the files have gone. Debian's purge takes all that was configured, secrets too, what the service kept, and its user.
set -e
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload
fi
if [ "${1:-}" = purge ]; then
	rm -rf /etc/amictl /var/lib/amictl
	for unit in amictl-serve.service amictl-check@; do
		rm -rf /etc/systemd/system/"$unit"*.d
	done
	if id amictl >/dev/null 2>&1; then
		userdel amictl
	fi
	! grep -q '^amictl:' /etc/group || groupdel amictl
fi
