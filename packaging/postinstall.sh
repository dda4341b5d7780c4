#!/bin/sh
# After the files have come: a service that runs goes on with the new program. Nothing is started that was not: it has to be configured.
set -e
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload
	systemctl try-restart amictl-serve.service || echo 'amictl-serve.service did not start again: see journalctl -u amictl-serve' >&2
fi
